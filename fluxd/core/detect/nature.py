"""What kind of metric it is, told from its state alone."""

from fluxd.core.detect.layout import DAY_S, WARMUP, Vitals
from fluxd.core.detect.profile import WEEK_BETTER
from fluxd.core.detect.verdicts import Traits

STRAYS = 0.4  # share of spacings far from the interval, from which on there is none
STEADY_S = DAY_S  # of the same value, after which a metric is constant
PATTERN = 0.7  # of the spread: a day profile that errs less is a pattern
DAILY_S, WEEKLY_S = 2 * DAY_S, 14 * DAY_S  # known before a pattern is trusted


def traits(v: Vitals, count: int, first: int, last: int) -> Traits:
    """Describe one metric, given its vitals of shape (fields, 1); `first` and `last` in Unix s."""
    interval = float(v.interval[0]) or None
    steady_s = float(v.held[0]) * float(v.interval[0])
    constant = count >= WARMUP and (float(v.changes[0]) == 0.0 or steady_s >= STEADY_S)
    daily = float(v.season_error[0]) < PATTERN * float(v.spread[0])
    weekly = float(v.week_error[0]) < WEEK_BETTER * float(v.season_error[0])
    return Traits(
        interval=interval,
        longest_gap=float(v.gap[0]),
        constant=constant,
        irregular=float(v.strays[0]) > STRAYS,
        counter=float(v.counter[0]) > 0.0,
        daily_from=_trusted(first, last, DAILY_S, daily and not constant),
        weekly_from=_trusted(first, last, WEEKLY_S, weekly and not constant),
    )


def _trusted(first: int, last: int, after_s: int, found: bool) -> int | None:  # noqa: FBT001
    """Return from when a pattern is trusted: to come while it can't be told whether there is one.

    A pattern that was looked for and not found is None.
    """
    if not first:
        return None
    return first + after_s if found or last < first + after_s else None
