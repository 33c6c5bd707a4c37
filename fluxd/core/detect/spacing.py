"""A metric's interval, learnt as its rows come."""

import numpy as np

from fluxd.core.detect.layout import DAY_S, SPACINGS, Floats, Ints, Vitals
from fluxd.core.detect.rounds import Rows

EVERY = 8  # rows between two looks, once the first ones are over
SAME = 0.1  # relative difference up to which a median agrees with the interval
STRAY = 0.5  # relative difference from which a spacing does not agree at all
STRAYS_SHARE = 1.0 / 16.0  # by which one look moves the share of such spacings
GAP_FADE = 0.996  # a look, so that a gap that was usual is forgotten within some thousand rows
MOST_VOTES = 8.0  # medians that must disagree before a long-settled interval is given up


def learn(v: Vitals, rows: Rows, marks: Ints) -> None:
    """Take the time since each metric's row before, at `marks` (nothing for a first row).

    Each look takes the median of the last eight time differences. The interval is the median that
    a majority of the looks agree with (Boyer & Moore 1981): jitter and a gap do not move it, a
    lasting change does, within about MOST_VOTES * EVERY rows.
    """
    spacings = v.spacings
    spacings[1:] = spacings[:-1].copy()
    spacings[0] = rows.timestamps - marks
    counts = rows.counts
    due = counts % EVERY == 0
    if rows.youngest <= SPACINGS:
        first = counts == 1
        if np.count_nonzero(first):
            spacings[:, first] = spacings[0, first]
        due = (due | (counts <= SPACINGS)) & (counts > 0)
    at = due.nonzero()[0]
    if not at.size:
        return
    ordered = np.sort(spacings[:, at], axis=0)
    middle = ordered[SPACINGS // 2 - 1]
    interval, votes = v.interval[at], v.votes[at]
    agrees = np.abs(middle - interval) <= SAME * interval
    votes = np.where(agrees, np.minimum(votes + 1.0, MOST_VOTES), votes - 1.0)
    replace = (votes < 0.0) | (counts[at] <= SPACINGS)
    v.interval[at] = np.where(replace, middle, interval)
    v.votes[at] = np.where(replace, 0.0, votes)
    # The second longest of eight came more than once, or nearly so.
    v.gap[at] = np.maximum(ordered[-2], GAP_FADE * v.gap[at])
    far = np.zeros(at.size)
    for one in ordered:
        far += np.abs(one - v.interval[at]) > STRAY * v.interval[at]
    v.strays[at] += STRAYS_SHARE * (far / SPACINGS - v.strays[at])


def rows_a_day(v: Vitals) -> Floats:
    """Return how many rows a day brings; as if one a second while the interval is unknown."""
    return DAY_S / np.maximum(v.interval, 1.0)
