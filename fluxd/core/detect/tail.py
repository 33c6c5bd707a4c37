"""How rare is a distance, by the metric's own history of such distances?

Works on rows of shape (parts, metrics), one part per question asked of a datapoint.
"""

import numpy as np

from fluxd.core.detect.layout import WARMUP, Floats, Ints, Vitals

EDGE_SHARE = 0.03  # of the rows lie beyond the edge
EDGE_RARITY = -float(np.log10(EDGE_SHARE))
LN10 = float(np.log(10.0))
FIRST_TAIL, LEAST_TAIL = 0.3, 0.25  # the least is about that of an exponential law
PRIOR_BURSTS, MOST_BURSTS = 3.0, 300.0
BURST_ROWS = 10
EARLY_LIMIT, LATE_LIMIT, FEW_BURSTS = 8.0, 2.5, 5.0
FIRST_ROWS = 10  # not used for the first edge: the forecast is still finding its feet
ABSURD = 1000.0  # edges; a distance beyond lifts the edge at once, at most LEAP-fold a row
LEAP = 10.0
TINY = 1e-60


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.edge[:] = 0.0
    v.tail[:] = FIRST_TAIL
    v.bursts[:] = PRIOR_BURSTS
    v.burst_peak[:] = 0.0
    v.burst_start[:] = -BURST_ROWS


def rarity(v: Vitals, distance: Floats, floor: Floats) -> Floats:
    """Return -log10 P(distance or more), shape (parts, metrics).

    Up to the edge u, 1.52 z/u; beyond it a power law, P = .03 (z/u)^(-1/g) (Hill 1975).
    """
    ratio = distance / np.maximum(np.maximum(v.edge, floor), TINY)
    beyond = np.log(np.maximum(ratio, 1.0))
    return np.where(
        ratio > 1.0, EDGE_RARITY + beyond / (v.tail * LN10), EDGE_RARITY * ratio
    )


def reach(v: Vitals, part: int, rare: Floats, floor: Floats) -> Floats:
    """Return the distance whose rarity is `rare` (at least that of the edge)."""
    edge = np.maximum(np.maximum(v.edge[part], floor), TINY)
    return edge * np.exp(np.minimum(v.tail[part] * LN10 * (rare - EDGE_RARITY), 60.0))


def learn(v: Vitals, distance: Floats, floor: Floats, counts: Ints) -> None:
    """Move edge and index by one row per metric."""
    n = counts.astype(np.float64)
    live = counts >= WARMUP
    if live.all():
        _learn_tail(v, distance, floor, n, live)
        v.edge[:] = _edge(v, distance, floor, n)
        return
    young = (counts >= FIRST_ROWS) & ~live
    grown = v.edge + (3.0 * distance - v.edge) / np.maximum(n - (FIRST_ROWS - 1.0), 1.0)
    _learn_tail(v, distance, floor, n, live)
    v.edge[:] = np.where(live, _edge(v, distance, floor, n), np.where(young, grown, v.edge))


def _edge(v: Vitals, distance: Floats, floor: Floats, n: Floats) -> Floats:
    """Steps up and down whose balance is the quantile; quick at first."""
    rate = 50.0 / np.minimum(n + 1.0, 10_000.0)
    up = np.minimum(rate, 0.3) * (1.0 - EDGE_SHARE)
    stepped = v.edge * np.exp(np.where(distance > v.edge, up, -rate * EDGE_SHARE))
    leap = np.minimum(distance / ABSURD, LEAP * np.maximum(v.edge, floor))
    return np.maximum(np.maximum(stepped, leap), 1e-12 * floor + TINY)


def _learn_tail(v: Vitals, distance: Floats, floor: Floats, n: Floats, live: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> None:
    """Hill's mean of ln(z/u), but a burst counts once, with its peak, and only so far."""
    edge = np.maximum(np.maximum(v.edge, floor), TINY)
    above = (distance > edge) & live
    if not above.any():
        return
    part, at = np.nonzero(above)
    tail, bursts = v.tail[part, at], v.bursts[part, at]
    limit = LATE_LIMIT + (EARLY_LIMIT - LATE_LIMIT) * np.minimum(1.0, FEW_BURSTS / bursts)
    excess = np.minimum(np.log(distance[part, at] / edge[part, at]), limit * tail)
    new = n[at] - v.burst_start[part, at] >= BURST_ROWS
    peak = v.burst_peak[part, at]
    more = ~new & (excess > peak)
    bursts = np.where(new, np.minimum(bursts + 1.0, MOST_BURSTS), bursts)
    change = np.where(new, excess - tail, np.where(more, excess - peak, 0.0)) / bursts
    v.tail[part, at] = np.maximum(tail + change, LEAST_TAIL)
    v.bursts[part, at] = bursts
    v.burst_peak[part, at] = np.where(new | more, excess, peak)
    v.burst_start[part, at] = np.where(new, n[at], v.burst_start[part, at])
