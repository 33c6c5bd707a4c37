"""Counters: a metric that only rises, but for resets, is analysed as a rate per second.

It shows in the first rows, long before the first verdict; what was learnt of the totals until then
is forgotten. A metric that falls too often after all is taken as it comes again.
"""

import numpy as np

from fluxd.core.detect.layout import Bools, Floats, Ints, Vitals

DECIDED = 30  # rows
LEAST_RISES = 24.0  # of them
RESET = 0.5  # of the value before: a fall to less is a reset
MOST_FALLS = 3.0  # others than resets, within about a hundred rows
FADE = 0.99


def take(v: Vitals, values: Floats, seen: Ints) -> Floats:
    """Take each metric's next value as it came; return by how much it rose (0 for a first)."""
    change = np.where(seen > 0, values - v.total, 0.0)
    counter = v.counter > 0.0
    v.rises += (change > 0.0) & (seen < DECIDED)
    fell = change < 0.0
    slip = fell & (values > RESET * v.total)
    v.falls[:] = np.where(counter, FADE * v.falls + slip, v.falls + fell)
    v.total[:] = values
    return change


def turned(v: Vitals, values: Floats, seen: Ints) -> Bools:
    """Turn metrics into counters, and back; return which of them begin anew."""
    decided: Bools = seen == DECIDED
    if not (np.count_nonzero(decided) or np.count_nonzero(v.counter)):
        return decided
    becomes = decided & (v.rises >= LEAST_RISES) & (v.falls == 0.0)
    becomes &= (v.least >= 0.0) & (values >= 0.0)
    ceases = (v.counter > 0.0) & (v.falls > MOST_FALLS)
    v.counter[:] = np.where(becomes, 1.0, np.where(ceases, 0.0, v.counter))
    anew: Bools = becomes | ceases
    return anew


def rates(v: Vitals, values: Floats, change: Floats, spacing: Floats) -> tuple[Floats, Bools]:
    """Return what is analysed, and which rows of counters are resets.

    A reset says nothing of the rate: it counts as the rate before.
    """
    counter = v.counter > 0.0
    reset = counter & (change < 0.0)
    if not np.count_nonzero(counter):
        return values, reset
    rate = np.where(reset, v.recent[0], change / np.maximum(spacing, 1.0))
    return np.where(counter, rate, values), reset
