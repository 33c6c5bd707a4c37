"""Metric names in pages: as a step of an address, and so that none looks like what it is not."""

import unicodedata
from urllib.parse import quote

# Format characters turn the direction of what follows, or are not seen at all.
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
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
