"""JSON as strict as RFC 8259, with every number kept as the text that was sent.

The contract's messages show numbers as they were sent, so none may pass through a Python number on
the way: 1e999, 0.10 and an integer of 10,000 digits all come back as they came. Strictness beyond
the standard library: UTF-8 only, no NaN or Infinity, no lone surrogates, bounded nesting. Of
members with the same name the last one stands.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NoReturn

from fluxd.core.errors import BadRequestError

INVALID_JSON = "invalid json data"
MAX_NESTING = 64  # levels of lists and objects, the outermost included; a good body needs 3
MAX_SHOWN = 100  # characters of a value in a message

# A number's text, ASCII. JSON has no byte strings, so the type alone tells numbers from strings,
# and `str.encode` as the decoder's hook takes a third off the time that a class of ours needs.
Number = bytes


def _refuse(token: str) -> NoReturn:
    raise ValueError(token)


_decoder = json.JSONDecoder(parse_int=str.encode, parse_float=str.encode, parse_constant=_refuse)

# An escaped half of a surrogate pair without its other half.
_lone_surrogate = re.compile(
    r"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
).search


def decode(body: bytes) -> object:
    """Return the JSON value: None, bool, str, Number, list or dict.

    Raises BadRequestError(INVALID_JSON).
    """
    try:
        text = body.decode()  # strict: no surrogates, no overlong forms; a BOM fails just below
        value: object = _decoder.decode(text)
    except (ValueError, RecursionError):  # of decoding UTF-8, of JSON, of 100,000 brackets
        raise BadRequestError(INVALID_JSON) from None
    # Escaped backslashes go first, so that each `\u` left is an escape and not a text about one.
    if "\\u" in text and _lone_surrogate(text.replace("\\\\", "  ")):
        raise BadRequestError(INVALID_JSON)
    if not _is_bounded(value):
        raise BadRequestError(INVALID_JSON)
    return value


def _is_bounded(value: object) -> bool:
    """Whether nothing lies deeper than MAX_NESTING; level by level, so without recursion."""
    level: list[Any] = [value] if isinstance(value, list | dict) else []
    for _ in range(MAX_NESTING):
        if not level:
            return True
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) is dict or type(child) is list
        ]
    return not level


_ANY_BYTE = bytes(range(256))
_NOT_STRUCTURE = bytes(byte for byte in _ANY_BYTE if byte not in b'"[]{}')
_AS_LISTS = bytes.maketrans(b"{}", b"[]")


def is_surely_bounded(body: bytes) -> bool:
    """Whether valid JSON nests at most MAX_NESTING deep, told from its bytes alone.

    Decodes nothing, so it takes a sixth of the time: strings without brackets shrink to a pair of
    quotes and vanish, then each round takes the innermost brackets away. Never True for deeper
    nesting; False also where a backslash or a bracket inside a string leaves doubt.
    """
    if b"\\" in body:
        return False
    brackets = body.translate(_AS_LISTS, _NOT_STRUCTURE).replace(b'""', b"")
    for _ in range(MAX_NESTING):
        if not brackets:
            return True
        brackets = brackets.replace(b"[]", b"")
    return not brackets


def json_text(value: object, limit: int = MAX_SHOWN) -> str:
    """Return the value as JSON text in ASCII, numbers as they were sent, cut at `limit` characters.

    ASCII because the reader has to see what was wrong: full-width digits and a no-break space look
    like good ones until they are written as escapes.
    """
    return "".join(islice(_pieces(value, limit), limit))[:limit]  # no piece is empty


def _pieces(value: object, limit: int) -> Iterator[str]:
    if isinstance(value, Number):
        yield value[:limit].decode()
    elif isinstance(value, str):
        yield json.dumps(value[:limit])  # encoding never shortens, so the cut is the same
    elif isinstance(value, list):
        yield "["
        for position, item in enumerate(value):
            if position:
                yield ", "
            yield from _pieces(item, limit)
        yield "]"
    elif isinstance(value, dict):
        yield "{"
        for position, (name, item) in enumerate(value.items()):
            if position:
                yield ", "
            yield json.dumps(name[:limit]) + ": "
            yield from _pieces(item, limit)
        yield "}"
    else:
        yield json.dumps(value)  # true, false or null
