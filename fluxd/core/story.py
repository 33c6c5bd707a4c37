"""The numbers behind an anomaly's sentence, and how finely and by which clock they are written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fluxd.core.detect import Cause
from fluxd.core.wording import large, later, moment, number, rough

Day: TypeAlias = tuple[int, float, float]
"""Day number since 1970, lowest, highest."""

SAME = 1e-6  # relative difference of days' extremes, which are kept in single precision
NOTHING = 1e-6  # of the metric's range
FINER = 6  # times that numbers are written finer, before they are told as they are


@dataclass(frozen=True, slots=True)
class Story:
    """The numbers behind a sentence; times in Unix s, lengths in s.

    The band is the peak's, or of before it, as it was before the anomaly bent it: with a daily or
    weekly pattern of an hour before it at most.
    """

    started: int
    ended: int | None
    peak: int
    value: float
    expected: float
    lower: float
    upper: float
    anomalous: int  # datapoints
    interval: float
    known: int  # datapoints before it
    known_s: int  # their span
    lowest: float  # of the days before it
    highest: float
    days: Sequence[Day]  # newest first, the peak's own day before it
    cause: Cause = "value"
    pattern: Literal["", "day", "week"] = ""  # what is expected rests on
    offset: int = 0  # local time less UTC
    rate: bool = False  # the numbers are changes a second, of a metric that counts
    lasted: float = 0.0  # flat, course, trend: for how long, up to `lasted_at`
    lasted_at: int = 0
    usual: float = 0.0  # flat: the longest that was usual, s; course, missing: the value
    limit: float = 0.0  # trend
    due: float = 0.0  # trend: s from `lasted_at` to the limit
    old_level: float | None = None  # of a level shift
    new_level: float | None = None
    returned: int | None = None  # when it was back
    place: int = 1  # among the metric's anomalies of a week
    beyond: int = 0  # datapoints beyond the band on the peak's side
    beyond_s: int = 0  # from the first to the last of these
    forecast_rarity: float = 0.0  # -log10 of the chance of such an error
    novelty_rarity: float = 0.0  # likewise of such a course of the last datapoints

    @property
    def width(self) -> float:
        """How wide the band is: numbers are told as finely as that asks for."""
        wide = self.upper - self.lower
        return wide if math.isfinite(wide) else math.nan

    @property
    def constant(self) -> bool:
        """Whether the metric had never had another value, as far as is remembered."""
        size = max(abs(self.lowest), abs(self.highest))
        return self.highest - self.lowest <= SAME * size

    @property
    def unsigned(self) -> bool:
        """Whether the metric was never negative, as far as is remembered."""
        return self.lowest >= 0.0

    def at(self, timestamp: int) -> str:
        """Write a time by the metric's clock."""
        return moment(timestamp, self.offset)

    def then(self, timestamp: int, other: int) -> str:
        """Write a time after another one was written, whose day need not be said again."""
        return later(timestamp, other, self.offset)

    @property
    def grain(self) -> float:
        """The width by which value and band are written: each number on its side of the other.

        A band that is nothing beside what the metric did in all is told as one number.
        """
        width = self.width
        if math.isfinite(width):
            width = max(width, NOTHING * (self.highest - self.lowest))
        for _ in range(FINER):
            value = _read(number(self.value, width))
            limits = (self.lower, self.upper)
            if all(_side(_read(rough(x, width)), value) == _side(x, self.value) for x in limits):
                break
            width /= 10.0
        return width

    def measured(self, value: float) -> str:
        """Write a datapoint's value."""
        return large(number(value, self.grain)) + self.unit

    def bound(self, limit: float) -> str:
        """Write a limit of the band."""
        return large(rough(limit, self.grain)) + self.unit

    @property
    def unit(self) -> str:
        """What follows a number."""
        return "/s" if self.rate else ""


def _side(one: float, other: float) -> int:
    return (one > other) - (one < other)


def _read(text: str) -> float:
    return float(text.replace(",", ""))
