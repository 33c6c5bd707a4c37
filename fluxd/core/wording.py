"""Numbers, times and lengths of time as a person would write them."""

import math
from datetime import UTC, datetime, timedelta

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400
LEAST_DIGITS, MOST_DIGITS = 3, 12
PLAIN_FROM, PLAIN_TO = 1e-4, 1e15  # outside, numbers are written with an exponent
EXACT_BELOW = 1e6  # whole numbers up to here are written in full
LARGE = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"))
LARGE_DECIMALS = 4  # at most; a number with more is written in digits
LAST_TIME = 253_402_300_799  # the end of the year 9999

# Lengths of time are told in the largest unit of which there are so many; from so many on it is
# told how many there are.
ENOUGH = 2


def number(value: float, width: float = math.nan) -> str:
    """Write a number so that a difference of a hundredth of `width` would still be seen.

    >>> number(43.0), number(0.3333333), number(1234567.8), number(0.0000012345)
    ('43', '0.333', '1,230,000', '1.23e-06')
    >>> number(1234567.8, width=40.0), number(99.98, width=0.5)
    ('1,234,567.8', '99.98')
    """
    size = abs(value)
    if size < EXACT_BELOW and value == int(value):
        return f"{int(value):,}"
    digits = LEAST_DIGITS
    if width > 0.0:
        digits += max(0, math.ceil(math.log10(max(size / width, 1.0))))
    digits = min(digits, MOST_DIGITS)
    if not PLAIN_FROM <= size < PLAIN_TO:
        return f"{value:.{digits - 1}e}"
    decimals = digits - 1 - math.floor(math.log10(size))
    text = f"{round(value, decimals):,.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rough(value: float, width: float) -> str:
    """Write a number that is none of the datapoints: no finer than the eye could see in `width`.

    >>> rough(180.4321, 80.0), rough(0.18043, 0.08), rough(119.97, 140.0), rough(1e9 + 7, 400.0)
    ('180', '0.18', '120', '1,000,000,010')
    """
    if not width > 0.0 or not math.isfinite(width):
        return number(value)
    decimals = 1 - math.floor(math.log10(width / 2.0))  # to a 20th of the width, or finer
    rounded = round(value, decimals) + 0.0  # no "-0"
    if abs(rounded) >= PLAIN_TO or 0.0 < abs(rounded) < PLAIN_FROM:
        return number(rounded)
    text = f"{rounded:,.{max(decimals, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def large(text: str) -> str:
    """Write a number that `number` or `rough` wrote as a sentence says it: 2.38 billion.

    >>> large("2,380,000,000"), large("-11,801,000"), large("1,000,000,010"), large("999,000")
    ('2.38 billion', '-11.801 million', '1,000,000,010', '999,000')
    """
    digits = text.lstrip("-").replace(",", "")
    if not digits.isdecimal():
        return text
    for unit, name in LARGE:
        whole, rest = divmod(int(digits), unit)
        decimals = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0")
        if whole and len(decimals) <= LARGE_DECIMALS:
            sign = "-" if text.startswith("-") else ""
            return f"{sign}{whole:,}{'.' if decimals else ''}{decimals} {name}"
    return text


def moment(timestamp: int, offset: int = 0) -> str:
    """Write a time by a local clock that is `offset` seconds ahead of UTC; UTC says that it is.

    >>> moment(1793714700), moment(1793714700, offset=7200)
    ('14:05 UTC on 2026-11-03', '16:05 on 2026-11-03')
    """
    clock = _clock(timestamp, offset)
    if clock is None:
        return f"timestamp {timestamp}"
    return clock.strftime("%H:%M on %Y-%m-%d" if offset else "%H:%M UTC on %Y-%m-%d")


def later(timestamp: int, other: int, offset: int = 0) -> str:
    """Write another time after `timestamp` was written: its day only where it is not the same.

    >>> later(1793714700, 1793718300), later(1793714700, 1793718300, offset=7200)
    ('15:05', '17:05')
    >>> later(1793714700, 1793804700)
    '15:05 UTC on 2026-11-04'
    """
    first, second = _clock(timestamp, offset), _clock(other, offset)
    if first is None or second is None or first.date() != second.date():
        return moment(other, offset)
    return second.strftime("%H:%M")


def weekday(timestamp: int, offset: int = 0) -> str:
    """Return the name of a local day.

    >>> weekday(1793714700), weekday(1793714700, offset=36_000)
    ('Tuesday', 'Wednesday')
    """
    clock = _clock(timestamp, offset)
    return "day" if clock is None else clock.strftime("%A")


def _clock(timestamp: int, offset: int) -> datetime | None:
    if not DAY_S <= timestamp <= LAST_TIME - DAY_S:
        return None
    return datetime.fromtimestamp(timestamp, UTC) + timedelta(seconds=offset)


def span(seconds: float) -> str:
    """Write a length of time in whole days, hours, minutes or seconds.

    >>> span(21.2 * 86400), span(5400), span(86400), span(60), span(45)
    ('21 days', '90 minutes', '24 hours', '1 minute', '45 seconds')
    """
    for unit, name in ((DAY_S, "day"), (HOUR_S, "hour"), (MINUTE_S, "minute")):
        if seconds >= ENOUGH * unit:
            return f"{int(seconds // unit)} {name}s"
    if seconds >= MINUTE_S:
        return "1 minute" if seconds < MINUTE_S + 1 else f"{int(seconds)} seconds"
    return f"{max(1, round(seconds))} second{'s' if seconds >= ENOUGH else ''}"


def ordinal(count: int) -> str:
    """Write a place in an order.

    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '102nd', '111th']
    """
    teen = count // 10 % 10 == 1
    return f"{count}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(count % 10, 'th')}"
