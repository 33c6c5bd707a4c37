"""What a setting may hold: each kind reads a TOML value or a variable's text, or refuses it.

`read` and `read_text` raise ValueError for what the kind does not take; `wants` is the half
sentence that follows "it must be" in the message, with bounds and unit.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Protocol

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*\.?")
_LAST_PORT = 65_535


class Kind(Protocol):
    """A setting's type, bounds and unit."""

    @property
    def wants(self) -> str:
        """What follows "it must be"."""

    def read(self, given: object) -> object:
        """Return the setting's value from a parsed TOML value."""

    def read_text(self, given: str) -> object:
        """Return the setting's value from an environment variable or an option."""

    def show(self, value: object) -> str:
        """Return `value` as TOML."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number of `unit` from `low` to `high`, both included."""

    low: int
    high: int
    unit: str

    @property
    def wants(self) -> str:
        """What follows "it must be"."""
        return f"a whole number of {self.unit} from {self.low} to {self.high}"

    def read(self, given: object) -> int:
        """Return a TOML integer within the bounds; a boolean is none, though Python's is."""
        if type(given) is not int or not self.low <= given <= self.high:
            raise ValueError(given)
        return given

    def read_text(self, given: str) -> int:
        """Return the decimal number within the bounds."""
        return self.read(int(given))

    def show(self, value: object) -> str:
        """Return `value` as TOML."""
        return str(value)


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false."""

    wants: str = "true or false"

    def read(self, given: object) -> bool:
        """Return a TOML boolean."""
        if not isinstance(given, bool):
            raise ValueError(given)  # noqa: TRY004  # one refusal for all kinds
        return given

    def read_text(self, given: str) -> bool:
        """Return what TOML would make of the text."""
        if given not in ("true", "false"):
            raise ValueError(given)
        return given == "true"

    def show(self, value: object) -> str:
        """Return `value` as TOML."""
        return str(value).lower()


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
