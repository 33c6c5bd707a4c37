"""A lively metric that stands still: the same value for longer than it ever was."""

import numpy as np

from fluxd.core.detect.layout import DAY_S, Bools, Floats, Vitals
from fluxd.core.detect.rounds import Rows

LEAST_ROWS, LONGER = 40.0, 5.0  # at least so many rows, and so many times the longest so far
LIVELY_ROWS, LIVELY_CHANGES = 1.2, 100.0  # mean rows without a change; changes seen at least
MEAN_CHANGES = 200.0  # over which the mean is taken
FADE_DAYS, FADE_ROWS = 3.0, 2_000.0  # the longest is forgotten slowly
TOLD_ROWS = 10.0  # rows in which it is told; nothing new is said by the hundredth


def learn(v: Vitals, rows: Rows, daily: Floats) -> None:
    """Count the rows that repeat the value before."""
    same = v.recent[0] == v.recent[1]
    if rows.youngest == 0:
        same &= rows.counts > 0
    ended = ~same & (rows.counts > 0)
    rate = 1.0 / np.minimum(v.changes + 1.0, MEAN_CHANGES)
    np.copyto(v.held_mean, v.held_mean + rate * (v.held - v.held_mean), where=ended)
    np.copyto(v.held_most, np.maximum(v.held_most, v.held), where=ended)
    v.changes += ended
    v.held_most *= 1.0 - 1.0 / np.maximum(FADE_DAYS * daily, FADE_ROWS)
    np.multiply(v.held + 1.0, same, out=v.held)


def stuck(v: Vitals, span: Floats) -> Bools:
    """Tell whether it has just become news that the metric stands still; `span`: s known."""
    still = v.held >= LEAST_ROWS
    if not np.count_nonzero(still):
        return still
    least = np.maximum(LEAST_ROWS, LONGER * (v.held_most + 1.0))
    news = (v.held >= least) & (v.held < least + TOLD_ROWS)
    return news & (v.changes >= LIVELY_CHANGES) & (v.held_mean < LIVELY_ROWS) & (span >= DAY_S)
