"""Rows in a row beyond all that a metric ever was.

A metric whose errors come in bursts has a law with so heavy a tail that no error at all is rare.
But a value beyond all before comes once in as many rows, and some in a row, clearly beyond, do not
come of the same law: what did happen before is a better measure than the law is.
"""

import numpy as np

from fluxd.core.detect.layout import Bools, Floats, Vitals
from fluxd.core.detect.rounds import Rows

KNOWN = 300.0  # rows after which a metric has shown what it can be
BEYOND = 0.25  # of the way from the level to the farthest value so far that a record is beyond it
AT_ONCE = 0.5  # of its distance from the level that the first was off the last rows: no slow climb
CLIMB = 2.0  # hours in a row that it climbs already, out of its range: see `leak`
LEAST_ROWS, LEAST_S = 5.0, 120.0  # in a row that are news
MOST_S, MOST_ROWS = 3_600.0, 12.0  # in a row that still are; then it is what the metric can be
FADE_DAYS = 60.0  # over which the farthest value is forgotten


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.record_low[:] = v.record_high[:] = v.record_peak[:] = 0.0
    v.record_run[:] = v.record_moves[:] = 0.0


def bounds(v: Vitals, floor: Floats) -> tuple[Floats, Floats]:
    """Return the values beyond which a row is clearly beyond all before."""
    below = np.maximum(BEYOND * (v.level - v.record_low), floor)
    above = np.maximum(BEYOND * (v.record_high - v.level), floor)
    return v.record_low - below, v.record_high + above


def turn(v: Vitals, value: Floats, floor: Floats, rows: Rows, daily: Floats) -> Bools:
    """Take one row; tell where it goes on beyond all before for long enough to be news."""
    low, high = bounds(v, floor)
    before = v.record_run.copy()
    side = np.where(value > high, 1.0, np.where(value < low, -1.0, 0.0)) * (rows.n >= KNOWN)
    side *= (before != 0.0) | (np.abs(value - v.short) > AT_ONCE * np.abs(value - v.level))
    side *= ~((side * v.climb >= CLIMB) & _out_of_range(v, side))
    fade = 1.0 / (FADE_DAYS * daily)
    v.record_low += fade * (v.level - v.record_low)
    v.record_high += fade * (v.level - v.record_high)
    if not (np.count_nonzero(side) or np.count_nonzero(before)):
        _widen(v, value, np.ones(value.size, np.bool_))
        return np.zeros(value.size, np.bool_)
    goes_on = side * before > 0.0
    run = np.where(goes_on, before, 0.0) + side
    interval = np.maximum(v.interval, 1.0)
    over = np.abs(run) > np.maximum(MOST_S / interval, MOST_ROWS)
    # What it was in a run that is over is what it can be.
    _widen(v, v.record_peak, (before != 0.0) & (over | ~goes_on))
    _widen(v, value, side == 0.0)
    nearer = goes_on & (side * (value - v.record_peak) < 0.0)
    peak = np.where(nearer, v.record_peak, value)
    v.record_peak[:] = np.where((side == 0.0) | over, 0.0, peak)
    v.record_run[:] = run * ~over
    moves = np.where(goes_on, v.record_moves, 0.0) + (v.held == 0.0)
    v.record_moves[:] = np.where((side == 0.0) | over, 0.0, moves)
    # Of what seldom moves some rows in a row are one value, and say no more than one.
    many = (moves >= LEAST_ROWS) | (np.abs(run) >= LEAST_ROWS * (v.held_mean + 1.0))
    long: Bools = many & (np.abs(run) >= np.maximum(LEAST_S / interval, LEAST_ROWS))
    return long


def _out_of_range(v: Vitals, side: Floats) -> Bools:
    """Tell where the mean of the last hour, too, was clearly beyond those before."""
    with np.errstate(invalid="ignore"):  # no range yet
        more = BEYOND * (v.range_high - v.range_low)
        above, below = v.last_hour > v.range_high + more, v.last_hour < v.range_low - more
    out: Bools = np.where(side > 0.0, above, below)
    return out


def _widen(v: Vitals, value: Floats, where: Bools) -> None:
    np.minimum(v.record_low, value, out=v.record_low, where=where)
    np.maximum(v.record_high, value, out=v.record_high, where=where)
