"""The chance of a distance, by the metric's own history of such distances.

Works on rows of shape (parts, metrics), one part per question asked of a datapoint.
"""

import numpy as np

from fluxd.core.detect import cadence, steady
from fluxd.core.detect.layout import FORECAST, LN10, TINY, WARMUP, Bools, Floats, Vitals
from fluxd.core.detect.rounds import Rows

EDGE_SHARE = 0.03  # of the rows lie beyond the edge
EDGE_RARITY = -float(np.log10(EDGE_SHARE))
EDGE_ROWS, FASTEST, SLOWEST = 50.0, 0.3, 10_000.0  # rate of the edge: 50 / rows seen, bounded
EDGE_MEANS = (2.7, 3.0)  # the first edge in mean distances: bell-shaped, unknown shape
RUN_ROWS, RUN_SHARE = 10.0, 0.1  # of the pace upwards: a long anomaly is not learnt within the hour
STRANGE = 20.0  # edges that a run is off which tells of another scale, and nothing of the tail
ABSURD, LEAP = 1000.0, 10.0  # if so many edges off lasts RUN_ROWS, the edge leaps, tenfold a row

FIRST_TAIL, LEAST_TAIL = 0.4, 0.26  # the least is about that of an exponential law
BELL_TAIL = 0.13  # first and least index of bell-shaped distances
# after so many rows: it comes of anomalies that recur, and they are to be found all the same
PRIOR_BURSTS, MOST_BURSTS, BURST_ROWS = 3.0, 300.0, 10
BELL_BURSTS = 12.0  # that the prior of bell-shaped distances is worth more at their first burst
SKEW = 1.1  # skewness at which it is not, and below which it is less
EARLY_LIMIT, LATE_LIMIT, FEW_BURSTS = 8.0, 3.0, 10.0  # indices that one burst counts for at most

BELL, NO_BELL = 1.75, 2.0  # mean square over squared mean: 1.57 for a normal law, 2 for Laplace's
BELL_ROWS = 1000.0  # the shape of the bulk says less and less about the tail after so many rows
FIRST_ROWS = 10  # not looked at: the forecast is still finding its feet
SHAPE_LIMIT, SHAPE_ROWS = 5.0, 2000.0  # mean distances that one row counts for; memory
SHAPE_PART, SHAPE_FIRST = 0.67, 300.0  # memory is this part of the rows so far, or so many
SHAPE_YOUNG = 13  # rows before they are limited
SKEW_LIMIT = 4.0  # the same of the skewness: one outlier makes no skew law
SHAPE_RUN = 2.0  # rows in a row beyond the edge after which they say nothing of the shape

MOST_GROWTH = 60.0  # as a power of e
SURELY = 8.0  # times the largest error that is to be expected of so many rows
FAR = 1.9  # edges; a normal law goes beyond once in 25,000 rows
FAR_ROWS, FAR_DAYS = 10_000.0, 7.0  # memory of bursts that far: the longer of the two


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.edge[:] = 0.0
    v.tail[:] = FIRST_TAIL
    v.bursts[:] = PRIOR_BURSTS
    v.burst_peak[:] = 0.0
    v.burst_start[:] = -BURST_ROWS
    v.run[:] = 0.0
    v.mean[:] = 0.0
    v.square[:] = v.cube[:] = 0.0
    v.far[:] = 0.0
    v.trace[:] = v.ongoing[:] = 0.0


def bell(v: Vitals, floor: Floats, rows: Rows) -> Floats:
    """Return how far (0 to 1) the bulk's shape speaks for a light tail, shape (parts, metrics).

    Before a metric has had its first bursts the bulk is all that is known of its tail. Later the
    bursts speak for themselves: real metrics that are bell-shaped most of the time still have them.
    """
    known = v.mean > floor
    shape = v.square / np.where(known, v.mean * v.mean, 1.0)
    light = np.minimum(np.maximum((NO_BELL - shape) / (NO_BELL - BELL), 0.0), 1.0)
    return light * np.minimum(BELL_ROWS / (rows.n + 1.0), 1.0) * known


