"""The sentence that says why something is an anomaly, with its numbers, as a person would write it.

It is made from a `Story` alone, which is kept with the anomaly, so that it can be told again when
all else has been pruned.
"""

import math
from collections.abc import Sequence

from fluxd.core.detect import rows_between
from fluxd.core.story import Day, Story
from fluxd.core.wording import DAY_S, ENOUGH, large, number, ordinal, rough, span, weekday

YEAR_S = 365 * DAY_S
LONGEST_S = 10 * YEAR_S  # that an expectation is told of
KEPT_DAYS = 28  # of lowest and highest values that the detector remembers
LEVEL_GRAIN = 1.0  # of a level shift's size
OFTEN = 2 / 3  # share of its time from which a stretch was off to one side throughout


def odds(score: float, interval: float | None) -> str:
    """Say what a score means.

    >>> odds(0.25, 60.0), odds(0.5, 60.0)
    ('a datapoint this odd is expected about once in 28 days on this metric', \
'a datapoint this odd is expected less than once in 10 years on this metric')
    """
    rows = rows_between(score, interval)
    if not interval:
        return f"one datapoint in {rough(rows, rows)} is as odd"
    time_s = rows * interval
    often = f"about once in {span(time_s)}"
    if time_s >= ENOUGH * YEAR_S:
        often = f"about once in {int(time_s // YEAR_S)} years"
    if time_s > LONGEST_S:
        often = f"less than once in {LONGEST_S // YEAR_S} years"
    return f"a datapoint this odd is expected {often} on this metric"


def length_s(kind: str, started: int, ended: int, interval: float | None) -> float:
    """Return how long an anomaly lasted as its sentence counts: the last datapoint lasts, too.

    Not where it stood still: that is from the first such datapoint to the last.
    """
    return ended - started + (0.0 if kind == "flat line" else interval or 0.0)


def sentence(kind: str, story: Story, *, minor: bool = False) -> str:
    """Say what happened and why it is remarkable.

    >>> print(sentence("drop", Story(
    ...     started=1793714700, ended=1793716140, peak=1793714700, value=43.0, expected=220.0,
    ...     lower=180.0, upper=260.0, anomalous=25, interval=60.0, known=30240, known_s=1814400,
    ...     lowest=40.0, highest=300.0, days=[(20760, 160.0, 290.0), (20739, 40.0, 300.0)],
    ...     pattern="week", beyond=25, beyond_s=1440)))
    43 at 14:05 UTC on 2026-11-03, low for 25 minutes; on Tuesdays at this hour it lies between \
180 and 260. Lowest in 20 days.
    """
    tell = _KINDS.get(story.cause, _value)
    if kind == "level shift":
        tell = _shift
    elif kind == "unusual pattern" and tell is _value:
        tell = _pattern
    told = tell(story)
    if minor:
        told += f" {ordinal(story.place)} within a week on this metric: low severity."
    return told


def _value(story: Story) -> str:
    what = f"{story.measured(story.value)} at {story.at(story.peak)}{_duration(story)}"
    if story.constant:
        return f"{what}: first change after {_always(story)} at {story.measured(_only(story))}."
    return f"{what}; {usual(story)}.{record(story, up=story.value > story.expected)}"


def _shift(story: Story) -> str:
    old, new = story.old_level, story.new_level
    if old is None or new is None:
        return _value(story)
    was = story.measured(_only(story)) if story.constant else f"about {_level(story, old)}"
    # The mean of nothing but one value is that value.
    now = story.measured(new) if new == story.value else f"about {_level(story, new)}"
    told = (
        f"{'Rose' if new > old else 'Fell'} from {was} to {now} at"
        f" {story.at(story.started)} and stayed there"
    )
    if story.returned is not None:
        lasted = span(story.returned - story.started)
        told += f" for {lasted}, until {story.then(story.started, story.returned)}"
    elif story.ended is not None:
        told += ", which counts as usual now"
    if story.constant:
        return f"{told}: first change after {_always(story)}."
    return f"{told}.{record(story, up=new > old)}"


def _level(story: Story, level: float) -> str:
    """Write a level so that the shift's two can be told apart."""
    old, new = story.old_level, story.new_level
    size = abs((new or 0.0) - (old or 0.0))
    return large(rough(level, LEVEL_GRAIN * size)) + story.unit


def _pattern(story: Story) -> str:
    return (
        f"{story.measured(story.value)} at {story.at(story.peak)} is nothing by itself"
        f" ({usual(story)}), but the course of the last few datapoints is unlike any in"
        f" {_memory(story)}."
    )


