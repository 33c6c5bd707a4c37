"""Query parameters: read strictly, and refused in words that say what would be accepted."""

import json
import re
from collections.abc import Sequence
from typing import TypeVar

import falcon

from fluxd.core.errors import BadRequestError

# Rows of one page of a list.
LIMIT = 100
MAX_LIMIT = 1_000

# Unix s with 10 digits, as ingestion accepts them.
MAX_SECOND = 9_999_999_999

# Ids and offsets: SQLite's largest integer.
MAX_INTEGER = (1 << 63) - 1

Word = TypeVar("Word", bound=str)

# Of what was given, this much is shown again.
MAX_SHOWN = 100

_INTEGER = re.compile(r"[0-9]{1,19}", re.ASCII)
_DECIMAL = re.compile(
    r"([0-9]{1,19}(\.[0-9]{0,40})?|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?", re.ASCII
)


class Parameters:
    """The query parameters of a request, of which only `names` may be there.

    Each accessor returns None for one that isn't given, and raises BadRequestError for one that is
    given twice, empty, malformed or out of its bounds.
    """

    def __init__(self, req: falcon.Request, *names: str) -> None:
        self._given = req.params
        for name in self._given:
            if name not in names:
                raise BadRequestError(
                    f"unknown parameter - {_shown(name)} - use {' '.join(names) or 'none'}"
                )

    def text(self, name: str, *, longest: int) -> str | None:
        """Return a parameter as it is, at most `longest` characters."""
        given = self._one(name)
        if given is not None and not 1 <= len(given) <= longest:
            raise _invalid(name, given, f"must have 1 to {longest} characters")
        return given

    def choice(self, name: str, choices: Sequence[Word]) -> Word | None:
        """Return a parameter that must be one of a few words."""
        given = self._one(name)
        if given is None:
            return None
        for word in choices:
            if word == given:
                return word
        raise _invalid(name, given, f"must be one of {', '.join(choices)}")

    def integer(self, name: str, *, least: int, most: int) -> int | None:
        """Return an integer in [least, most]; `least` is 0 or more."""
        given = self._one(name)
        if given is None:
            return None
        number = int(given) if _INTEGER.fullmatch(given) else -1
        if not least <= number <= most:
            raise _invalid(name, given, f"must be an integer from {least} to {most}")
        return number

    def decimal(self, name: str, *, least: float, most: float) -> float | None:
        """Return a number in [least, most]; `least` is 0 or more."""
        given = self._one(name)
        if given is None:
            return None
        number = float(given) if _DECIMAL.fullmatch(given) else -1.0
        if not least <= number <= most:
            raise _invalid(name, given, f"must be a number from {least:g} to {most:g}")
        return number

    def second(self, name: str) -> int | None:
        """Return a time in Unix seconds."""
        return self.integer(name, least=0, most=MAX_SECOND)

    def limit(self) -> int:
        """Return how many rows a page may have."""
        return self.integer("limit", least=1, most=MAX_LIMIT) or LIMIT

    def _one(self, name: str) -> str | None:
        given = self._given.get(name)
        if isinstance(given, list):
            raise BadRequestError(f"invalid {name} - given {len(given)} times - give it once")
        return given


def check_order(since: int | None, until: int | None) -> None:
    """Raise BadRequestError for a range that ends before it begins."""
    if since is not None and until is not None and since > until:
        raise BadRequestError(f"invalid from - {since} - from must not be after to, {until}")


def _invalid(name: str, given: str, rule: str) -> BadRequestError:
    return BadRequestError(f"invalid {name} - {_shown(given)} - {name} {rule}")


def _shown(text: str) -> str:
    return json.dumps(text[:MAX_SHOWN], ensure_ascii=False)
