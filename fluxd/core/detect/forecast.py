"""What value is expected here and now? A ridge regression per metric, with forgetting.

It weighs the last value, a short mean, the time of day and the time of week by how well they
have predicted this metric of late; a metric without seasons ends with weights near 0 for them.
The normal equations are solved outright every SOLVE rows (recursive least squares diverged on real
metrics), by elimination spelt out element by element: a library's solver would give other last
bits in another batch.
"""

import numpy as np

from fluxd.core.detect.layout import DAY_S, INPUTS, TRIANGLE, Floats, Ints, Vitals
from fluxd.core.detect.profile import Season

SOLVE = 16  # rows between two solutions
RIDGE = 3.0
PRIOR = np.array([[0.0], [0.3], [0.5], [0.2], [0.0]])
YOUNG = 30  # rows during which the short mean is the forecast and nothing is limited
INPUT_LIMIT = 8.0  # spreads
SHORT_ROWS = 5.0
LEAST_MEMORY_ROWS = 500.0
TINY = 1e-60

FIRST, SECOND = np.triu_indices(INPUTS)
PLACE = {(int(i), int(j)): k for k, (i, j) in enumerate(zip(FIRST, SECOND, strict=True))}
DIAGONAL = [PLACE[i, i] for i in range(INPUTS)]


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    for field in (v.short, v.level, v.spread, v.error, v.season_error, v.gram, v.moment):
        field[:] = 0.0
    v.weights[:] = PRIOR


def inputs(v: Vitals, season: Season, scale: Floats) -> Floats:
    """Return the regression's inputs in spreads around the level, shape (INPUTS, metrics)."""
    phi = np.empty((INPUTS, scale.size))
    phi[0] = 1.0
    phi[1] = v.recent[1] - v.origin
    phi[2] = v.short
    phi[3] = season.day
    phi[4] = season.week
    around = phi[1:]
    around -= v.level
    around /= scale
    np.minimum(np.maximum(around, -INPUT_LIMIT, out=around), INPUT_LIMIT, out=around)
    return phi


def predict(v: Vitals, phi: Floats, scale: Floats, counts: Ints) -> Floats:
    """Return the forecast in spreads around the level."""
    total = v.weights[0].copy()
    for weight, one in zip(v.weights[1:], phi[1:], strict=True):
        total += weight * one
    young = counts < YOUNG
    return np.where(young, (v.short - v.level) / scale, total) if young.any() else total


def learn(v: Vitals, phi: Floats, target: Floats, trust: Floats, counts: Ints) -> None:
    """Add one row per metric (target in spreads, trust 0 to 1) and solve where it is due."""
    keep = 1.0 - 1.0 / np.maximum(DAY_S / np.maximum(v.interval, 1.0), LEAST_MEMORY_ROWS)
    trusted = phi * trust
    v.gram *= keep
    v.gram += trusted[FIRST] * phi[SECOND]
    v.moment *= keep
    v.moment += trusted * np.minimum(np.maximum(target, -INPUT_LIMIT), INPUT_LIMIT)
    due = np.flatnonzero((counts % SOLVE == 0) & (counts >= YOUNG))
    if due.size:
        v.weights[:, due] = solve(v.gram[:, due], v.moment[:, due])


def solve(gram: Floats, moment: Floats) -> Floats:
    """Solve (A + RIDGE I) w = b + RIDGE PRIOR for many metrics.

    `gram` (TRIANGLE, metrics) holds A's upper triangle by rows and is overwritten. A is positive
    semidefinite, so that every pivot is at least about RIDGE and none need be sought.
    """
    assert gram.shape[0] == TRIANGLE
    rows = [[gram[PLACE[min(i, j), max(i, j)]] for j in range(INPUTS)] for i in range(INPUTS)]
    right = list(moment + RIDGE * PRIOR)
    for k in DIAGONAL:
        gram[k] += RIDGE
    for k in range(INPUTS):
        for i in range(k + 1, INPUTS):
            factor = rows[k][i] / rows[k][k]
            for j in range(i, INPUTS):
                rows[i][j] -= factor * rows[k][j]
            right[i] -= factor * right[k]
    solution = np.empty_like(moment)
    for k in reversed(range(INPUTS)):
        total = right[k]
        for j in range(k + 1, INPUTS):
            total = total - rows[k][j] * solution[j]
        solution[k] = total / rows[k][k]
    return solution
