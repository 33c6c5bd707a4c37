"""A metric that stands still: a lively one for longer than it ever was, or one that seldom moves.

What hardly ever changes has shown no scale of its own: its errors are nothing, or a step. How
seldom a step is can only be counted.
"""

import numpy as np

from fluxd.core.detect.layout import FORECAST, LN10, RECENT, TINY, WARMUP, Bools, Floats, Vitals
from fluxd.core.detect.rounds import Rows

LEAST_ROWS, LONGER = 40.0, 5.0  # at least so many rows, and so many times the longest so far
LEAST_S, FEWEST = 3_600.0, 10.0  # or as many as come in this time, but no fewer
LIVELY_ROWS, LIVELY_CHANGES = 1.2, 100.0  # mean rows without a change; changes seen at least
SHORT_S = 7_200.0  # or none of its stands was longer than this: what is switched on and off
MEAN_CHANGES = 200.0  # over which the mean is taken
FADE_DAYS, FADE_ROWS = 3.0, 2_000.0  # the longest is forgotten slowly
TOLD_ROWS = 10.0  # rows in which it is told; nothing new is said by the hundredth
# Changes and share of the rows below which a metric hardly ever changes: there the edge of its
# errors, a quantile of 97 %, would be 0.
FEW, FEW_SHARE, FEW_ROWS = 5.0, 0.03, 10_000.0
CHANGES_A_STEP = 2.0  # there and back
MANY, MOST_POWER = 40.0, 3.0  # changes after which steps are known to have no heavier a tail
NO_NEWS, LEAST_NEWS = 2.0, 3.0  # changes after which another is less news; at most so much


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


def stuck(v: Vitals) -> Bools:
    """Tell whether it has just become news that a lively metric stands still."""
    still = v.held >= FEWEST
    if not np.count_nonzero(still):
        return still
    least = LEAST_S / np.maximum(v.interval, 1.0)
    least = np.minimum(np.maximum(least, FEWEST), LEAST_ROWS)
    least = np.maximum(least, LONGER * (v.held_most + 1.0))
    news = (v.held >= least) & (v.held < least + TOLD_ROWS)
    lively = v.held_mean < LIVELY_ROWS
    lively |= (v.held_most + 1.0) * v.interval <= SHORT_S
    return news & (v.changes >= LIVELY_CHANGES) & lively


def seldom(v: Vitals, n: Floats) -> Bools:
    """Tell which metrics hardly ever change, of `n` rows."""
    hardly: Bools = v.changes < np.maximum(FEW, FEW_SHARE * np.minimum(n, FEW_ROWS))
    return hardly


def chance(v: Vitals, distance: Floats, n: Floats, lift: Floats) -> Floats:
    """Return the chance per row of a step so large, by how many there were before.

    A step k times as large as they were on average comes k times more seldom, no less than of a law
    with as heavy a tail as Cauchy's; of MANY steps, no less than of one with a tail like k^-3. One
    that came often already is less news. `lift` is what `cadence.lift` says.
    """
    before = np.maximum(v.changes - 1.0, 0.0)
    usual = v.mean[FORECAST] * n / np.maximum(before, 1.0)
    times = np.maximum(distance / np.maximum(usual, TINY), 1.0)
    power = 1.0 + (MOST_POWER - 1.0) * np.minimum(before / MANY, 1.0)
    often = np.minimum(np.maximum(before / NO_NEWS, 1.0), LEAST_NEWS)
    share = np.exp(-power * np.log(times) - LN10 * lift)
    each: Floats = often * before / (CHANGES_A_STEP * (n + 1.0)) * share
    return each


def first(v: Vitals, off: Bools, rows: Rows) -> Bools:
    """Tell where a metric that was constant all through its warm-up changes; `off`: by anything."""
    now: Bools = (v.changes == 1.0) & (v.held == 0.0) & (rows.seen >= WARMUP) & off
    if np.count_nonzero(now):
        now &= v.held_mean >= WARMUP - RECENT - 1
    return now
