"""The sentence that says why something is an anomaly, with its numbers, as a person would write it.

It is made from the evidence alone, so that it can be told again when all else has been pruned.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

Evidence: TypeAlias = Mapping[str, Any]
Day: TypeAlias = tuple[int, float, float]
"""Day number since 1970, lowest, highest."""

DAY_S, HOUR_S = 86_400, 3_600
LEAST_DIGITS, MOST_DIGITS = 3, 12
PLAIN_FROM, PLAIN_TO = 1e-4, 1e15  # outside, numbers are written with an exponent
EXACT_BELOW = 1e6  # whole numbers up to here are written in full
KEPT_DAYS = 28  # of lowest and highest values that the detector remembers
LAST_TIME = 253_402_300_799  # the end of the year 9999


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


def moment(timestamp: int) -> str:
    """Write a time in UTC.

    >>> moment(1793714700)
    '14:05 UTC on 2026-11-03'
    """
    if not 0 <= timestamp <= LAST_TIME:
        return f"timestamp {timestamp}"
    return datetime.fromtimestamp(timestamp, UTC).strftime("%H:%M UTC on %Y-%m-%d")


def span(seconds: float) -> str:
    """Write a length of time in whole days, hours or minutes.

    >>> span(21.2 * 86400), span(5400), span(86400)
    ('21 days', '90 minutes', '24 hours')
    """
    for unit, name in ((DAY_S, "days"), (HOUR_S, "hours")):
        if seconds >= 2 * unit:
            return f"{int(seconds // unit)} {name}"
    minutes = max(1, int(seconds // 60))
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


def extreme_for(value: float, days: Sequence[Day], *, up: bool) -> int | None:
    """Return the age in days of the last day that had such a value; None where none had.

    `days` is newest first, its first entry is the day of the datapoint itself.

    >>> extreme_for(5.0, [(20, 7.0, 9.0), (19, 6.0, 9.0), (17, 4.0, 9.0)], up=False)
    3
    """
    for day, low, high in days:
        if (high >= value) if up else (low <= value):
            return days[0][0] - day
    return None


def record(value: float, evidence: Evidence, *, up: bool) -> str:
    """Say for how long no value was as high (low), or nothing where that is no news."""
    days: Sequence[Day] = evidence["days"]
    word = "Highest" if up else "Lowest"
    age = extreme_for(value, days, up=up)
    if age is not None:
        return f" {word} in {age} days." if age > 1 else ""
    known_s = evidence["known_s"]
    if known_s >= KEPT_DAYS * DAY_S:
        return f" {word} in more than {KEPT_DAYS - 1} days."
    return f" {word} of all {evidence['known']:,} datapoints in {span(known_s)}."


def usual(lower: float, upper: float, evidence: Evidence, width: float) -> str:
    """Say where the value was expected; no negative bound for what was never negative."""
    if lower <= evidence["lowest"] == evidence["highest"] <= upper:
        return f"{number(evidence['lowest'], width)}, as always so far"
    if lower < 0.0 <= evidence["lowest"] and upper > 0.0:
        return f"at most {number(upper, width)}"
    return f"between {number(lower, width)} and {number(upper, width)}"


def sentence(
    kind: str,
    *,
    peak: int,
    value: float,
    band: tuple[float, float, float],
    evidence: Evidence,
) -> str:
    """Say what happened and why it is remarkable.

    `band` is (lower, expected, upper) at the peak. `evidence` needs `lowest`, `highest` and `days`
    (before the anomaly), `known` (datapoints before it) and `known_s` (their span).

    >>> print(sentence(
    ...     "drop", peak=1793714700, value=43.0, band=(180.0, 220.0, 260.0),
    ...     evidence={"lowest": 150.0, "highest": 300.0, "known": 30240, "known_s": 1814400,
    ...               "days": [(20760, 160.0, 290.0), (20740, 40.0, 300.0)]}))
    43 at 14:05 UTC on 2026-11-03; expected between 180 and 260. Lowest in 20 days.
    """
    lower, expected, upper = band
    width = upper - lower
    what = f"{number(value, width)} at {moment(peak)}"
    if kind == "unusual pattern":
        return (
            f"{what} is not remarkable by itself (expected {usual(lower, upper, evidence, width)}),"
            " but the last few datapoints together are unlike anything this metric did in "
            f"{span(evidence['known_s'])}."
        )
    up = value > expected
    told = f"{what}; expected {usual(lower, upper, evidence, width)}."
    if kind == "level shift":
        told += f" It then stayed {'higher' if up else 'lower'}: a level shift."
    return told + record(value, evidence, up=up)
