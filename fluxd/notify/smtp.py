"""One mail handed to one SMTP server, within one time limit.

What the server refuses is told by its reply's code (RFC 5321): 4xx may pass, 5xx stays.
"""

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage

from fluxd.core.errors import DeliveryError
from fluxd.notify.channel import Answer
from fluxd.notify.deadline import Deadline
from fluxd.notify.faults import connection_fault
from fluxd.notify.scrub import snippet

PORTS = {"starttls": "587", "tls": "465", "none": "25"}

_LASTING = 500
_NO_LOGIN_NOW = 454
_MAILBOX_FULL = 552
_READY = 220


@dataclass(frozen=True, slots=True)
class Server:
    """Where mails go: `security` is starttls, tls (from the first byte on) or none."""

    host: str
    port: int
    security: str
    user: str = ""
    password: str = field(default="", repr=False)

    def deliver(
        self, mail: EmailMessage, sender: str, recipients: Sequence[str], timeout_s: float
    ) -> Answer:
        """Hand the mail over and return what the server said to it. Raises DeliveryError.

        Some recipients may be refused while others are served: that is delivered, and the answer
        names them, because sending again would double the mail for the others.
        """
        deadline = Deadline(timeout_s)
        try:
            line = deadline.connect(self.host, self.port)
            with deadline.cutting(line), contextlib.closing(_Client(self, line)) as client:
                return self._hand_over(client, mail, sender, recipients)
        except smtplib.SMTPServerDisconnected as error:
            raise connection_fault(error, self.host, self.port, deadline) from None
        except smtplib.SMTPException as error:
            if deadline.over:  # cut off amid a reply, which looks like its end
                raise connection_fault(TimeoutError(), self.host, self.port, deadline) from None
            raise self._refusal(error) from None
        except (OSError, UnicodeError, ValueError) as error:
            raise connection_fault(error, self.host, self.port, deadline) from None

    def _hand_over(
        self, client: "_Client", mail: EmailMessage, sender: str, recipients: Sequence[str]
    ) -> Answer:
        client.greet()
        if self.security == "starttls":
            client.starttls(context=ssl.create_default_context())
        if self.user:
            client.login(self.user, self.password)
        refused = client.send_message(mail, sender, list(recipients))
        said = client.said
        with contextlib.suppress(smtplib.SMTPException, OSError):
            client.quit()  # the mail has been taken: nothing after that can undo it
        if refused:
            said += f" (refused: {'; '.join(self._recipient(*one) for one in refused.items())})"
        return Answer(said)

    def _refusal(self, error: smtplib.SMTPException) -> DeliveryError:
        at = f"{self.host}:{self.port}"
        match error:
            case smtplib.SMTPResponseException(smtp_code=-1):
                reason = f"what answers at {at} is no SMTP server: check the port"
            case smtplib.SMTPAuthenticationError(smtp_code=code):
                mend = "try again later" if code == _NO_LOGIN_NOW else "check user and password"
                return self._told(f"{self.host} refuses the login: {mend}", error)
            case smtplib.SMTPSenderRefused():
                return self._told(
                    f"{self.host} refuses mail from {error.sender}: check from", error
                )
            case smtplib.SMTPRecipientsRefused():
                return self._all_refused(error)
            case smtplib.SMTPDataError():
                return self._told(f"{self.host} does not take this mail: see its log", error)
            case smtplib.SMTPResponseException():
                return self._told(f"{at} takes no mail now: see that server's own log", error)
            case smtplib.SMTPNotSupportedError() if self.security == "starttls" and (
                "STARTTLS" in str(error)
            ):
                reason = f'{at} offers no STARTTLS: set security to "tls" (port 465) or "none"'
            case smtplib.SMTPNotSupportedError():
                reason = f"{at} offers no login: remove user and password, or check the port"
            case _:
                reason = f"{at} offers no way of logging in that fluxd knows: {snippet(str(error))}"
        return DeliveryError(reason, retry=False)

    def _told(self, reason: str, error: smtplib.SMTPResponseException) -> DeliveryError:
        said = self._said(error.smtp_code, error.smtp_error)
        passing = error.smtp_code < _LASTING or error.smtp_code == _MAILBOX_FULL
        return DeliveryError(f"{reason} (it says: {said})", retry=passing)

    def _all_refused(self, error: smtplib.SMTPRecipientsRefused) -> DeliveryError:
        told = "; ".join(self._recipient(*one) for one in error.recipients.items())
        passing = any(code < _LASTING for code, _ in error.recipients.values())
        return DeliveryError(
            f"{self.host} refuses every recipient: check to, and that it takes mail for them from "
            f"this machine ({told})",
            retry=passing,
        )

    def _recipient(self, address: str, reply: tuple[int, bytes]) -> str:
        return f"{address}: {self._said(*reply)}"

    def _said(self, code: int, text: bytes | str) -> str:
        return f"{code} {snippet(text, [self.password] if self.password else [])}"


class _Client(smtplib.SMTP):
    """smtplib's client on a connection that is there, and that is cut when the time is over."""

    def __init__(self, server: Server, line: socket.socket) -> None:
        # getfqdn(), smtplib's own way to a name for EHLO, asks the DNS and may hang.
        name = socket.gethostname()
        super().__init__(
            local_hostname=name if "." in name else "[127.0.0.1]", timeout=line.gettimeout() or 1.0
        )
        self.said = ""
        self._line = line
        self._server = server
        self._host = server.host  # starttls() checks the certificate against it

    def greet(self) -> None:
        """Take the connection over and read the server's first line."""
        code, text = self.connect(self._server.host, self._server.port)
        if code != _READY:
            raise smtplib.SMTPConnectError(code, text)

    def data(self, msg: bytes | str) -> tuple[int, bytes]:  # type: ignore[override]
        """Send the mail's text and keep the reply, which send_message() keeps to itself."""
        code, text = super().data(msg)
        self.said = f"{code} {snippet(text)}"
        return code, text

    # smtplib's own seam: SMTP_SSL is made by it.
    def _get_socket(self, host: str, _port: int, _timeout: float) -> socket.socket:
        if self._server.security == "tls":
            return ssl.create_default_context().wrap_socket(self._line, server_hostname=host)
        return self._line
