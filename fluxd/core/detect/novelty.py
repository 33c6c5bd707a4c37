"""Has this metric ever looked like this? Means of the last three rows and of the three before.

A small memory of such pairs; what recurs becomes known, what is new stands out (after adaptive
resonance, Carpenter & Grossberg 1987, and KNN-CAD, Burnaev & Ishimtsev 2016).
"""

import numpy as np

from fluxd.core.detect.layout import MEMORIES, WINDOW, Floats, Ints, Singles, Vitals
from fluxd.core.detect.state import State

NEW_SHARE = 0.005  # of the rows are to be new
RADIUS_STEP = 0.05  # of the radius' logarithm, per new row
LEAST_MOVE = 0.02  # share of the way that a well-known pair moves towards what it met
STEP_ROWS = 2000.0  # over which the mean step from row to row is taken
STEP_LIMIT = 20.0  # mean steps that one step counts for at most
YOUNG = 30  # rows before steps are limited
TINY = 1e-60


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.radius[:] = 0.0
    v.step[:] = 0.0


def present(v: Vitals) -> tuple[Singles, Singles]:
    """Return the pair to compare: mean of the last WINDOW rows, and of the WINDOW before."""
    r = v.recent
    now = (r[0] + r[1] + r[2]) / WINDOW - v.origin
    before = (r[3] + r[4] + r[5]) / WINDOW - v.origin
    return now.astype(np.float32), before.astype(np.float32)


def look(pairs: Singles, now: Singles, before: Singles) -> tuple[Floats, Ints]:
    """Return the distance to the nearest remembered pair, and which of them that is.

    `pairs` has shape (metrics, 2, MEMORIES). Without any memory the distance is infinite.
    """
    gap = np.abs(pairs[:, 0] - now[:, None])
    other = pairs[:, 1] - before[:, None]
    np.maximum(gap, np.abs(other, out=other), out=gap)
    nearest = gap.argmin(axis=1)
    distance = gap.ravel().take(nearest + np.arange(0, gap.size, MEMORIES))
    return distance.astype(np.float64), nearest


def learn(
    v: Vitals,
    memory: "Memory",
    pair: tuple[Singles, Singles],
    found: tuple[Floats, Ints],
    magnitude: Floats,
    counts: Ints,
) -> None:
    """Remember the pair: in place of the one unused for longest if it is new, else nearby.

    The radius adapts until NEW_SHARE of the rows are new.
    """
    step = np.abs(v.recent[0] - v.recent[1])
    limited = np.minimum(step, STEP_LIMIT * v.step + 1e-9 * magnitude + 1e-12)
    step = np.where(counts < YOUNG, step, limited)
    v.step += (step - v.step) / np.minimum(counts + 1.0, STEP_ROWS)
    distance, nearest = found
    np.copyto(v.radius, v.step + 1e-12, where=v.radius == 0.0)
    new = distance > v.radius
    grow = np.exp(RADIUS_STEP * (new - NEW_SHARE))
    np.maximum(v.radius * grow, 1e-9 * (magnitude + v.step) + TINY, out=v.radius)
    memory.store(np.flatnonzero(new), pair, counts)
    memory.approach(np.flatnonzero(~new), nearest, pair, counts)


class Memory:
    """The remembered pairs of the metrics of one round."""

    def __init__(self, state: State, slots: Ints, pairs: Singles) -> None:
        self._used, self._hits = state.used, state.hits
        self._slots, self._pairs = slots, pairs

    def store(self, rows: Ints, pair: tuple[Singles, Singles], counts: Ints) -> None:
        if not rows.size:
            return
        slots = self._slots[rows]
        place = self._used[slots].argmin(axis=1)
        self._pairs[rows, 0, place], self._pairs[rows, 1, place] = pair[0][rows], pair[1][rows]
        self._hits[slots, place] = 1.0
        self._used[slots, place] = counts[rows] + 1

    def approach(self, rows: Ints, nearest: Ints, pair: tuple[Singles, Singles], counts: Ints) -> None:
        slots, place = self._slots[rows], nearest[rows]
        hits = self._hits[slots, place] + np.float32(1.0)
        self._hits[slots, place] = hits
        self._used[slots, place] = counts[rows] + 1
        share = np.maximum(1.0 / hits, np.float32(LEAST_MOVE))
        for side in (0, 1):
            old = self._pairs[rows, side, place]
            self._pairs[rows, side, place] = old + share * (pair[side][rows] - old)
