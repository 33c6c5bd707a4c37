"""A steady climb, or fall, that will hit a limit: a disk that fills, memory that leaks.

Each hour's mean is compared with the one before. What has risen for hours on end, by more than the
metric's whole range before, and reaches 100 % (or 1, or falls to 0) within about a day at this pace
is told, once.
"""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect.layout import DAY_S, Floats, Ints, Vitals
from fluxd.core.detect.rounds import Rows

HOUR_S = 3_600
LEAST_HOURS, KNOWN_S = 6.0, 1.0 * DAY_S  # of the climb; of what came before it
RANGES = 1.5  # of what it was before that the climb must have been
DUE_HOURS = 24.0
PERCENT, SHARE = 100.0, 1.0
FADE_HOURS = 24.0 * 7.0  # over which the range is forgotten


@dataclass(slots=True)
class Leak:
    """Which of the rows are about a leak, its limit, and in how many seconds it is reached."""

    at: Ints
    limit: Floats
    due: Floats
    lasted: Floats


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.hour[:] = -1.0
    v.range_low[:] = v.least[:] = np.inf
    v.range_high[:] = v.most[:] = -np.inf
    v.hour_mean[:] = v.hour_rows[:] = v.climb[:] = v.climb_from[:] = v.climb_told[:] = 0.0
    v.climb_most[:] = 0.0
    v.last_hour[:] = np.nan


def turn(v: Vitals, rows: Rows, value: Floats, span: Floats) -> Leak | None:
    """Take one row; where its hour is a new one, look at the one that is over.

    `value` is relative to the origin, `span` how long the metric is known, s.
    """
    np.minimum(v.least, rows.values, out=v.least)
    np.maximum(v.most, rows.values, out=v.most)
    hour = rows.timestamps // HOUR_S
    at = (hour != v.hour).nonzero()[0]
    found = None
    if at.size:
        over = at[v.hour[at] >= 0.0]
        if over.size:
            found = _close(v, over, span[over])
        v.hour[at] = hour[at]
        v.hour_mean[at] = v.hour_rows[at] = 0.0
    v.hour_rows += 1.0
    v.hour_mean += (value - v.hour_mean) / v.hour_rows
    return found


def _close(v: Vitals, at: Ints, span: Floats) -> Leak | None:
    """Count the climb on with the hour that is over; return what is due."""
    mean, before, climb = v.hour_mean[at], v.last_hour[at], v.climb[at]
    up, down = mean > before, mean < before
    goes_on = (up & (climb > 0.0)) | (down & (climb < 0.0))
    begins = (up | down) & ~goes_on
    side = np.where(up, 1.0, -1.0)
    climb = np.where(goes_on, climb + side, np.where(begins, side, 0.0))
    v.climb_from[at] = np.where(begins, before, v.climb_from[at])
    v.climb_told[at] = np.where(goes_on, v.climb_told[at], 0.0)
    v.climb[at], v.last_hour[at] = climb, mean
    low, high = v.range_low[at], v.range_high[at]
    step = np.abs(mean - before)
    v.climb_most[at] = np.where(goes_on, np.maximum(v.climb_most[at], step), step)
    leak = _judge(v, at, span, low, high)
    # A long climb is not part of the range until it is over.
    short = np.abs(climb) < LEAST_HOURS
    fade = np.where(np.isfinite(low), (high - low) / (2.0 * FADE_HOURS), 0.0)
    # Where it turned, the hour before was its end.
    end = np.where(goes_on | np.isnan(before), mean, before)
    v.range_low[at] = np.where(short, np.minimum(np.minimum(low + fade, mean), end), low)
    v.range_high[at] = np.where(short, np.maximum(np.maximum(high - fade, mean), end), high)
    return leak


def _judge(v: Vitals, at: Ints, span: Floats, low: Floats, high: Floats) -> Leak | None:
    hours, mean = np.abs(v.climb[at]), v.hour_mean[at]
    gone = np.abs(mean - v.climb_from[at])
    news = (hours >= LEAST_HOURS) & (v.climb_told[at] == 0.0) & (span >= KNOWN_S)
    with np.errstate(invalid="ignore"):  # no range yet
        # Without its largest step: a shift, or a halt, amid a wave's fall is no leak.
        news &= gone - v.climb_most[at] > RANGES * (high - low)
    some = news.nonzero()[0]
    if not some.size:
        return None
    rising = v.climb[at[some]] > 0.0
    most, least = v.most[at[some]], v.least[at[some]]
    full = np.where(most > SHARE, PERCENT, SHARE)
    limit = np.where(rising, full, 0.0)
    fits = (least >= 0.0) & (~rising | (most <= full))
    way = np.abs(limit - (mean[some] + v.origin[at[some]]))
    due = way / (gone[some] / hours[some]) * HOUR_S
    fits &= due <= np.minimum(DUE_HOURS, 2.0 * hours[some] + LEAST_HOURS) * HOUR_S
    told = some[fits]
    v.climb_told[at[told]] = 1.0
    lasted = hours[told] * HOUR_S
    return Leak(at[told], limit[fits], due[fits], lasted) if told.size else None
