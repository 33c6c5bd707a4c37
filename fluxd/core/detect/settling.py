"""A new level becomes the normal one: soon for the regression, after half a day for the seasons."""

import numpy as np

from fluxd.core.detect import habit
from fluxd.core.detect.layout import SEASON, WARMUP, WEEK_S, Bools, Floats, Ints, Vitals
from fluxd.core.detect.profile import HOURS, Season
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State

BLIND = 6.4  # spreads off the level: of the eight that the regression sees
LEVEL_S, SEASON_S = 3_600.0, 43_200.0
LEAST_ROWS = 30.0
MEAN_ROWS = 60.0  # of the new level
SIDE, ERRORS = 0.5, 2.0  # edges of the season's error that count as being off; mean errors
HOLD = 0.5  # of the rows of being off stay with one that is not
BASE_ROWS = 30.0  # of the means of base and offset
OFFSET_LIMIT = 6.0  # mean errors that one row counts for
REPEATED = 1.2  # visits, from which on a week's bin was there before


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    for field in (v.base, v.offset, v.away, v.away_mean, v.stay, v.stay_mean):
        field[:] = 0.0


def learn(
    v: Vitals, state: State, season: Season, value: Floats, floor: Floats, rows: Rows, daily: Floats
) -> None:
    """Take one row into the means, and move level and seasons where it is time."""
    rate = 1.0 / np.minimum(rows.n + 1.0, BASE_ROWS)
    v.base += (season.base - v.base) * rate
    limit = OFFSET_LIMIT * v.error + floor
    change = value - season.base - v.offset
    v.offset += np.minimum(np.maximum(change, -limit), limit) * rate
    interval = np.maximum(v.interval, 1.0)
    off = value - v.level
    _count(v.away, v.away_mean, off, np.abs(off) > BLIND * v.spread + floor, MEAN_ROWS)
    lasting = np.abs(v.away)
    moved = (lasting * interval > LEVEL_S) & (lasting > LEAST_ROWS)
    if moved.any():
        v.level += np.where(moved, v.away_mean, 0.0)
        v.away[moved] = v.away_mean[moved] = 0.0
    # The season's own edge grows while a new level stays.
    edge = np.minimum(SIDE * np.maximum(v.edge[SEASON], floor), ERRORS * (v.error + floor))
    _stay(v, value - season.base, edge, np.maximum(LEAST_ROWS, LEVEL_S / interval), rows)
    at = np.flatnonzero((np.abs(v.stay) * interval > SEASON_S) & (np.abs(v.stay) > LEAST_ROWS))
    if at.size:
        _settle(v, state, rows, at, daily[at])


def _count(count: Floats, mean: Floats, off: Floats, beyond: Bools, most: float) -> None:
    """Count the rows in a row that are beyond on one side, and take their mean."""
    side = np.where(off > 0.0, 1.0, -1.0)
    goes_on = beyond & (count * side >= 0.0)
    np.copyto(count, np.where(goes_on, count + side, 0.0))
    share = 1.0 / np.minimum(np.maximum(np.abs(count), 1.0), most)
    np.copyto(mean, np.where(goes_on, mean + (off - mean) * share, 0.0))


def _stay(v: Vitals, off: Floats, edge: Floats, most: Floats, rows: Rows) -> None:
    """Count the rows on one side of the season; a few that are not do not end it."""
    side = np.where(off > 0.0, 1.0, -1.0)
    beyond = np.abs(off) > edge
    goes_on = beyond & (v.stay * side >= 0.0) & (rows.counts > WARMUP)
    held = np.where(beyond, 0.0, v.stay * HOLD)
    held = np.where(np.abs(held) < 1.0, 0.0, held)
    stay = np.where(goes_on, v.stay + side, held)
    share = 1.0 / np.minimum(np.maximum(np.abs(stay), 1.0), most)
    mean = np.where(goes_on, v.stay_mean + (off - v.stay_mean) * share, v.stay_mean)
    np.copyto(v.stay_mean, np.where(stay == 0.0, 0.0, mean))
    np.copyto(v.stay, stay)


def _settle(v: Vitals, state: State, rows: Rows, at: Ints, daily: Floats) -> None:
    """Move the profiles of some metrics to their new level; what is usual is learnt anew."""
    slots, moved = rows.slots[at], v.stay_mean[at]
    state.day[slots, :, 0] += moved[:, None].astype(np.float32)
    least = REPEATED * np.maximum(daily / HOURS, 1.0)
    old = rows.timestamps[at] - state.firsts[slots] >= WEEK_S
    repeated = (state.week_rows[slots] > least[:, None]) & old[:, None]
    state.week[slots] += np.where(repeated, moved[:, None], 0.0).astype(np.float32)
    habit.forget(state, slots)
    v.base[at] += moved

    v.offset[at] = v.lean[at] = v.stay[at] = v.stay_mean[at] = 0.0
