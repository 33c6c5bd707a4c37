"""Texts in pages: names as a step of an address, none that looks like what it is not, and times."""

import calendar
import re
import time
import unicodedata
from collections.abc import Iterator
from urllib.parse import quote

# Format characters turn the direction of what follows, or are not seen at all.
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
# As sentences write a time of UTC; one by another clock says no zone and stays as it is.
_MOMENT = re.compile(r"\d{2}:\d{2} UTC on \d{4}-\d{2}-\d{2}", re.ASCII)

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def path(name: str) -> str:
    """Return a name as one step of a path.

    >>> path("disk./var.50%")
    'disk.%2Fvar.50%25'
    """
    return quote(name, safe="")


def visible(text: str) -> str:
    """Return a text in which every character is seen.

    >>> visible("cpu" + chr(0x202E) + "gpj") == "cpu" + REPLACEMENT + "gpj"
    True
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        REPLACEMENT if unicodedata.category(character) in _UNSEEN else character
        for character in text
    )


def moments(text: str) -> Iterator[tuple[str, int | None]]:
    """Give a sentence in pieces, each with its time (Unix s) where it is one, else None.

    >>> list(moments("43 at 14:06 UTC on 2026-11-03, low"))
    [('43 at ', None), ('14:06 UTC on 2026-11-03', 1793714760), (', low', None)]
    """
    end = 0
    for match in _MOMENT.finditer(text):
        try:
            at = calendar.timegm(time.strptime(match[0], "%H:%M UTC on %Y-%m-%d"))
        except ValueError:  # such as 99:99
            continue
        yield text[end : match.start()], None
        yield match[0], at
        end = match.end()
    yield text[end:], None
