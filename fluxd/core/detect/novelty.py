"""Has this metric ever looked like this? Means of the last rows and of as many before them.

A small memory of such pairs, one of three rows each and one of a day's share; what recurs becomes
known, what is new stands out (after adaptive resonance, Carpenter & Grossberg 1987, and KNN-CAD,
Burnaev & Ishimtsev 2016). Two widths, since what is odd for a quarter of an hour and what is odd
for hours are different things.
"""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect.layout import (
    LONG_WINDOW,
    MEMORIES,
    RING,
    TINY,
    WINDOW,
    Bools,
    Floats,
    Ints,
    Singles,
    Vitals,
)
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State

SHORT, LONG = 0, 1  # the two memories
NEW_SHARE = 0.005  # of the rows are to be new
RADIUS_STEP = 0.05  # of the radius' logarithm, per new row
GROWN = float(np.exp(RADIUS_STEP * (1.0 - NEW_SHARE)))
SHRUNK = float(np.exp(-RADIUS_STEP * NEW_SHARE))
LEAST_MOVE = np.float32(0.02)  # share of the way that a well-known pair moves to what it met
MOST_HITS = 50  # beyond which a pair moves no slower
STEP_ROWS = 2000.0  # over which the mean step from row to row is taken
STEP_LIMIT = 20.0  # mean steps that one step counts for at most
YOUNG = 30  # rows before steps are limited
FAR = np.float32(1e38)  # where a memory lies that holds nothing yet
NOTHING = 1e37  # a distance beyond it is to such a memory
MAGNITUDE_FLOOR = 1e-12


@dataclass(slots=True)
class Sight:
    """The pair of each metric at this row, and the remembered one nearest to it."""

    now: Singles  # mean of the last rows, relative to the origin
    before: Singles  # mean of the rows before those
    nearest: Ints
    distance: Floats


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.radius[:] = 0.0
    v.step[:] = 0.0


def slide(v: Vitals, state: State, rows: Rows, value: Floats, anew: Bools | None) -> None:
    """Take a row into the ring of the last ones; where `anew`, as if all had been like it.

    The two sums are made afresh from the ring once in its round, so that no rounding stays.
    """
    ring, single = state.ring.reshape(-1), value.astype(np.float32)
    if anew is not None and np.count_nonzero(anew):
        state.ring[rows.slots[anew]] = single[anew, None]
        np.copyto(v.long_now, LONG_WINDOW * single.astype(np.float64), where=anew)
        np.copyto(v.long_before, v.long_now, where=anew)
    place = rows.counts % RING
    at = rows.slots * RING
    middle = ring.take(at + (rows.counts + LONG_WINDOW) % RING).astype(np.float64)
    oldest = ring.take(at + place).astype(np.float64)
    ring[at + place] = single
    v.long_now += single - middle
    v.long_before += middle - oldest
    fresh = (place == RING - 1).nonzero()[0]
    if fresh.size:
        # At this place the ring lies in order of age.
        whole = state.ring[rows.slots[fresh]].astype(np.float64)
        v.long_before[fresh] = _sum(whole[:, :LONG_WINDOW])
        v.long_now[fresh] = _sum(whole[:, LONG_WINDOW:])


def _sum(columns: Floats) -> Floats:
    """Add the columns one after the other: a sum along an axis depends on the batch."""
    total = columns[:, 0].copy()
    for k in range(1, columns.shape[1]):
        total += columns[:, k]
    return total


def look(v: Vitals, pairs: Singles) -> Sight:
    """Compare the last rows with the memory, `pairs` of shape (metrics, 2, MEMORIES)."""
    r = v.recent
    now = ((r[0] + r[1] + r[2]) / WINDOW - v.origin).astype(np.float32)
    before = ((r[3] + r[4] + r[5]) / WINDOW - v.origin).astype(np.float32)
    return _nearest(now, before, pairs)


def look_long(v: Vitals, pairs: Singles) -> Sight:
    """Do the same with the last LONG_WINDOW rows."""
    now = (v.long_now / LONG_WINDOW).astype(np.float32)
    before = (v.long_before / LONG_WINDOW).astype(np.float32)
    return _nearest(now, before, pairs)


def _nearest(now: Singles, before: Singles, pairs: Singles) -> Sight:
    gap = pairs[:, 0] - now[:, None]
    other = pairs[:, 1] - before[:, None]
    np.maximum(np.abs(gap, out=gap), np.abs(other, out=other), out=gap)
    nearest = gap.argmin(axis=1)
    distance = gap.reshape(-1).take(nearest + np.arange(0, gap.size, MEMORIES))
    return Sight(now, before, nearest, distance.astype(np.float64))


def surprise(sight: Sight) -> Floats:
    """Return the distance to the nearest memory, 0 where there is none yet."""
    return sight.distance * (sight.distance < NOTHING)


def learn(
    v: Vitals,
    state: State,
    pairs: Singles,
    rows: Rows,
    sights: tuple[Sight, Sight],
    magnitude: Floats,
) -> None:
    """Remember the pairs: in place of the one unused for longest if it is new, else nearby.

    `pairs` has shape (metrics, 2 memories, 2, MEMORIES).
    """
    step = np.abs(v.recent[0] - v.recent[1])
    limited = np.minimum(step, STEP_LIMIT * v.step + MAGNITUDE_FLOOR * magnitude + TINY)
    if rows.youngest < YOUNG:
        limited = np.where(rows.counts < YOUNG, step, limited)
        np.copyto(v.radius, limited / (rows.n + 1.0) + TINY, where=v.radius == 0.0)
    v.step += (limited - v.step) / np.minimum(rows.n + 1.0, STEP_ROWS)
    least = MAGNITUDE_FLOOR * (magnitude + v.step) + TINY
    for memory, sight in enumerate(sights):
        new = sight.distance > v.radius[memory]
        np.maximum(v.radius[memory] * np.where(new, GROWN, SHRUNK), least, out=v.radius[memory])
        _remember(state, pairs, rows, memory, sight, new.nonzero()[0])


def _remember(
    state: State, pairs: Singles, rows: Rows, memory: int, sight: Sight, new: Ints
) -> None:
    place = sight.nearest
    if new.size:
        place[new] = state.used[rows.slots[new], memory].argmin(axis=1)
    used, hits = state.used.reshape(-1), state.hits.reshape(-1)
    at = (2 * rows.slots + memory) * MEMORIES + place
    met = np.minimum(hits.take(at).astype(np.float32) + np.float32(1.0), MOST_HITS)
    share = np.maximum(np.float32(1.0) / met, LEAST_MOVE)
    met[new] = 1.0
    hits[at] = met
    used[at] = rows.counts + 1
    flat = pairs.reshape(-1)
    at = np.arange(0, flat.size, 4 * MEMORIES) + (2 * memory * MEMORIES + place)
    for side in (sight.now, sight.before):
        old = flat.take(at)
        old += share * (side - old)
        old[new] = side[new]
        flat[at] = old
        at += MEMORIES