def begin(v: Vitals, light: Floats, seldom: Bools, rows: Rows) -> None:
    """Set the first edge and index of metrics whose warm-up is over, and that have a scale."""
    ready = ~seldom & (v.edge[FORECAST] == 0.0) & (rows.seen >= WARMUP)
    ready = ready.nonzero()[0]
    if ready.size:
        some = light[:, ready]
        v.tail[:, ready] = FIRST_TAIL + some * (BELL_TAIL - FIRST_TAIL)
        least, most = EDGE_MEANS
        v.edge[:, ready] = v.mean[:, ready] * (most + some * (least - most))


def rarity(v: Vitals, distance: Floats, floor: Floats) -> Floats:
    """Return -log10 P(distance or more), shape (parts, metrics).

    Up to the edge u, 1.52 z/u; beyond it a power law, P = .03 (z/u)^(-1/g) (Hill 1975).
    """
    ratio = distance / np.maximum(np.maximum(v.edge, floor), TINY)
    beyond = np.log(np.maximum(ratio, 1.0)) / (v.tail * LN10)
    return np.minimum(ratio, 1.0) * EDGE_RARITY + beyond


def skewness(cube: Floats, square: Floats) -> Floats:
    """Return the skewness of the forecast's errors, of the means of their powers."""
    skew: Floats = cube / np.maximum(square, TINY) ** 1.5
    return skew


def beyond_all(v: Vitals, distance: Floats, floor: Floats, magnitude: Floats, n: Floats) -> Floats:
    """Return how many times over a forecast's error is surely the largest of n rows, at least 1.

    Where values seldom change the errors say little: it must be larger than the level, too, and a
    metric that has been nothing but zero has shown no scale at all.
    """
    edge = np.maximum(np.maximum(v.edge[FORECAST], floor), TINY)
    growth = np.maximum(v.tail[FORECAST], LEAST_TAIL) * np.log(np.maximum(EDGE_SHARE * n, 1.0))
    largest = SURELY * edge * np.exp(np.minimum(growth, MOST_GROWTH))
    times = distance / np.maximum(largest, magnitude)
    known = np.maximum(magnitude, v.mean[FORECAST]) > floor
    return np.where(known, np.maximum(times, 1.0), 1.0)


def reach(v: Vitals, part: int, rare: Floats, floor: Floats) -> Floats:
    """Return the distance whose rarity is `rare` (at least that of the edge)."""
    edge = np.maximum(np.maximum(v.edge[part], floor), TINY)
    growth = np.minimum(v.tail[part] * LN10 * (rare - EDGE_RARITY), MOST_GROWTH)
    far: Floats = edge * np.exp(growth)
    return far


def learn(
    v: Vitals,
    distance: Floats,
    side: Floats,
    floor: Floats,
    light: Floats,
    rows: Rows,
    daily: Floats,
    weight: Floats,
) -> None:
    """Move edge, index and shape by one row per metric; `side` is the sign of the forecast's.

    `weight` is what the row counts for in the shape; where it is 0 nothing is learnt.
    """
    seldom = steady.seldom(v, rows.n)
    if rows.oldest >= WARMUP:
        live = (rows.seen >= WARMUP) & (weight > 0.0) & ~seldom
        beyond = (distance > np.maximum(v.edge, floor)) & live
        v.far *= 1.0 - 1.0 / np.maximum(FAR_ROWS, FAR_DAYS * daily)
        _learn_tail(v, distance, floor, light, rows, beyond)
        np.copyto(v.edge, _edge(v, distance, floor, rows, live), where=live)
    limited = np.where(seldom, distance, np.minimum(distance, SHAPE_LIMIT * v.mean + floor))
    memory = np.minimum(np.maximum(SHAPE_PART * rows.n, SHAPE_FIRST), SHAPE_ROWS)
    known = np.maximum(rows.n - (FIRST_ROWS - 1.0), 1.0)
    rate = cadence.pace(known, memory, daily, weight) * (v.run <= SHAPE_RUN)
    if rows.youngest < SHAPE_YOUNG:
        limited = np.where(rows.counts < SHAPE_YOUNG, distance, limited)
        rate = np.where(rows.counts < FIRST_ROWS, 0.0, rate)
    v.mean += (limited - v.mean) * rate
    v.square += (limited * limited - v.square) * rate
    third = np.minimum(limited[FORECAST], SKEW_LIMIT * v.mean[FORECAST])
    v.cube += (side * third**3 - v.cube) * rate[FORECAST]


