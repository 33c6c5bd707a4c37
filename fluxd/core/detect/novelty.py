"""Has this metric ever looked like this? Means of the last three rows and of the three before.

A small memory of such pairs; what recurs becomes known, what is new stands out (after adaptive
resonance, Carpenter & Grossberg 1987, and KNN-CAD, Burnaev & Ishimtsev 2016).
"""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect.layout import MEMORIES, WINDOW, Floats, Ints, Singles, Vitals
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State

NEW_SHARE = 0.005  # of the rows are to be new
RADIUS_STEP = 0.05  # of the radius' logarithm, per new row
LEAST_MOVE = np.float32(0.02)  # share of the way that a well-known pair moves to what it met
STEP_ROWS = 2000.0  # over which the mean step from row to row is taken
STEP_LIMIT = 20.0  # mean steps that one step counts for at most
YOUNG = 30  # rows before steps are limited
FAR = np.float32(1e38)  # where a memory lies that holds nothing yet
NOTHING = 1e37  # a distance beyond it is to such a memory
TINY = 1e-60


@dataclass(slots=True)
class Sight:
    """The pair of each metric at this row, and the remembered one nearest to it."""

    now: Singles  # mean of the last WINDOW rows, relative to the origin
    before: Singles  # mean of the WINDOW rows before those
    nearest: Ints
    distance: Floats


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.radius[:] = 0.0
    v.step[:] = 0.0


def look(v: Vitals, pairs: Singles) -> Sight:
    """Compare with the memory, `pairs` of shape (metrics, 2, MEMORIES)."""
    r = v.recent
    now = ((r[0] + r[1] + r[2]) / WINDOW - v.origin).astype(np.float32)
    before = ((r[3] + r[4] + r[5]) / WINDOW - v.origin).astype(np.float32)
    gap = pairs[:, 0] - now[:, None]
    other = pairs[:, 1] - before[:, None]
    np.maximum(np.abs(gap, out=gap), np.abs(other, out=other), out=gap)
    nearest = gap.argmin(axis=1)
    distance = gap.reshape(-1).take(nearest + np.arange(0, gap.size, MEMORIES))
    return Sight(now, before, nearest, distance.astype(np.float64))


def surprise(sight: Sight) -> Floats:
    """Return the distance to the nearest memory, 0 where there is none yet."""
    return np.where(sight.distance < NOTHING, sight.distance, 0.0)


def learn(
    v: Vitals, state: State, pairs: Singles, rows: Rows, sight: Sight, magnitude: Floats
) -> None:
    """Remember the pair: in place of the one unused for longest if it is new, else nearby."""
    step = np.abs(v.recent[0] - v.recent[1])
    limited = np.minimum(step, STEP_LIMIT * v.step + 1e-9 * magnitude + 1e-12)
    if rows.youngest < YOUNG:
        limited = np.where(rows.counts < YOUNG, step, limited)
        np.copyto(v.radius, limited / (rows.n + 1.0) + 1e-12, where=v.radius == 0.0)
    v.step += (limited - v.step) / np.minimum(rows.n + 1.0, STEP_ROWS)
    new = sight.distance > v.radius
    radius = v.radius * np.where(
        new, np.exp(RADIUS_STEP * (1.0 - NEW_SHARE)), np.exp(-RADIUS_STEP * NEW_SHARE)
    )
    np.maximum(radius, 1e-9 * (magnitude + v.step) + TINY, out=v.radius)
    _remember(state, pairs, rows, sight, np.flatnonzero(new))


def _remember(state: State, pairs: Singles, rows: Rows, sight: Sight, new: Ints) -> None:
    place = sight.nearest
    if new.size:
        place[new] = state.used[rows.slots[new]].argmin(axis=1)
    used, hits = state.used.reshape(-1), state.hits.reshape(-1)
    at = rows.slots * MEMORIES + place
    met = hits.take(at) + np.float32(1.0)
    share = np.maximum(np.float32(1.0) / met, LEAST_MOVE)
    met[new] = 1.0
    hits[at] = met
    used[at] = rows.counts + 1
    flat = pairs.reshape(-1)
    at = np.arange(0, flat.size, 2 * MEMORIES) + place
    for side in (sight.now, sight.before):
        old = flat.take(at)
        old += share * (side - old)
        old[new] = side[new]
        flat[at] = old
        at += MEMORIES
