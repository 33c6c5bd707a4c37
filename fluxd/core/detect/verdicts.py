"""What the detector says about rows, and about metrics."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from fluxd.core.detect.layout import Bools, Floats

Cause: TypeAlias = Literal["value", "pattern", "flat", "course", "missing", "trend"]
"""Why a row is remarkable: far from the value expected; the last few rows are unlike any before;
the same value for too long; hours that are unlike this time of the week; what comes every day at
this time did not come; on its way to a limit.
"""

Rhythm: TypeAlias = Literal["", "day", "week"]


@dataclass(slots=True)
class Remark:
    """What the sentence about one remarkable row needs, as known when it was analysed."""

    forecast_rarity: float  # -log10 of the chance of such an error
    novelty_rarity: float  # the same of such a course of the last rows
    interval: float  # s
    datapoints: int  # analysed before it
    since: int  # timestamp of the first of them
    days: list[tuple[int, float, float]]  # day number, lowest, highest; newest first
    cause: Cause = "value"
    pattern: Rhythm = ""  # what is expected rests on
    offset: int = 0  # local time less UTC, s
    lasted: float = 0.0  # flat, course, trend: for how long already, s
    usual: float = 0.0  # flat: the longest that was usual, s; course, missing: the value
    limit: float = 0.0  # trend: the limit that it will hit
    due: float = 0.0  # trend: in how many seconds
    rates: tuple[float, float, float, float] | None = None  # of a counter, per second: its rate
    # now, and expected, lowest and highest usual

    def began(self, timestamp: int) -> int:
        """Return when that began which was remarked at a time: a flat line with its first row."""
        return timestamp - int(self.lasted) if self.cause == "flat" else timestamp


@dataclass(frozen=True, slots=True)
class Traits:
    """What the detector has learnt about one metric's nature; s and Unix s, None where unknown."""

    interval: float | None
    longest_gap: float  # that is usual, s
    constant: bool  # never another value so far, or for more than a day
    irregular: bool  # no interval that most spacings agree with
    counter: bool  # it only rises, but for resets: its rate is analysed
    daily_from: int | None  # from when a daily pattern is trusted: past or to come; None: no such
    weekly_from: int | None


@dataclass(slots=True)
class Verdicts:
    """One entry per row given: `score` is 0 and the band NaN during the warm-up.

    Rows that were not analysed have NaN throughout. `remarks` has the rows at or over THRESHOLD.
    The band is of what came: of a counter, of its total. `base` is the total from which the row's
    rate is counted and `seconds` for how long; 0 and 1 of what does not count.
    """

    analysed: Bools
    score: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    base: Floats
    seconds: Floats
    remarks: dict[int, Remark] = field(default_factory=dict)

    @classmethod
    def blank(cls, rows: int) -> "Verdicts":
        """Verdicts of rows that were not analysed."""
        nans = np.full((4, rows), np.nan)
        own = np.zeros(rows), np.ones(rows)
        return cls(np.zeros(rows, np.bool_), nans[0], nans[1], nans[2], nans[3], *own)

    def rates(self, numbers: Floats) -> Floats:
        """Turn totals of all rows (values, or limits of the band) into rates per second.

        What does not count stays as it is, exactly.
        """
        rates: Floats = (numbers - self.base) / self.seconds
        return rates
