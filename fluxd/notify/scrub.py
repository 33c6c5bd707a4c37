"""Keeps secrets out of what people and logs are told.

The other side may repeat what it was sent, and libraries like to print addresses: whatever comes
from outside goes through `hide` before it becomes a reason or an answer.
"""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, unquote, urlsplit

HIDDEN = "***"
SNIPPET_CHARACTERS = 200

# Shorter parts of an address (`api`, `v1`, `hooks`) are words, and no secret worth its name.
LEAST_SECRET = 8

_WHITE = re.compile(r"\s+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def secrets_of(url: str) -> tuple[str, ...]:
    """Return what must not be shown of an address: all but scheme, host and port.

    >>> secrets_of("https://hooks.example.org/v1/T0AB12CD3?a=1")
    ('https://hooks.example.org/v1/T0AB12CD3?a=1', '/v1/T0AB12CD3', 'a=1', 'T0AB12CD3')
    """
    parts = urlsplit(url)
    pieces = [piece for piece in parts.path.split("/") if len(piece) >= LEAST_SECRET]
    pieces += [value for _, value in parse_qsl(parts.query) if len(value) >= LEAST_SECRET]
    path = parts.path if len(parts.path) >= LEAST_SECRET else ""
    found = (url, path, parts.query, *pieces, parts.username or "", parts.password or "")
    return tuple(dict.fromkeys(one for one in found if one))


def origin(url: str) -> str:
    """Return what may be shown of an address.

    >>> origin("https://user:pw@hooks.example.org:8443/services/T0AB12CD3?token=abc")
    'https://hooks.example.org:8443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return `text` with every secret replaced, as it is or percent-encoded, longest first."""
    forms = {form for one in secrets for form in (one, quote(one, safe=""), unquote(one)) if form}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def snippet(body: bytes | str, secrets: Iterable[str] = ()) -> str:
    r"""Return the beginning of an answer as one line that may be shown.

    >>> snippet(b"no such\nwebhook: s3cret", ["s3cret"])
    'no such webhook: ***'
    """
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    text = _CONTROL.sub("", _WHITE.sub(" ", hide(text, secrets))).strip()
    return text if len(text) <= SNIPPET_CHARACTERS else f"{text[: SNIPPET_CHARACTERS - 1]}…"
