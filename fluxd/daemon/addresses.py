"""Settings that name hosts: where to listen, and under which names pages are shown."""

import ipaddress
import json
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\.?")
_LAST_PORT = 65_535

# Addresses to listen on that are none to go to.
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  # they are looked for, not listened on


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. `str(address)` is what was read, an IPv6 host in brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HostPort:
    """`HOST:PORT`; HOST a name, an IPv4 address, or an IPv6 address in brackets."""

    wants: str = (
        f"HOST:PORT such as 127.0.0.1:3589 or [::1]:3589, the port from 0 (any free one) "
        f"to {_LAST_PORT}"
    )

    def read(self, given: object) -> Address:
        """Return the address of a TOML string."""
        if not isinstance(given, str):
            raise ValueError(given)  # noqa: TRY004  # one refusal for all kinds
        return self.read_text(given)

    def read_text(self, given: str) -> Address:
        """Return the address that the text names."""
        host, colon, port = given.rpartition(":")
        if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > _LAST_PORT:
            raise ValueError(given)
        if host.startswith("[") and host.endswith("]"):
            return Address(str(ipaddress.IPv6Address(host[1:-1])), int(port))
        if re.fullmatch(r"[0-9.]+", host):
            return Address(str(ipaddress.IPv4Address(host)), int(port))
        if not _HOST_NAME.fullmatch(host):
            raise ValueError(given)
        return Address(host, int(port))

    def show(self, value: object) -> str:
        """Return `value` as TOML."""
        return f'"{value}"'


@dataclass(frozen=True, slots=True)
class HostNames:
    """Names and addresses of hosts, without ports."""

    wants: str = (
        'a list of host names or addresses without a port, such as ["flux.example.org"] '
        "(separated by commas in a variable)"
    )

    def read(self, given: object) -> tuple[str, ...]:
        """Return the names in a TOML array of strings."""
        if not isinstance(given, list):
            raise ValueError(given)  # noqa: TRY004  # one refusal for all kinds
        return tuple(_host(name) for name in given)

    def read_text(self, given: str) -> tuple[str, ...]:
        """Return the names between commas, or those of an array as TOML has it."""
        if given.startswith(("[]", '["')):
            return self.read(json.loads(given))
        return self.read([name.strip() for name in given.split(",")] if given.strip() else [])

    def show(self, value: object) -> str:
        """Return `value` as TOML.

        >>> HostNames().show(("flux.example.org",))
        '["flux.example.org"]'
        """
        names = value if isinstance(value, tuple) else ()
        return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def _host(name: object) -> str:
    """Return a host's name or address, an IPv6 one without brackets. Raises ValueError."""
    if not isinstance(name, str):
        raise ValueError(name)  # noqa: TRY004  # one refusal for all kinds
    if ":" in name:
        return str(ipaddress.IPv6Address(name.removeprefix("[").removesuffix("]")))
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(name)
    return name


@dataclass(frozen=True, slots=True)
class Url:
    """Where people find the pages, without a path; "" for the address that is listened on."""

    wants: str = 'an address such as "https://flux.example.org", or "" for the one of listen'

    def read(self, given: object) -> str:
        """Return the address in a TOML string, without a slash at its end."""
        if not isinstance(given, str):
            raise ValueError(given)  # noqa: TRY004  # one refusal for all kinds
        parts = urlsplit(given)
        if given and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError(given)
        if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError(given)
        return given.rstrip("/")

    def read_text(self, given: str) -> str:
        """Return the address."""
        return self.read(given)

    def show(self, value: object) -> str:
        """Return `value` as TOML."""
        return f'"{value}"'


def hosts_of(listen: Address, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names and addresses under which pages are shown, loopback's apart."""
    return hosts if listen.host in EVERYWHERE else (*hosts, listen.host)
