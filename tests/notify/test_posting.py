"""HTTP deliveries to a real server: what is taken, what is refused, and how each fault is told."""

import email.utils
import errno
import socket
import ssl
import threading
import time
from typing import Any

import pytest
from notify.receiver import Receiver, answer, drips, drops, hangs, says
from notify.samples import message

from fluxd.core.errors import DeliveryError
from fluxd.notify.channel import Answer
from fluxd.notify.deadline import Deadline
from fluxd.notify.faults import connection_fault
from fluxd.notify.posting import MOST_RETRY_AFTER_S
from fluxd.notify.webhook import Webhook

PATIENCE_S = 30.0  # for what answers
SOON_S = 1.0  # for what never does
SECRETS = ("T0PATHS3CRET", "qu3rys3cret", "s1gnings3cret", "b3arers3cret")


def send(receiver: Receiver, timeout_s: float = PATIENCE_S) -> Answer:
    return send_to(receiver.url, timeout_s)


def send_to(url: str, timeout_s: float = PATIENCE_S) -> Answer:
    webhook = Webhook(url, secret="s1gnings3cret", authorization="Bearer b3arers3cret")
    return webhook.send(message(), timeout_s)


def fault(receiver: Receiver, timeout_s: float = PATIENCE_S) -> DeliveryError:
    return fault_at(receiver.url, timeout_s)


def fault_at(url: str, timeout_s: float = PATIENCE_S) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        send_to(url, timeout_s)
    error = caught.value
    assert not any(secret in str(error) for secret in SECRETS)
    assert not any(secret in repr(error) for secret in SECRETS)
    assert error.__cause__ is None  # what a log would print with it
    assert error.__suppress_context__ or error.__context__ is None
    return error


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (answer("204 No Content"), "204 No Content"),
        (answer("200 OK", "ok"), "200 OK: ok"),
        (answer("202 Accepted", "a\r\n  b\x00\x1b[31m"), "202 Accepted: a b[31m"),
        (answer("200 OK", "x" * 9_000), f"200 OK: {'x' * 199}…"),
        (answer("200 OK", "got T0PATHS3CRET"), "200 OK: got ***"),
        (says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"), "200 OK"),  # breaks off
        (says("HTTP/1.0 200 OK\r\n\r\ndone"), "200 OK: done"),
    ],
)
def test_what_is_taken_is_told_in_the_other_sides_words(act: Any, told: str) -> None:
    with Receiver([act]) as receiver:
        assert send(receiver).text.startswith(told)


def test_what_was_sent_is_one_post_with_its_headers() -> None:
    with Receiver([answer("204 No Content")]) as receiver:
        send(receiver)
        (request,) = receiver.requests
    assert request.line == "POST /hooks/T0PATHS3CRET?token=qu3rys3cret HTTP/1.1"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.headers["user-agent"].startswith("fluxd/")


@pytest.mark.parametrize(
    ("status", "retry", "mend"),
    [
        ("400 Bad Request", False, "does not understand the message"),
        ("401 Unauthorized", False, "check the token, or user and password"),
        ("403 Forbidden", False, "that it may post there"),
        ("404 Not Found", False, "check the address"),
        ("405 Method Not Allowed", False, "takes no POST"),
        ("408 Request Timeout", True, "too slow"),
        ("409 Conflict", True, "does not take the message"),
        ("410 Gone", False, "make a new one"),
        ("413 Content Too Large", False, "raise its limit"),
        ("418 I'm a Teapot", False, "does not take the message"),
        ("425 Too Early", True, "does not take the message"),
        ("429 Too Many Requests", True, "fewer messages"),
        ("500 Internal Server Error", True, "see that service's own log"),
        ("502 Bad Gateway", True, "on its side"),
        ("503 Service Unavailable", True, "on its side"),
        ("599 Odd", True, "on its side"),
    ],
)
def test_each_status_is_told_with_its_mend(status: str, retry: bool, mend: str) -> None:  # noqa: FBT001
    echo = answer(status, '{"error": "at /hooks/T0PATHS3CRET with b3arers3cret"}')
    with Receiver([echo]) as receiver:
        error = fault(receiver)
    assert error.retry is retry
    assert f"http://127.0.0.1:{receiver.port} answers {status[:3]}" in error.reason
    assert mend in error.reason
    assert '(it says: {"error": "at *** with ***"})' in error.reason


@pytest.mark.parametrize(
    ("given", "least", "most"),
    [
        ("120", 120, 120),
        (" 0 ", 0, 0),
        ("999999999999", MOST_RETRY_AFTER_S, MOST_RETRY_AFTER_S),
        (email.utils.formatdate(time.time() + 300, usegmt=True), 1, 300),
        (email.utils.formatdate(0, usegmt=True), 0, 0),
    ],
    # A date as a name would be another one in another process a second later.
    ids=["seconds", "none", "too many", "a date", "a date gone by"],
)
def test_a_server_says_how_long_it_wants_to_be_left_alone(
    given: str, least: float, most: float
) -> None:
    with Receiver([answer("429 Too Many Requests", "", f"Retry-After: {given}")]) as receiver:
        error = fault(receiver)
    assert error.retry_after_s is not None
    assert least <= error.retry_after_s <= most


@pytest.mark.parametrize("given", ["soon", "-5", "Tue, 99 Nov 2026 99:99:99 GMT", "1e3", "²"])
def test_a_retry_after_that_says_nothing_is_none(given: str) -> None:
    with Receiver([answer("503 Service Unavailable", "", f"Retry-After: {given}")]) as receiver:
        assert fault(receiver).retry_after_s is None