def _edge(v: Vitals, distance: Floats, floor: Floats, rows: Rows, live: Bools) -> Floats:
    """Move by steps up and down whose balance is the quantile; quickly at first."""
    above = distance > v.edge
    # A metric in its warm-up must not change because a live one shares its batch.
    np.copyto(v.run, (v.run + 1.0) * above, where=live)
    rate = EDGE_ROWS / np.minimum(rows.n + 1.0, SLOWEST)
    up = np.minimum(rate, FASTEST) * (1.0 - EDGE_SHARE)
    lasting = v.run > RUN_ROWS
    step = np.where(above, np.where(lasting, up * RUN_SHARE, up), rate * -EDGE_SHARE)
    edge = v.edge * np.exp(step)
    if np.count_nonzero(lasting):
        leap = np.minimum(distance / ABSURD, LEAP * np.maximum(v.edge, floor))
        edge = np.where(lasting, np.maximum(edge, leap), edge)
    return np.maximum(edge, 1e-12 * floor + TINY)


def _learn_tail(
    v: Vitals, distance: Floats, floor: Floats, light: Floats, rows: Rows, beyond: Bools
) -> None:
    """Hill's mean of ln(z/u), with three guards that matter more than anything else here.

    A burst counts once, with its peak; only for so many indices, freely while few are known; and
    the index has a floor. Of bell-shaped distances, to both sides alike, one burst does not make
    a tail, but some do.
    """
    strange = distance >= STRANGE * np.maximum(v.edge, floor)
    part, at = np.nonzero(beyond & ~(strange & (v.run > RUN_ROWS)))
    if not at.size:
        return
    edge = np.maximum(np.maximum(v.edge[part, at], floor[at]), TINY)
    tail, bursts = v.tail[part, at], v.bursts[part, at]
    limit = LATE_LIMIT + (EARLY_LIMIT - LATE_LIMIT) * np.minimum(1.0, FEW_BURSTS / bursts)
    limit *= np.maximum(tail, LEAST_TAIL)
    excess = np.minimum(np.log(distance[part, at] / edge), limit)
    new = rows.counts[at] - v.burst_start[part, at] >= BURST_ROWS
    ratio = distance[part, at] / edge
    far = (part == FORECAST) & (ratio > FAR) & (v.run[part, at] == 0.0)
    v.far[at[far]] += 1.0
    peak = v.burst_peak[part, at]
    more = ~new & (excess > peak)
    bursts = np.where(new, np.minimum(bursts + 1.0, MOST_BURSTS), bursts)
    change = np.where(new, excess - tail, np.where(more, excess - peak, 0.0))
    skew = np.abs(skewness(v.cube[at], v.square[FORECAST, at]))
    even = np.maximum(1.0 - skew / SKEW, 0.0)
    prior = BELL_BURSTS * light[part, at] * even / np.maximum(bursts - PRIOR_BURSTS, 1.0)
    change /= bursts + prior
    least = LEAST_TAIL + light[part, at] * (BELL_TAIL - LEAST_TAIL)
    v.tail[part, at] = np.maximum(tail + change, least)
    v.bursts[part, at] = bursts
    v.burst_peak[part, at] = np.where(new | more, excess, peak)
    v.burst_start[part, at] = np.where(new, rows.counts[at], v.burst_start[part, at])
