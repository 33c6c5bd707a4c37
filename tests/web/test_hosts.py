import pytest

from fluxd.web.hosts import Hosts

OURS = Hosts(["flux.example.org", "192.0.2.7", "2001:db8::7"])


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST:3589", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:3589"),
        *("flux.example.org", "flux.example.org.", "192.0.2.7:3589", "[2001:DB8::7]:1"),
    ],
)
def test_loopback_and_named_hosts_are_ours(host: str) -> None:
    assert OURS.allow(host)
    assert OURS.allow_origin(f"http://{host}")


@pytest.mark.parametrize(
    "host",
    [
        *(None, "", " ", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("127.1", "0.0.0.1", "192.0.2.8", "[::2]", "[", "localhost:", "localhost:x", "a b"),
        *("localhost/", "x@localhost", "localhost,evil.example", "localhost\n", "[localhost]"),
    ],
)
def test_all_others_are_not(host: str | None) -> None:
    assert not OURS.allow(host)
    if host is not None:
        assert not OURS.allow_origin(host)


def test_a_request_without_an_origin_is_no_foreign_one() -> None:
    assert OURS.allow_origin(None)
    assert not OURS.allow_origin("null")
    assert not OURS.allow_origin("")
