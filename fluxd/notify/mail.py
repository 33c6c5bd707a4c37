"""Mail: text and HTML with the chart inside, one thread for an incident.

Message-ID is made from the idempotency key, so a mail that comes twice is one to most mail
programs; In-Reply-To and References name the incident, so all of its mails stand together.
"""

import email.utils
import hashlib
import logging
import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from fluxd.core.errors import ChannelError
from fluxd.core.message import Message
from fluxd.notify.channel import Answer
from fluxd.notify.fields import (
    Field,
    Kind,
    Settings,
    addresses,
    read_address,
    read_addresses,
    read_host,
    read_line,
    read_port,
)
from fluxd.notify.mail_html import html
from fluxd.notify.picture import png
from fluxd.notify.smtp import PORTS, Server
from fluxd.notify.wording import subject, text

log = logging.getLogger(__name__)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PRIORITIES = {"critical": "1", "high": "2"}
_NO_HOST = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Mail:
    """Sends the message to one or several addresses, as one mail."""

    server: Server
    sender: Address
    recipients: tuple[Address, ...]

    def send(self, message: Message, timeout_s: float) -> Answer:
        """Deliver the message; see `Channel`."""
        mail = composed(message, self.sender, self.recipients)
        to = [one.addr_spec for one in self.recipients]
        return self.server.deliver(mail, self.sender.addr_spec, to, timeout_s)


def composed(message: Message, sender: Address, recipients: tuple[Address, ...]) -> EmailMessage:
    """Return the mail."""
    mail = EmailMessage(policy=SMTP)
    host = _NO_HOST.sub("-", message.host).strip("-.") or "localhost"
    mail["From"] = sender if sender.display_name else Address("fluxd", addr_spec=sender.addr_spec)
    mail["To"] = recipients
    mail["Subject"] = subject(message)
    mail["Date"] = email.utils.localtime()
    mail["Message-ID"] = _id(message.key, host)
    if message.incident is not None:
        thread = _id(f"thread {message.thread}", host)
        mail["In-Reply-To"] = thread
        mail["References"] = thread
    mail["List-Id"] = f"fluxd on {host} <fluxd.{host}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no vacation answers
    mail["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    if message.kind in ("opened", "worsened") and message.severity in _PRIORITIES:
        mail["X-Priority"] = _PRIORITIES[message.severity]
    _fill(mail, message, host)
    return mail


def _fill(mail: EmailMessage, message: Message, host: str) -> None:
    # Quoted-printable: every server takes it, and it stays readable in the source.
    mail.set_content(text(message), cte="quoted-printable")
    chart = _chart(message)
    cid = _id(f"chart {message.key}", host)
    address = f"cid:{cid[1:-1]}" if chart else ""
    mail.add_alternative(html(message, address), subtype="html", cte="quoted-printable")
    if chart:
        part = mail.get_body(("html",))
        assert isinstance(part, EmailMessage)  # noqa: S101  # it was added above
        part.add_related(chart, "image", "png", cid=cid, filename="chart.png", disposition="inline")


def _chart(message: Message) -> bytes:
    """Return the picture, or nothing: a mail without one is better than none."""
    if message.picture is None:
        return b""
    try:
        return png(message.picture, message.offset)
    except Exception:
        log.exception("the chart of a mail can't be drawn: it goes out without")
        return b""


def _id(name: str, host: str) -> str:
    return f"<{hashlib.sha256(name.encode()).hexdigest()[:32]}@fluxd.{host}>"


def _agree(settings: Settings) -> None:
    if bool(settings["user"]) != bool(settings["password"]):
        missing = "password" if settings["user"] else "user"
        raise ChannelError(
            f"{missing} is missing: user and password go together; a server that wants no login "
            "has neither",
            field=missing,
        )
    in_the_clear = settings["security"] == "none" and settings["host"] not in _LOOPBACK
    if settings["password"] and in_the_clear:
        raise ChannelError(
            'security is "none", which would send the password readable by all: '
            'it must be "starttls" or "tls"',
            field="security",
        )


def _make(settings: Settings) -> Mail:
    port = int(settings["port"] or PORTS[settings["security"]])
    (sender,) = addresses(settings["from"])
    return Mail(
        Server(
            settings["host"], port, settings["security"], settings["user"], settings["password"]
        ),
        sender,
        tuple(addresses(settings["to"])),
    )


KIND = Kind(
    "email",
    "Email (SMTP)",
    (
        Field(
            "host",
            "Server",
            "the SMTP server, such as smtp.example.org, or localhost",
            required=True,
            read=read_host,
        ),
        Field(
            "port",
            "Port",
            "587 for starttls, 465 for tls, 25 for none, if left empty",
            read=read_port,
        ),
        Field(
            "security",
            "Encryption",
            "starttls begins in the clear, tls does not; none is for this machine or network",
            default="starttls",
            choices=tuple(PORTS),
        ),
        Field("user", "User", "where the server wants a login", read=read_line),
        Field(
            "password",
            "Password",
            "the user's; often one for applications",
            secret=True,
            read=read_line,
        ),
        Field(
            "from",
            "From",
            'the sender, such as "fluxd <fluxd@example.org>"; most servers take the user\'s only',
            required=True,
            read=read_address,
        ),
        Field(
            "to",
            "To",
            "one or several addresses, apart by commas",
            required=True,
            read=read_addresses,
        ),
    ),
    _make,
    _agree,
)