def _course(story: Story) -> str:
    usually = {
        "week": f"at this hour of a {weekday(story.peak, story.offset)} it is about",
        "day": "at this time of day it is about",
        "": "it is usually about",
    }[story.pattern]
    off = abs(story.value - story.usual)
    began = int(story.lasted_at - story.lasted)
    value = story.measured(story.value)
    then = f"{usually} {large(rough(story.usual, off))}{story.unit}"
    if off < story.width / 2.0:
        # It is the hour as a whole that was off, and its last datapoint alone no longer shows it.
        return (
            f"The {span(story.lasted)} up to {story.at(story.lasted_at)} were, on average, unlike"
            f" this time of the week: {value} at {story.then(story.lasted_at, story.peak)}, where"
            f" {then}."
        )
    side = "High" if story.value > story.usual else "Low"
    return (
        f"{side} for {span(story.lasted)}, since {story.at(began)}: {value} at"
        f" {story.then(began, story.peak)}, where {then}."
    )


def _flat(story: Story) -> str:
    began = story.at(int(story.lasted_at - story.lasted))
    before = f"it usually stands still for no longer than {span(story.usual)}"
    if story.usual < 1.0:
        before = "it never stood still before"
    return (
        f"Exactly {story.measured(story.value)} for {span(story.lasted)}, since {began}; {before}."
    )


def _trend(story: Story) -> str:
    word = "risen" if story.limit >= story.value else "fallen"
    reached = story.then(story.peak, int(story.lasted_at + story.due))
    return (
        f"{story.measured(story.value)} at {story.at(story.peak)}: it has {word} steadily for"
        f" {span(story.lasted)}; at this pace it reaches {number(story.limit)} in about"
        f" {span(story.due)}, at {reached}."
    )


def _missing(story: Story) -> str:
    verb = "reach" if story.usual > story.value else "fall to"
    usually = large(rough(story.usual, abs(story.usual - story.value))) + story.unit
    return (
        f"Did not {verb} {usually} by {story.at(story.peak)}, as it did around this time on each of"
        f" the last days: {story.measured(story.value)} now."
    )


_KINDS = {
    "missing": _missing,
    "flat": _flat,
    "course": _course,
    "trend": _trend,
    "pattern": _pattern,
}


def _duration(story: Story) -> str:
    """Say for how long it was off, once that is over and was longer than a moment."""
    if story.ended is None or story.anomalous < ENOUGH:
        return ""
    side = "high" if story.value > story.expected else "low"
    lasted = story.beyond_s + story.interval
    if story.beyond >= ENOUGH and story.beyond * story.interval >= OFTEN * lasted:
        return f", {side} for {span(lasted)}"
    lasted = story.ended - story.started + story.interval
    if story.beyond < ENOUGH and lasted <= (story.anomalous + 1) * story.interval:
        return ""  # the others are its echo: by the forecast that it bent, the way back is odd
    return f", the farthest off of {story.anomalous} datapoints within {span(lasted)}"


def usual(story: Story) -> str:
    """Say where the value was expected, and what that rests on."""
    where = _where(story)
    if story.pattern == "week":
        return f"on {weekday(story.peak, story.offset)}s at this hour it {where}"
    if story.pattern == "day":
        return f"at this time of day it {where}"
    where = where.replace("lies between", "between").replace("is ", "")
    return f"expected {where} after the last datapoints"


def _where(story: Story) -> str:
    """Say the band in words; no negative bound for what was never negative."""
    if not math.isfinite(story.width):
        return f"is about {large(number(story.expected))}{story.unit}"
    lower, upper = story.bound(story.lower), story.bound(story.upper)
    if lower == upper:
        return f"is {lower}"
    if story.unsigned and story.lower <= 0.0 < story.upper:
        return f"is at most {upper}"
    return f"lies between {lower} and {upper}"


def _always(story: Story) -> str:
    """Say for how long there was no other value."""
    return _memory(story) if story.known_s >= DAY_S else f"{story.known:,} datapoints"


def _memory(story: Story) -> str:
    """Say how far back the metric's days are known."""
    if story.known_s >= KEPT_DAYS * DAY_S:
        return f"more than {KEPT_DAYS - 1} days"
    return span(story.known_s)


def _only(story: Story) -> float:
    """Return the value that a constant metric had; today's is the exact one."""
    return story.days[0][1]


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


def record(story: Story, *, up: bool) -> str:
    """Say for how long no value was as high (low), or nothing where that is no news.

    Of a day only its extremes are known, so the last such value may be of that day's last minute.
    """
    word = "Highest" if up else "Lowest"
    age = extreme_for(story.value, story.days, up=up)
    if age is not None:
        since_midnight = (story.started + story.offset) % DAY_S
        return f" {word} in {span((age - 1) * DAY_S + since_midnight)}." if age > 1 else ""
    if story.known_s >= KEPT_DAYS * DAY_S:
        return f" {word} in more than {KEPT_DAYS - 1} days."
    return f" {word} in {span(story.known_s)}."
