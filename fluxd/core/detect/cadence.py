"""What follows from how often a metric reports: seldom, once a minute, every second.

People count false alarms by the day, not by the datapoint. A metric that reports seldom brings so
few rows that one bad day weighs for weeks, but as few false alarms, too.
"""

import numpy as np

from fluxd.core.detect.layout import Bools, Floats

PLENTY = 288.0  # rows a day, one every five minutes
USUAL = 1440.0  # one every minute, which is what scores are made for
SELDOM, OFTEN = 0.3, 0.8  # of the tenfolds by which a metric reports less (more) often than that


def part(daily: Floats) -> Floats:
    """Return how many of PLENTY rows a day brings (0 to 1)."""
    some: Floats = np.minimum(daily / PLENTY, 1.0)
    return some


def weight(daily: Floats, found: Bools) -> Floats:
    """Return what a row counts for in what is learnt of errors (0 to 1).

    Less where the profiles do not know its time of day yet (not `found`): errors are larger then
    than they will ever be again.
    """
    return np.where(found, 1.0, _unfound(daily))


def pace(n: Floats, memory: Floats, daily: Floats, weighs: Floats) -> Floats:
    """Return by how much a row that weighs so much moves a mean of `n` rows, at most `memory`.

    As if all rows of the first day had had the weight of rows without a profile.
    """
    first = np.minimum(n, daily)
    rows = n - first * (1.0 - _unfound(daily))
    share: Floats = weighs / np.maximum(np.minimum(rows, memory), weighs)
    return share


def lift(daily: Floats, n: Floats, known: Bools) -> Floats:
    """Return by how much more a rarity (-log10 of a chance per row) counts than one a minute's.

    More where rows come seldom, once the season is `known`; less where they come so often that a
    day, or the `n` rows so far, has more of them.
    """
    seldom = SELDOM * np.log10(np.maximum(USUAL / daily, 1.0)) * known
    often = OFTEN * np.log10(np.maximum(np.minimum(daily, n) / USUAL, 1.0))
    more: Floats = seldom - often
    return more


def _unfound(daily: Floats) -> Floats:
    return part(daily) ** 2
