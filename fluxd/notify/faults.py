"""Why a connection failed, in a sentence that names the mend.

All of these may pass by themselves (a network comes back, a certificate is renewed), so all may be
tried again; what the other side says in its own protocol is judged there.
"""

import errno
import http.client
import smtplib
import socket
import ssl

from fluxd.core.errors import DeliveryError
from fluxd.notify.deadline import ConnectTimeoutError, Deadline, LookUpTimeoutError

_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)

# What a connection that was shut down on our side raises.
_CUT = (ConnectionError, ssl.SSLError, http.client.HTTPException, smtplib.SMTPServerDisconnected)

_SILENT = "{at} took the connection but did not answer {within}: see whether that service hangs"

# The first that fits: most of these are each other's subclasses.
_REASONS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (
        LookUpTimeoutError,
        "the address of {host} was not found {within}: check this machine's DNS",
    ),
    (
        (socket.gaierror, UnicodeError),
        "the name {host} has no address: check its spelling, and this machine's DNS",
    ),
    (
        ConnectTimeoutError,
        "no connection to {at} {within}: check host and port, and firewalls between",
    ),
    (
        ssl.SSLCertVerificationError,
        (
            "the certificate of {at} is not trusted ({what}): renew it, use the name it is for, or "
            "add its authority to this machine's (/usr/local/share/ca-certificates, then "
            "update-ca-certificates)"
        ),
    ),
    (TimeoutError, _SILENT),
    (
        ssl.SSLEOFError,
        "{at} closed the connection during TLS: check that this port speaks TLS",
    ),
    (
        ssl.SSLError,
        "{at} does not speak TLS as it should ({what}): check that the port is TLS's",
    ),
    (
        ConnectionRefusedError,
        "{at} refuses the connection: check host and port, and that the service runs",
    ),
    (
        PermissionError,
        (
            "this machine does not let fluxd connect to {at}: check its firewall, and "
            "IPAddressDeny= in the service's unit (`systemctl cat fluxd`)"
        ),
    ),
    (
        (ConnectionError, http.client.IncompleteRead, smtplib.SMTPServerDisconnected),
        "{at} closed the connection without an answer: see that service's own log",
    ),
)


def connection_fault(error: Exception, host: str, port: int, deadline: Deadline) -> DeliveryError:
    """Return what is to be told of an error below the protocol."""
    told = {"host": host, "at": f"{host}:{port}", "within": f"within {deadline.timeout_s:g} s"}
    reason = _reason(error, over=deadline.over).format(**told, what=_what(error))
    return DeliveryError(reason, retry=True)


def _reason(error: Exception, *, over: bool) -> str:
    found = next((reason for kinds, reason in _REASONS if isinstance(error, kinds)), None)
    if over and isinstance(error, _CUT):
        return _SILENT  # cut off at the deadline, whatever that looked like
    if found is None and isinstance(error, OSError) and error.errno in _NO_WAY:
        return "there is no way to {at}: check this machine's network, and the host"
    return found or "the connection to {at} failed: {what}"


def _what(error: Exception) -> str:
    """Return the error's own few words; they name no address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.rstrip(".")
    if isinstance(error, ssl.SSLError):
        return (getattr(error, "reason", None) or "TLS error").replace("_", " ").lower()
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
