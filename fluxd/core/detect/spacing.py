"""A metric's interval, learnt as its rows come."""

import numpy as np

from fluxd.core.detect.layout import SPACINGS, Bools, Floats, Ints, Vitals

EVERY = 8  # rows between two looks, once the first ones are over
SAME = 0.1  # relative difference up to which a median agrees with the interval
MOST_VOTES = 8.0  # medians that must disagree before a long-settled interval is given up


def learn(v: Vitals, spacing: Floats, counts: Ints) -> None:
    """Take the time since the row before (s) of rows that are not their metric's first.

    Each look takes the median of the last eight time differences. The interval is the median that
    a majority of the looks agree with (Boyer & Moore 1981): jitter and a gap do not move it, a
    lasting change does within SPACINGS * EVERY rows.
    """
    v.spacings[1:] = v.spacings[:-1].copy()
    v.spacings[0] = spacing
    first: Bools = counts == 1
    if first.any():
        v.spacings[:, first] = spacing[first]
    early = (counts > 0) & (counts <= SPACINGS)
    due = np.flatnonzero(early | ((counts % EVERY == 0) & (counts > 0)))
    if not due.size:
        return
    middle = np.sort(v.spacings[:, due], axis=0)[SPACINGS // 2 - 1]
    interval, votes = v.interval[due], v.votes[due]
    agrees = np.abs(middle - interval) <= SAME * interval
    votes = np.where(agrees, np.minimum(votes + 1.0, MOST_VOTES), votes - 1.0)
    replace = early[due] | (votes < 0.0)
    v.interval[due] = np.where(replace, middle, interval)
    v.votes[due] = np.where(replace, 0.0, votes)
