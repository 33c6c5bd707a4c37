"""Under which names the pages may be asked for.

A name on the Internet can be made to point at 127.0.0.1 (DNS rebinding): a page of somebody else's
that was loaded under it could then read ours in the name of whoever is signed in. The browser says
in the header Host which name it went by, so names that aren't known get no page, and their cookies
are not looked at. A key in a header needs no such check: no browser adds one by itself.
"""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?", re.ASCII)


class Hosts:
    """The names and addresses that are ours: loopback, where we listen, and `server.hosts`."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {_plain(name) for name in names}

    def allow(self, header: str | None) -> bool:
        """Whether a Host header names this daemon; its port is not looked at.

        >>> hosts = Hosts(["flux.example.org"])
        >>> [hosts.allow(name) for name in ("localhost:3589", "[::1]:1", "Flux.Example.org")]
        [True, True, True]
        >>> [hosts.allow(name) for name in ("evil.example", "localhost.evil.example", "", None)]
        [False, False, False, False]
        """
        match = _HOST.fullmatch(header or "")
        if match is None:
            return False
        name = _plain(match[1])
        return name in self._names or _is_loopback(name)

    def allow_origin(self, header: str | None) -> bool:
        """Whether an Origin header, where there is one, names this daemon."""
        if header is None:
            return True
        try:
            address = urlsplit(header)
        except ValueError:
            return False
        return address.scheme in ("http", "https") and self.allow(address.netloc)


def _plain(name: str) -> str:
    """Return a name as it's compared: in lower case, without a last dot and brackets."""
    return name.lower().rstrip(".").strip("[]")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
