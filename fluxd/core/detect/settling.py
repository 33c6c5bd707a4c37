"""A new level becomes the normal one: soon for the regression, after half a day for the seasons.

For the seasons it is on probation until it has lasted for more than a day. Until then the profiles
stay as they are, apart from it, and the old level is normal, too: a holiday ends without news, and
what was known of the days before still is.
"""

import numpy as np

from fluxd.core.detect import habit
from fluxd.core.detect.layout import SEASON, WARMUP, WEEK_S, Bools, Floats, Ints, Vitals
from fluxd.core.detect.profile import HOURS, WEEK_REVISITED, Season
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State

BLIND = 4.5  # spreads off the level: of the eight that the regression sees
LEVEL_S, SEASON_S = 3_600.0, 43_200.0
PROBATION_S = 45_000.0  # after those of SEASON_S: a day and half an hour are more than a day off
LEAST_ROWS = 30.0
MEAN_ROWS = 60.0  # of the new level
SIDE, ERRORS = 0.5, 2.0  # edges of the season's error that count as being off; mean errors
HOLD = 0.5  # of the rows of being off stay with one that is not
BASE_ROWS = 30.0  # of the means of base and offset
BASE_S, LEAST_BASE = 1_800.0, 2.0  # of the base's, lest the slope of a wave look like a step
OFFSET_LIMIT = 6.0  # mean errors that one row counts for


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    for field in (v.base, v.offset, v.away, v.away_mean, v.stay, v.stay_mean, v.shift, v.shifted):
        field[:] = 0.0


def learn(
    v: Vitals, state: State, season: Season, value: Floats, floor: Floats, rows: Rows, daily: Floats
) -> None:
    """Take one row into the means, and move level and seasons where it is time."""
    interval = np.maximum(v.interval, 1.0)
    memory = np.minimum(rows.n + 1.0, BASE_ROWS)
    turn = np.maximum(BASE_S / interval, LEAST_BASE)
    v.base += (season.base - v.base) / np.minimum(memory, turn)
    limit = OFFSET_LIMIT * v.error + floor
    change = value - season.base - v.offset
    v.offset += np.minimum(np.maximum(change, -limit), limit) / memory
    off = value - v.level
    _count(v.away, v.away_mean, off, np.abs(off) > BLIND * v.spread + floor, MEAN_ROWS)
    lasting = np.abs(v.away)
    moved = (lasting * interval > LEVEL_S) & (lasting > LEAST_ROWS)
    if np.count_nonzero(moved):
        v.level += np.where(moved, v.away_mean, 0.0)
        v.away[moved] = v.away_mean[moved] = 0.0
    # The season's own edge grows while a new level stays.
    edge = np.minimum(SIDE * np.maximum(v.edge[SEASON], floor), ERRORS * (v.error + floor))
    _stay(v, value - season.base, edge, np.maximum(LEAST_ROWS, LEVEL_S / interval), rows)
    lasting = np.abs(v.stay)
    long = (lasting * interval > SEASON_S) & (lasting > LEAST_ROWS)
    if np.count_nonzero(v.shift):
        long &= ~_probation(
            v, state, rows, value - season.base, lasting * interval > LEVEL_S, daily
        )
    at = long.nonzero()[0]
    if at.size:
        _settle(v, rows, at)


def _count(count: Floats, mean: Floats, off: Floats, beyond: Bools, most: float) -> None:
    """Count the rows in a row that are beyond on one side, and take their mean."""
    if not (np.count_nonzero(beyond) or np.count_nonzero(count)):
        return
    side = np.copysign(1.0, off)
    goes_on = beyond & (count * side >= 0.0)
    np.copyto(count, np.where(goes_on, count + side, 0.0))
    share = 1.0 / np.minimum(np.maximum(np.abs(count), 1.0), most)
    np.copyto(mean, np.where(goes_on, mean + (off - mean) * share, 0.0))


def _stay(v: Vitals, off: Floats, edge: Floats, most: Floats, rows: Rows) -> None:
    """Count the rows on one side of the season; a few that are not do not end it."""
    side = np.copysign(1.0, off)
    beyond = np.abs(off) > edge
    goes_on = beyond & (v.stay * side >= 0.0) & (rows.counts > WARMUP)
    stay = v.stay * HOLD
    stay *= ~beyond & (np.abs(stay) >= 1.0)
    np.copyto(stay, v.stay + side, where=goes_on)
    share = 1.0 / np.minimum(np.maximum(np.abs(stay), 1.0), most)
    np.copyto(v.stay_mean, v.stay_mean + (off - v.stay_mean) * share, where=goes_on)
    v.stay_mean *= stay != 0.0
    v.stay[:] = stay


def _probation(
    v: Vitals, state: State, rows: Rows, off: Floats, lasting: Bools, daily: Floats
) -> Bools:
    """End the probation of what went back for an hour, or has lasted; return where it went back.

    `off` is the distance from the season, `lasting` where it has been on one side for an hour.
    """
    back = lasting & (np.abs(v.stay_mean + v.shift) < np.abs(v.stay_mean))
    at = back.nonzero()[0]
    if at.size:
        _move(v, at, -v.shift[at])
        v.shift[at] = 0.0
    kept = (v.shift != 0.0) & (rows.timestamps - v.shifted > PROBATION_S)
    at = (kept & (np.abs(off) < np.abs(off + v.shift))).nonzero()[0]
    if at.size:
        _keep(v, state, rows, at, daily[at])
    return back


def _keep(v: Vitals, state: State, rows: Rows, at: Ints, daily: Floats) -> None:
    """Make a shift part of the profiles; what is usual is learnt anew."""
    slots, shift = rows.slots[at], v.shift[at, None].astype(np.float32)
    state.day[slots, :, 0] += shift
    least = WEEK_REVISITED * np.maximum(daily / HOURS, 1.0)
    old = rows.timestamps[at] - state.firsts[slots] >= WEEK_S
    repeated = (state.week_rows[slots] > least[:, None]) & old[:, None]
    state.week[slots] += np.where(repeated, shift, np.float32(0.0))
    habit.forget(state, slots)
    v.shift[at] = 0.0


def _settle(v: Vitals, rows: Rows, at: Ints) -> None:
    """Take a new level on probation."""
    moved = v.stay_mean[at]
    v.shift[at] += moved
    v.shifted[at] = rows.timestamps[at]
    _move(v, at, moved)


def _move(v: Vitals, at: Ints, moved: Floats) -> None:
    v.base[at] += moved
    v.offset[at] = v.lean[at] = v.stay[at] = v.stay_mean[at] = 0.0
