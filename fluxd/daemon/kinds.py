"""What a setting may hold: each kind reads a TOML value or a variable's text, or refuses it.

`read` and `read_text` raise ValueError for what the kind does not take; `wants` is the half
sentence that follows "it must be" in the message, with bounds and unit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fluxd.daemon.timezone import zone_exists

# Seconds; a year is 365 days.
_DURATIONS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "y": 31_536_000}

# Bytes; units of a thousand as disks are sold, of 1,024 as memory is.
_SIZES = {
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}
_MEASURE = re.compile(r"([0-9]{1,15}) ?([A-Za-z]*)", re.ASCII)


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
class Duration:
    """A time from `low` to `high` seconds, both included: `"30d"`, or a whole number of seconds."""

    low: int
    high: int

    @property
    def wants(self) -> str:
        """What follows "it must be"."""
        return (
            f"a time from {self.show(self.low)} to {self.show(self.high)}: "
            'a number with a unit (s m h d w y), such as "90m", "12h" or "30d", or whole seconds'
        )

    def read(self, given: object) -> int:
        """Return the seconds of a TOML integer or string."""
        if isinstance(given, str):
            return self.read_text(given)
        return Whole(self.low, self.high, "seconds").read(given)

    def read_text(self, given: str) -> int:
        """Return the seconds that the text says; a bare number is seconds."""
        return self.read(_measured(given, _DURATIONS))

    def show(self, value: object) -> str:
        """Return `value` as TOML, in the largest unit that fits; days are more usual than weeks.

        >>> Duration(0, 10**9).show(14 * 86_400)
        '"14d"'
        """
        return _in_units(value, {unit: _DURATIONS[unit] for unit in "smhdy"})


@dataclass(frozen=True, slots=True)
class Size:
    """A size of `low` bytes or more, `"20GB"` or a whole number of bytes; or 0, which is `zero`."""

    low: int
    zero: str

    @property
    def wants(self) -> str:
        """What follows "it must be"."""
        return (
            f"0 ({self.zero}) or a size from {self.show(self.low)} on: "
            'a number with a unit (kB MB GB TB KiB MiB GiB TiB), such as "500MiB" or "20GB", '
            "or whole bytes"
        )

    def read(self, given: object) -> int:
        """Return the bytes of a TOML integer or string."""
        if isinstance(given, str):
            return self.read_text(given)
        return 0 if type(given) is int and given == 0 else self._bounded.read(given)

    def read_text(self, given: str) -> int:
        """Return the bytes that the text says; a bare number is bytes."""
        return self.read(_measured(given, _SIZES))

    def show(self, value: object) -> str:
        """Return `value` as TOML, in the largest unit that fits.

        >>> Size(1, "none").show(16 << 20)
        '"16MiB"'
        """
        return _in_units(value, _SIZES)

    @property
    def _bounded(self) -> Whole:
        return Whole(self.low, 1 << 60, "bytes")


def _measured(text: str, units: Mapping[str, int]) -> int:
    """Return a number with one of `units` in the smallest of them. Raises ValueError."""
    match = _MEASURE.fullmatch(text)
    if match is None or (match[2] and match[2] not in units):
        raise ValueError(text)
    return int(match[1]) * (units[match[2]] if match[2] else 1)


def _in_units(value: object, units: Mapping[str, int]) -> str:
    """Return `value` as TOML: in the unit that leaves the smallest whole number."""
    amount = int(str(value))
    if amount == 0:
        return "0"
    unit = max((unit for unit in units if amount % units[unit] == 0), key=units.__getitem__)
    return f'"{amount // units[unit]}{unit}"'


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
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def wants(self) -> str:
        """What follows "it must be"."""
        *others, last = (f'"{word}"' for word in self.words)
        return f"{', '.join(others)} or {last}"

    def read(self, given: object) -> str:
        """Return the word of a TOML string."""
        if given not in self.words:
            raise ValueError(given)
        return str(given)

    def read_text(self, given: str) -> str:
        """Return the word."""
        return self.read(given)

    def show(self, value: object) -> str:
        """Return `value` as TOML."""
        return f'"{value}"'


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone by its name, or `"system"`."""

    wants: str = (
        '"system" or the name of a time zone that this machine knows, such as "Europe/Berlin" '
        "(`timedatectl list-timezones` lists them; Debian has them in the package tzdata)"
    )

    def read(self, given: object) -> str:
        """Return the name in a TOML string."""
        if not isinstance(given, str) or not zone_exists(given):
            raise ValueError(given)
        return given

    def read_text(self, given: str) -> str:
        """Return the name."""
        return self.read(given)

    def show(self, value: object) -> str:
        """Return `value` as TOML."""
        return f'"{value}"'
