"""One HTTP POST: to http and https only, no redirects, no proxies of the environment.

Redirects are not followed, because a POST that goes elsewhere takes its secrets along; the address
that a service moved to belongs into the settings.
"""

import contextlib
import email.utils
import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import fluxd
from fluxd.core.errors import DeliveryError
from fluxd.notify.channel import Answer
from fluxd.notify.deadline import Deadline
from fluxd.notify.faults import connection_fault
from fluxd.notify.scrub import hide, origin, secrets_of, snippet

# Of an answer; a line of it is shown.
MOST_READ_BYTES = 8_192

# An hour: a server that wants to be left alone for longer is asked again all the same.
MOST_RETRY_AFTER_S = 3_600.0

# Of the 4xx those that say "not now": timeout, conflict with a request under way, too early, too
# many. All others stay wrong until a person has changed something.
PASSING = frozenset({408, 409, 425, 429})

_MENDS = {
    400: "it does not understand the message: check that the address is of this kind of service",
    401: "check the token, or user and password",
    403: "check the token, and that it may post there",
    404: "check the address; the webhook may have been deleted",
    405: "check the address: this one takes no POST",
    407: "a proxy in between wants a login: it is not fluxd's to give",
    408: "it was too slow to take the message",
    410: "the webhook is gone: make a new one and enter its address",
    413: "the message is too large for it: raise its limit",
    429: "it wants fewer messages",
}


@dataclass(frozen=True, slots=True)
class Post:
    """A request. `secrets` are those beside the address's own; `mends` is what mends a status."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    secrets: tuple[str, ...] = ()
    mends: Mapping[int, str] | None = None


def send_post(post: Post, timeout_s: float) -> Answer:
    """Send it and return what came back, for a 2xx. Raises DeliveryError for all else."""
    deadline = Deadline(timeout_s)
    parts = urlsplit(post.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        response, body = _exchange(post, host, port, deadline)
    except http.client.RemoteDisconnected as error:  # a BadStatusLine too
        raise connection_fault(error, host, port, deadline) from None
    except (http.client.BadStatusLine, http.client.LineTooLong, http.client.UnknownProtocol) as bad:
        if deadline.over:
            raise connection_fault(bad, host, port, deadline) from None
        raise DeliveryError(
            f"what answers at {host}:{port} is no HTTP server: check the port", retry=False
        ) from None
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        # Not chained: its text may hold the address.
        raise connection_fault(error, host, port, deadline) from None
    return _judged(post, response, body)


def _exchange(
    post: Post, host: str, port: int, deadline: Deadline
) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(post.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"User-Agent": f"fluxd/{fluxd.__version__}", "Connection": "close"} | {
        "Content-Type": "application/json; charset=utf-8",
        **post.headers,
    }
    line = deadline.connect(host, port)
    with deadline.cutting(line):
        # HTTPConnection is told the scheme's port so that it names others in Host.
        connection = http.client.HTTPConnection(host, port)
        connection.default_port = 443 if parts.scheme == "https" else 80
        connection.sock = line
        try:
            if parts.scheme == "https":
                connection.sock = ssl.create_default_context().wrap_socket(
                    line, server_hostname=host
                )
            connection.request("POST", target, post.body, headers)
            with contextlib.closing(connection.getresponse()) as response:
                if deadline.over:  # cut off amid the headers, which looks like their end
                    raise TimeoutError
                return response, _beginning(response)
        finally:
            connection.close()
            line.close()


def _beginning(response: http.client.HTTPResponse) -> bytes:
    """Return the first of the answer's body: nothing where it breaks off, the status has come."""
    try:
        return response.read(MOST_READ_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _judged(post: Post, response: http.client.HTTPResponse, body: bytes) -> Answer:
    status = response.status
    said = snippet(body, (*post.secrets, *secrets_of(post.url)))
    name = f"{status} {http.client.responses.get(status, '')}".rstrip()
    if 200 <= status < 300:  # noqa: PLR2004
        return Answer(f"{name}: {said}" if said else name)
    mend = (post.mends or {}).get(status) or _mend(post, status, response)
    reason = f"{origin(post.url)} answers {name}: {mend}"
    raise DeliveryError(
        f"{reason} (it says: {said})" if said else reason,
        retry=status >= 500 or status in PASSING,  # noqa: PLR2004
        retry_after_s=_retry_after(response),
    )


def _mend(post: Post, status: int, response: http.client.HTTPResponse) -> str:
    if 300 <= status < 400:  # noqa: PLR2004
        location = response.headers.get("Location") or ""
        there = hide(_origin_or_nothing(location), post.secrets)
        if there:
            return f"it has moved, to {there}: enter the new address, redirects are not followed"
        return "it redirects, perhaps to a sign-in page: enter the address that takes the POST"
    if status >= 500:  # noqa: PLR2004
        return "the trouble is on its side: see that service's own log"
    return _MENDS.get(status, "it does not take the message")


def _origin_or_nothing(location: str) -> str:
    try:
        to = urlsplit(location)
    except ValueError:
        return ""
    return origin(location) if to.scheme in ("http", "https") and to.netloc else ""


def _retry_after(response: http.client.HTTPResponse) -> float | None:
    """Return the seconds that Retry-After asks for, given so or as a date; None without it."""
    given = (response.headers.get("Retry-After") or "").strip()
    if not given:
        return None
    if given.isascii() and given.isdecimal():
        wanted = float(given[:9])
    else:
        try:
            wanted = email.utils.parsedate_to_datetime(given).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(wanted, 0.0), MOST_RETRY_AFTER_S)
