"""Hours that are unlike this time of the week, though every step within them is likely.

A weekday that looks like a weekend: each row is well foretold by the one before. What tells is the
mean distance of the last hour from what is usual in this hour of the week, against the most that it
has been.
"""

import numpy as np

from fluxd.core.detect.layout import DAY_S, Bools, Floats, Vitals
from fluxd.core.detect.profile import Season

FROM_S, MOST_FROM_S, JUDGED_FROM_S = 14.0 * DAY_S, 15.0 * DAY_S, 21.0 * DAY_S
LEAST_ROWS, HOURLY = 6.0, 24.0  # rows of the mean, or an hour's
STEP_LIMIT = 20.0  # mean errors of the forecast that one row counts for
TIMES, ERRORS = 2.0, 3.0  # of the most so far; and so many mean errors more
FADE_DAYS = 30.0  # over which the most is forgotten
GROWTH = 0.02  # share an hour by which an unlikely course becomes a likely one
TOLD_ROWS = 10.0


def learn(v: Vitals, season: Season, value: Floats, span: Floats, usual: Floats) -> None:
    """Take one row; `span` is how long the metric is known (s), `usual` its mean error."""
    live = season.repeated & (span > FROM_S)
    if not np.count_nonzero(live):
        return
    hourly = np.maximum(LEAST_ROWS, _hourly(v))
    limit = STEP_LIMIT * usual
    off = value - season.week
    if np.count_nonzero(season.week_shift):  # on probation: the old level is normal, too
        home = off + season.week_shift
        off = np.where(np.abs(home) < np.abs(off), home, off)
    change = np.minimum(np.maximum(off - v.lean, -limit), limit)
    np.copyto(v.lean, v.lean + change / hourly, where=live)
    more = np.abs(v.lean) - v.leaning
    daily = HOURLY * hourly
    slow = np.minimum(more, GROWTH * v.leaning / hourly)
    grown = np.where(span < JUDGED_FROM_S, more, slow)
    faded = -v.leaning / (FADE_DAYS * daily)
    moved = v.leaning + np.where(more > 0.0, grown, faded)
    np.copyto(v.leaning, moved, where=live & (span > MOST_FROM_S))


def odd(v: Vitals, span: Floats, usual: Floats, live: Bools) -> Bools:
    """Tell whether it has just become news that the course is unlike this time of the week.

    `live` is where the warm-up is over.
    """
    now = live & (span >= JUDGED_FROM_S) & (v.leaning > 0.0)
    now &= np.abs(v.lean) > TIMES * v.leaning + ERRORS * usual
    if not (np.count_nonzero(now) or np.count_nonzero(v.leant)):
        return now
    np.copyto(v.leant, np.where(now, v.leant + 1.0, 0.0))
    return now & (v.leant <= TOLD_ROWS)


def _hourly(v: Vitals) -> Floats:
    return DAY_S / HOURLY / np.maximum(v.interval, 1.0)


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.lean[:] = v.leaning[:] = v.leant[:] = 0.0
