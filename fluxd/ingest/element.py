"""One element of a request: its checks in the contract's order, with the contract's messages.

A value is what `strict_json.decode` gives, or a plain str from a query string. `show` writes one
into a message: as JSON text where JSON was sent, as it stands where it came in a URL.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from fluxd.core.errors import BadRequestError
from fluxd.core.names import name_fault
from fluxd.ingest.post import Window
from fluxd.ingest.strict_json import Number

Show = Callable[[object], str]


class _Missing:
    """The type of MISSING."""


MISSING: Final = _Missing()  # no such member; null is another thing

_ten_digits = re.compile(r"[1-9][0-9]{9}").fullmatch
_plain_decimal = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch


class Row(NamedTuple):
    """A checked element; `metric_id` is None for a metric that isn't known yet."""

    name: str
    metric_id: int | None
    timestamp: int
    value: float
    fill: bool


def read_element(
    element: Mapping[str, object],
    known: Mapping[str, int],
    prefix: str | None,
    window: Window,
    show: Show,
) -> Row:
    """Check name, then timestamp, then value; members beside those and `fill` are ignored.

    Raises BadRequestError with the message of the first fault.
    """
    name = element.get("metric")
    if not isinstance(name, str):
        raise BadRequestError("invalid metric")
    metric_id = known.get(name)
    if metric_id is None:
        fault = name_fault(name, prefix)
        if fault is not None:
            raise BadRequestError(fault)
    fill = is_true(element.get("fill"))
    timestamp = _read_timestamp(element.get("timestamp", MISSING), fill, window, show)
    value = _read_value(element.get("value", MISSING), show)
    return Row(name, metric_id, timestamp, value, fill)


def is_true(value: object) -> bool:
    """Whether it's `true` or `"true"`; all else, 1 and "True" included, is as good as absent."""
    return value is True or value == "true"


def _read_timestamp(sent: object, fill: bool, window: Window, show: Show) -> int:  # noqa: FBT001 - a datapoint's own member, not a mode
    if sent is MISSING:
        raise BadRequestError("invalid timestamp")
    text = _integer_text(sent)
    if text is None:
        fault = "timestamp is not an int"
    elif not _ten_digits(text):
        fault = "timestamp is not a valid current unix timestamp"
    else:
        timestamp = int(text)
        if timestamp > window.newest:
            fault = "timestamp is more than 1 minute in the future"
        elif timestamp < window.oldest and not fill:
            fault = f"timestamp is too old, older than {window.max_age} seconds"
        else:
            return timestamp
    raise BadRequestError(f"invalid timestamp - {show(sent)} - {fault}")


def _integer_text(sent: object) -> str | None:
    """Return the digits of a JSON integer, with its sign, or of a string of ASCII digits."""
    if isinstance(sent, Number):
        text = sent.decode()
        return None if "." in text or "e" in text or "E" in text else text
    if isinstance(sent, str) and sent.isascii() and sent.isdigit():
        return sent
    return None


def _read_value(sent: object, show: Show) -> float:
    if sent is MISSING:
        raise BadRequestError("no value parameter present")
    if isinstance(sent, list | dict):
        raise BadRequestError("invalid value data passed")
    if isinstance(sent, Number) or (isinstance(sent, str) and _plain_decimal(sent)):
        value = float(sent)
        if math.isfinite(value):
            return value
    raise BadRequestError(f"invalid value - {show(sent)}")