def test_a_redirect_is_told_and_not_followed() -> None:
    with Receiver([answer("204 No Content")]) as other:
        moved = answer("307 Temporary Redirect", "", f"Location: {other.url}")
        with Receiver([moved]) as receiver:
            error = fault(receiver)
        assert not other.requests
    assert not error.retry
    assert f"it has moved, to http://127.0.0.1:{other.port}: enter the new address" in error.reason


@pytest.mark.parametrize("location", ["/login", "//x", "javascript:x", "", "http://[x"])
def test_a_redirect_to_nowhere_in_particular(location: str) -> None:
    with Receiver([answer("302 Found", "", f"Location: {location}")]) as receiver:
        assert "it redirects, perhaps to a sign-in page" in fault(receiver).reason


@pytest.mark.parametrize(
    "act",
    [
        hangs,
        drips(),
        drips("HTTP/1.1 "),
        drips("HTTP/1.1 200 OK"),
        drips("HTTP/1.1 200 OK\r\nx: "),
    ],
)
def test_a_server_that_never_answers_holds_nobody(act: Any) -> None:
    with Receiver([act]) as receiver:
        error = fault(receiver, SOON_S)
    assert error.retry
    at = f"127.0.0.1:{receiver.port}"
    assert f"{at} took the connection but did not answer within 1 s" in error.reason


def test_an_answer_that_drips_on_behind_its_headers_counts_all_the_same() -> None:
    with Receiver([drips("HTTP/1.1 200 OK\r\n\r\n")]) as receiver:
        assert send(receiver, SOON_S).text.startswith("200 OK")


def test_a_server_that_hangs_in_tls_holds_nobody() -> None:
    with Receiver([hangs], greets=True) as receiver:
        error = fault_at(f"https://127.0.0.1:{receiver.port}/", SOON_S)
    assert "did not answer within 1 s" in error.reason


def test_a_connection_that_is_dropped_may_be_tried_again() -> None:
    with Receiver([drops]) as receiver:
        error = fault(receiver)
    assert error.retry
    assert "closed the connection without an answer" in error.reason


def test_what_is_no_http_is_told_so() -> None:
    with Receiver([says("220 mail.example.org ESMTP\r\n")]) as receiver:
        error = fault(receiver)
    assert not error.retry
    assert f"what answers at 127.0.0.1:{receiver.port} is no HTTP server" in error.reason


def test_a_port_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    error = fault_at(f"http://127.0.0.1:{port}/x")
    assert error.retry
    assert f"127.0.0.1:{port} refuses the connection: check host and port" in error.reason


def full() -> tuple[socket.socket, list[socket.socket]]:
    """Return a socket that listens and takes no more connections, as a firewall that drops."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    waiting = []
    for _ in range(4):
        one = socket.socket()
        one.settimeout(0.0)
        one.connect_ex(listening.getsockname())
        waiting.append(one)
    return listening, waiting


def test_an_address_that_swallows_packets() -> None:
    listening, waiting = full()
    error = fault_at(f"http://127.0.0.1:{listening.getsockname()[1]}/", SOON_S)
    for one in (listening, *waiting):
        one.close()
    assert error.retry
    assert "within 1 s: check host and port, and firewalls between" in error.reason


def test_an_address_that_swallows_packets_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listening, waiting = full()
    with Receiver([answer("204 No Content")]) as receiver:
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, 0, "", one)
            for one in (listening.getsockname(), ("127.0.0.1", receiver.port))
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert send_to("http://two.example.org/", 2.0).text == "204 No Content"
    for one in (listening, *waiting):
        one.close()


def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = fault_at("https://hooks.exmaple.org/x")
    assert error.retry
    assert error.reason.startswith("the name hooks.exmaple.org has no address: check its spelling")


def test_a_resolver_that_hangs_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait() and [])
    error = fault_at("https://hooks.example.org/x", SOON_S)
    over.set()
    assert error.reason.startswith("the address of hooks.example.org was not found within 1 s")


@pytest.mark.usefixtures("trusted")
def test_tls_of_a_trusted_authority(tls: ssl.SSLContext) -> None:
    with Receiver([answer("204 No Content")], tls=tls) as receiver:
        assert send(receiver).text == "204 No Content"
        assert receiver.requests[0].headers["host"] == f"127.0.0.1:{receiver.port}"


def test_tls_of_an_unknown_authority(tls: ssl.SSLContext) -> None:
    with Receiver([answer("204 No Content")], tls=tls) as receiver:
        error = fault(receiver)
        assert not receiver.requests
    assert f"the certificate of 127.0.0.1:{receiver.port} is not trusted (" in error.reason
    assert "update-ca-certificates" in error.reason


@pytest.mark.usefixtures("trusted")
def test_tls_of_another_name(tls_of_another: ssl.SSLContext) -> None:
    with Receiver([answer("204 No Content")], tls=tls_of_another) as receiver:
        error = fault(receiver)
    assert "IP address mismatch" in error.reason


def test_a_port_that_speaks_no_tls() -> None:
    with Receiver([says("HTTP/1.1 400 Bad Request\r\n\r\n")], greets=True) as receiver:
        error = fault_at(f"https://127.0.0.1:{receiver.port}/")
    assert "check that the port is TLS's" in error.reason


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with Receiver([answer("204 No Content")]) as receiver:
        assert send(receiver).text == "204 No Content"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(errno.EPERM, "Operation not permitted"), "IPAddressDeny= in the service"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "there is no way to example.org:1"),
        (OSError(errno.EMFILE, "Too many open files"), "failed: Too many open files"),
        (ssl.SSLEOFError(8, "EOF"), "closed the connection during TLS"),
        (UnicodeError("label too long"), "the name example.org has no address"),
    ],
)
def test_faults_that_no_loopback_server_makes(error: Exception, told: str) -> None:
    assert told in connection_fault(error, "example.org", 1, Deadline(60.0)).reason
