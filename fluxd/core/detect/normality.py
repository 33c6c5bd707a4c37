"""The forecast's errors judged by a normal law, as far as they have been one.

Hill's index (`tail`) has a floor, since real metrics that look normal most of the time still have
bursts. Where there were hardly any far beyond the edge, the law may be trusted; where errors to one
side are the larger ones, as of counts, for less on that side.
"""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import cadence
from fluxd.core.detect.layout import FORECAST, LN10, TINY, Floats, Vitals
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.tail import FAR_DAYS, FAR_ROWS, skewness

NORMAL, NORMAL_WIDTH = 1.66, 0.06  # shape up to which, and over which, distances count as normal
HALF_NORMAL = float(np.sqrt(2.0 / np.pi))  # mean of a standard normal law's absolute values
MOST_DEVIATIONS = 1e3
MARGIN = 1.5  # by which the rarity is lessened: nothing is quite normal
PER_BURST, PARDONED_OF_MARGIN, MOST_MARGIN = 2.0, 1.0, 3.0  # by so much more for each burst far out
PARDONED = 2.0  # bursts far out that say nothing of how many there will be: an event has two ends
COUNTED, LEAST_FAR = 8.0, 0.8  # the weight of others, and of none
SKEW_FAR = 8.0  # deviations
SKEW_SLACK, SKEW_ROWS = 2.0, 4000.0  # standard errors or so of a skewness, of at most so many rows


@dataclass(slots=True)
class Normality:
    """How far the forecast's errors may be trusted to be normal (0 to 1), and the rarity then."""

    trust: Floats
    rarity: Floats


def judge(
    v: Vitals, distance: Floats, lean: Floats, floor: Floats, daily: Floats, rows: Rows
) -> Normality:
    """Judge an error; no claim is rarer than so many quiet rows allow.

    `lean` is what `leaning` says, `daily` how many rows a day brings.
    """
    mean = v.mean[FORECAST]
    known = mean > floor
    shape = v.square[FORECAST] / np.where(known, mean * mean, 1.0)
    trust = np.minimum(np.maximum((NORMAL - shape) / NORMAL_WIDTH, 0.0), 1.0)
    trust *= known
    memory = np.maximum(FAR_ROWS, FAR_DAYS * daily)
    bursts = COUNTED * np.maximum(v.far - PARDONED, 0.0) + LEAST_FAR * cadence.part(daily)
    most = -np.log10(bursts / (np.minimum(rows.n, memory) + 1.0))
    more = PER_BURST * np.maximum(v.far - PARDONED_OF_MARGIN, 0.0)
    margin = MARGIN + np.minimum(more, MOST_MARGIN)
    rare = rarity_of(straight(deviations(v, distance), lean)) - margin
    return Normality(trust, np.sqrt(trust) * np.minimum(trust * rare, most))


def deviations(v: Vitals, distance: Floats) -> Floats:
    """Return a distance of the forecast's in standard deviations, by the mean of such distances."""
    mean = np.maximum(v.mean[FORECAST], TINY)
    x: Floats = np.minimum(HALF_NORMAL * distance / mean, MOST_DEVIATIONS)
    return x


def leaning(v: Vitals, side: Floats, n: Floats) -> Floats:
    """Return a sixth of the errors' skewness towards this row's side; 0 on the lighter one."""
    skew = side * skewness(v.cube, v.square[FORECAST])
    slack = SKEW_SLACK / np.sqrt(np.minimum(n, SKEW_ROWS) + 1.0)
    lean: Floats = np.maximum(skew - slack, 0.0) / 6.0
    return lean


def straight(x: Floats, lean: Floats) -> Floats:
    """Return how many deviations of a normal law are as rare as x of a skew one.

    The root w of x = w + lean (w^2 - 1): Cornish & Fisher 1938, first order; its ratio to x stays
    what it is at SKEW_FAR, beyond which the law says nothing.

    >>> straight(np.array([4.47, 4.47]), np.array([0.0, 0.0745])).round(2).tolist()
    [4.47, 3.59]
    """
    near = np.minimum(x, SKEW_FAR)
    root = 2.0 * (near + lean) / (1.0 + np.sqrt(1.0 + 4.0 * lean * (near + lean)))
    less: Floats = x * (root / np.maximum(near, TINY))
    return np.where(lean > 0.0, less, x)


def rarity_of(x: Floats) -> Floats:
    """Return -log10 P(|x| or more) of a standard normal law, to 0.002 from 2 on.

    By the upper bound of Mills' ratio of Sampford (1953); up to 0.03 too little below 2.

    >>> rarity_of(np.array([2.0, 4.0, 6.0])).round(2).tolist()
    [1.34, 4.2, 8.7]
    """
    mills = 4.0 / (3.0 * x + np.sqrt(x * x + 8.0))
    rare: Floats = x * x / (2.0 * LN10) - np.log10(mills * HALF_NORMAL)
    return np.maximum(rare, 0.0)
