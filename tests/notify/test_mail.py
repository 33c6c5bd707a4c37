"""Mails to a real SMTP server: how they look, and how each refusal is told."""

import contextlib
import email
import email.policy
import io
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from notify.receiver import Receiver, dialogue, drips, drops, hangs, says
from notify.samples import member, message
from PIL import Image

from fluxd.core.errors import DeliveryError
from fluxd.core.message import Message
from fluxd.notify.channel import Answer
from fluxd.notify.kinds import build, check

PATIENCE_S = 30.0
SOON_S = 1.0
PASSWORD = "hunter2-s3cret"


class Inbox:
    """Keeps mails; `refuse` maps a command or a recipient to the reply it gets."""

    def __init__(self, **refuse: str) -> None:
        self.refuse = refuse
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.logins: list[bytes] = []

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's names
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if "MAIL" in self.refuse:
            return self.refuse["MAIL"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        reply = self.refuse.get(address.partition("@")[0], self.refuse.get("RCPT", "250 OK"))
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.recipients = list(envelope.rcpt_tos)
        return "250 2.0.0 queued as 4F1"

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any
    ) -> AuthResult:
        self.logins.append(given.login)
        return AuthResult(success=given.password == PASSWORD.encode(), handled=False)


@contextlib.contextmanager
def serving(inbox: Inbox, **options: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(
        inbox,
        "127.0.0.1",
        port,
        authenticator=inbox.authenticate,
        auth_exclude_mechanism=[],
        **options,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


Settings = dict[str, str]


def to(port: int, **changes: str) -> Settings:
    plain = {"host": "127.0.0.1", "port": str(port), "security": "none"}
    plain |= {"from": "fluxd@example.org", "to": "ops@example.org"}
    return plain | {key.rstrip("_"): value for key, value in changes.items()}


def send(settings: Settings, sent: Message | None = None, timeout_s: float = PATIENCE_S) -> Answer:
    return build("email", check("email", settings)).send(sent or message(), timeout_s)


def fault(settings: Settings, timeout_s: float = PATIENCE_S) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send(settings, timeout_s=timeout_s)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


def delivered(sent: Message, **changes: str) -> EmailMessage:
    inbox = Inbox()
    with serving(inbox) as port:
        assert send(to(port, **changes), sent).text == "250 2.0.0 queued as 4F1"
    (mail,) = inbox.mails
    return mail


# ---- the mail


def test_a_mail_has_text_html_and_the_chart_inside_it() -> None:
    mail = delivered(message())
    assert mail.get_content_type() == "multipart/alternative"
    text, related = mail.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert "db-1.disk.util" in text.get_content()
    html, chart = related.iter_parts()
    cid = chart["Content-ID"]
    assert f'src="cid:{cid[1:-1]}"' in html.get_content()
    assert chart.get_content_disposition() == "inline"
    with Image.open(io.BytesIO(chart.get_content())) as image:
        assert (image.format, image.size) == ("PNG", (1_280, 480))


def test_a_mail_without_a_picture_shows_none() -> None:
    mail = delivered(message(picture=None))
    assert [one.get_content_type() for one in mail.iter_parts()] == ["text/plain", "text/html"]
    assert "<img" not in mail.as_string()


def test_a_mail_goes_out_even_if_its_chart_cannot_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)  # as if it were not installed
    mail = delivered(message())
    assert [one.get_content_type() for one in mail.iter_parts()] == ["text/plain", "text/html"]


def test_a_mails_head_is_that_of_a_machine_that_means_well() -> None:
    mail = delivered(message(), to="ops@example.org, Night Shift <night@example.org>")
    assert mail["From"] == "fluxd <fluxd@example.org>"
    assert mail["To"] == "ops@example.org, Night Shift <night@example.org>"
    assert mail["Subject"] == "3 metrics on db-1 odd since 15:05"
    assert mail["Date"].datetime.tzinfo is not None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "fluxd on monitor.example.org <fluxd.monitor.example.org>"
    assert mail["X-Priority"] == "2"


def test_an_incident_is_one_thread_and_a_repeated_mail_is_the_same() -> None:
    opened, again = delivered(message()), delivered(message())
    worse = delivered(message(key="incident-12:worsened", kind="worsened"))
    other = delivered(message(key="incident-13:opened", thread="incident-13", incident=13))
    assert opened["Message-ID"] == again["Message-ID"] != worse["Message-ID"]
    assert opened["References"] == opened["In-Reply-To"] == worse["References"]
    assert other["References"] != opened["References"]
    assert opened["Message-ID"].endswith("@fluxd.monitor.example.org>")


def test_a_digest_is_no_incidents_answer() -> None:
    mail = delivered(message(kind="digest", incident=None))
    assert mail["References"] is None
    assert mail["X-Priority"] is None


def test_what_is_told_makes_no_header_and_no_other_mail() -> None:
    sent = message(
        subject="odd\r\nBcc: evil@example.org\r\n\r\nbody",
        sentence="grüße\r\n.\r\nMAIL FROM:<evil@example.org> 😀",
        host="db 1\r\nX-Evil: 1",
        members=(member("a.b", sentence="x" * 3_000), member("c.d", 5)),
    )
    mail = delivered(sent)
    assert mail["Bcc"] is None
    assert mail["X-Evil"] is None
    assert mail["Subject"] == "odd Bcc: evil@example.org body"
    assert "grüße . MAIL FROM:<evil@example.org> 😀" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert max(len(line) for line in mail.as_bytes().split(b"\n")) < 999


def test_several_recipients_get_one_mail() -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        send(to(port, to="a@example.org, b@example.org"))
    assert len(inbox.mails) == 1
    assert inbox.recipients == ["a@example.org", "b@example.org"]


# ---- encryption and login


def login(port: int, **changes: str) -> Settings:
    return to(port, user="fluxd", password=PASSWORD, **changes)


@pytest.mark.usefixtures("trusted")
def test_starttls_and_login(tls: ssl.SSLContext) -> None:
    inbox = Inbox()
    with serving(inbox, tls_context=tls, require_starttls=True) as port:
        assert send(login(port, security="starttls")).text == "250 2.0.0 queued as 4F1"
    assert inbox.logins == [b"fluxd"]


@pytest.mark.usefixtures("trusted")
def test_tls_from_the_first_byte_on(tls: ssl.SSLContext) -> None:
    inbox = Inbox()
    with serving(inbox, ssl_context=tls, auth_require_tls=False) as port:
        assert send(login(port, security="tls")).text == "250 2.0.0 queued as 4F1"
    assert len(inbox.mails) == 1


@pytest.mark.usefixtures("trusted")
def test_a_login_that_is_refused_stays_refused(tls: ssl.SSLContext) -> None:
    inbox = Inbox()
    with serving(inbox, tls_context=tls) as port:
        error = fault(to(port, security="starttls", user="fluxd", password=f"{PASSWORD}x"))
    assert not error.retry
    assert error.reason.startswith(
        "127.0.0.1 refuses the login: check user and password (it says: 535"
    )
    assert not inbox.mails


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_knows(tls: ssl.SSLContext, security: str) -> None:
    inbox = Inbox()
    key = "ssl_context" if security == "tls" else "tls_context"
    with serving(inbox, **{key: tls}) as port:
        error = fault(to(port, security=security))
    assert f"the certificate of 127.0.0.1:{port} is not trusted (" in error.reason
    assert not inbox.mails


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name(tls_of_another: ssl.SSLContext) -> None:
    with serving(Inbox(), tls_context=tls_of_another) as port:
        assert "IP address mismatch" in fault(to(port, security="starttls")).reason


def test_a_server_without_starttls() -> None:
    inbox = Inbox()
    with serving(inbox) as port:
        error = fault(to(port, security="starttls"))
    assert not error.retry
    assert 'offers no STARTTLS: set security to "tls" (port 465) or "none"' in error.reason
    assert not inbox.mails


def test_a_server_without_login() -> None:
    with serving(Inbox()) as port:  # offers AUTH under TLS only
        error = fault(login(port))
    assert not error.retry
    assert "offers no login: remove user and password" in error.reason


def test_a_way_of_logging_in_that_nobody_knows_here() -> None:
    replies = ("220 hi", "250-hi\r\n250 AUTH GSSAPI", "221 bye")
    with Receiver([dialogue(*replies)], greets=True) as receiver:
        error = fault(login(receiver.port))
    assert not error.retry
    assert "no way of logging in that fluxd knows" in error.reason


# ---- refusals


@pytest.mark.parametrize(
    ("refuse", "retry", "told"),
    [
        ({"MAIL": "550 5.7.1 not yours"}, False, "refuses mail from fluxd@example.org: check from"),
        ({"MAIL": "451 4.3.0 later"}, True, "(it says: 451 4.3.0 later)"),
        ({"RCPT": "550 5.1.1 no such user"}, False, "ops@example.org: 550 5.1.1 no such user"),
        ({"RCPT": "450 4.2.0 greylisted"}, True, "127.0.0.1 refuses every recipient: check to"),
        ({"DATA": "554 5.6.0 spam"}, False, "does not take this mail: see its log (it says: 554"),
        ({"DATA": "452 4.3.1 disk full"}, True, "(it says: 452 4.3.1 disk full)"),
        ({"DATA": "552 5.2.2 mailbox full"}, True, "(it says: 552 5.2.2 mailbox full)"),
    ],
)
def test_each_refusal_is_told_by_its_code(refuse: Settings, retry: bool, told: str) -> None:  # noqa: FBT001
    inbox = Inbox(**refuse)
    with serving(inbox) as port:
        error = fault(to(port))
    assert error.retry is retry
    assert told in error.reason
    assert not inbox.mails


def test_one_recipient_that_is_refused_does_not_keep_the_mail_from_the_others() -> None:
    inbox = Inbox(gone="550 5.1.1 no such user")
    with serving(inbox) as port:
        answer = send(to(port, to="ops@example.org, gone@example.org"))
    assert inbox.recipients == ["ops@example.org"]
    assert answer.text == (
        "250 2.0.0 queued as 4F1 (refused: gone@example.org: 550 5.1.1 no such user)"
    )


@pytest.mark.parametrize(
    ("greeting", "retry"), [("421 too busy", True), ("554 no mail from you", False)]
)
def test_a_server_that_turns_everybody_away(greeting: str, retry: bool) -> None:  # noqa: FBT001
    with Receiver([dialogue(greeting)], greets=True) as receiver:
        error = fault(to(receiver.port))
    assert error.retry is retry
    assert f"takes no mail now: see that server's own log (it says: {greeting})" in error.reason


ACCEPTED = ("220 hi", "250 hi", "250 ok", "250 ok", "354 go on")


def test_what_was_taken_is_delivered_even_if_the_server_then_hangs_up() -> None:
    def act(line: socket.socket, _over: object) -> None:
        with line.makefile("rb") as stream:
            for at, reply in enumerate(ACCEPTED):
                if at:
                    stream.readline()
                line.sendall(f"{reply}\r\n".encode())
            while stream.readline() != b".\r\n":
                pass
            line.sendall(b"250 taken\r\n")

    with Receiver([act], greets=True) as receiver:
        assert send(to(receiver.port)).text == "250 taken"


@pytest.mark.parametrize("act", [hangs, drips(), drips("220-hello\r\n220-"), drips("220 hi\r\n")])
def test_a_server_that_never_gets_there_holds_nobody(act: Any) -> None:
    with Receiver([act], greets=True) as receiver:
        error = fault(to(receiver.port), SOON_S)
    assert error.retry
    assert f"127.0.0.1:{receiver.port} took the connection but did not answer" in error.reason


@pytest.mark.parametrize(
    "act", [drops, dialogue("220 hi"), dialogue("220 hi", "250 hi"), dialogue(*ACCEPTED)]
)
def test_a_server_that_hangs_up_may_be_tried_again(act: Callable[..., None]) -> None:
    with Receiver([act], greets=True) as receiver:
        error = fault(to(receiver.port))
    assert error.retry
    assert "closed the connection without an answer" in error.reason


def test_what_is_no_smtp_server_is_told_so() -> None:
    with Receiver([says("HTTP/1.1 400 Bad Request\r\n\r\n")], greets=True) as receiver:
        error = fault(to(receiver.port))
    at = f"127.0.0.1:{receiver.port}"
    assert error.reason == f"what answers at {at} is no SMTP server: check the port"
    assert not error.retry


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert f"127.0.0.1:{port} refuses the connection" in fault(to(port)).reason
