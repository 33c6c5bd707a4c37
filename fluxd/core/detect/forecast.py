"""What value is expected here and now? A ridge regression per metric, with forgetting.

It weighs the last value, a short mean, the time of day and the time of week by how well they
have predicted this metric of late; a metric without seasons ends with weights near 0 for them.
The normal equations are solved outright every SOLVE rows (recursive least squares diverged on real
metrics), by elimination spelt out element by element: a library's solver would give other last
bits in another batch.
"""

import numpy as np

from fluxd.core.detect import cadence
from fluxd.core.detect.layout import INPUTS, Floats, Vitals
from fluxd.core.detect.profile import Season
from fluxd.core.detect.rounds import Rows

SOLVE = 16  # rows between two solutions; fewer where a day brings few
RIDGE = 1.0
PRIOR = np.array([[0.0], [0.3], [0.5], [0.2], [0.0]])
YOUNG = 30  # rows during which the short mean is the forecast, and limits are wider
INPUT_LIMIT = 8.0  # spreads
SHORT_ROWS = 5.0
LEAST_MEMORY_ROWS = 500.0  # else a day's rows
# no more than this part of the rows so far, or so many: at first there are seasons to find
PART, FIRST_MEMORY = 0.5, 100.0

FIRST, SECOND = np.triu_indices(INPUTS)
PLACE = {(int(i), int(j)): k for k, (i, j) in enumerate(zip(FIRST, SECOND, strict=True))}
DIAGONAL = [PLACE[i, i] for i in range(INPUTS)]


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.gram[:] = 0.0
    v.moment[:] = 0.0
    v.weights[:] = PRIOR


def inputs(v: Vitals, season: Season, scale: Floats) -> Floats:
    """Return the regression's inputs in spreads around the level, shape (INPUTS, metrics)."""
    phi = np.zeros((INPUTS, scale.size))
    np.subtract(v.recent[1], v.origin, out=phi[1])
    phi[2] = v.short
    phi[3] = season.day
    phi[4] = season.week
    phi -= v.level
    phi /= scale
    np.minimum(np.maximum(phi, -INPUT_LIMIT, out=phi), INPUT_LIMIT, out=phi)
    phi[0] = 1.0
    return phi


def predict(v: Vitals, phi: Floats, scale: Floats, rows: Rows) -> Floats:
    """Return the forecast in spreads around the level."""
    terms = v.weights * phi
    total: Floats = terms[0] + terms[1] + terms[2] + terms[3] + terms[4]
    if rows.youngest < YOUNG:
        total = np.where(rows.counts < YOUNG, (v.short - v.level) / scale, total)
    return total


def learn(v: Vitals, phi: Floats, target: Floats, trust: Floats, rows: Rows, daily: Floats) -> None:
    """Add one row per metric (target in spreads, trust 0 to 1) and solve where it is due."""
    memory = np.minimum(
        np.maximum(daily, LEAST_MEMORY_ROWS), np.maximum(PART * rows.n, FIRST_MEMORY)
    )
    keep = 1.0 - 1.0 / memory
    trusted = phi * trust
    v.gram *= keep
    v.gram += trusted.take(FIRST, axis=0) * phi.take(SECOND, axis=0)
    v.moment *= keep
    v.moment += trusted * np.minimum(np.maximum(target, -INPUT_LIMIT), INPUT_LIMIT)
    due = rows.n % np.maximum(SOLVE * cadence.part(daily) // 1.0, 1.0) == 0.0
    if rows.youngest < YOUNG:
        due &= rows.counts >= YOUNG
    at = due.nonzero()[0]
    if at.size:
        v.weights[:, at] = solve(v.gram[:, at], v.moment[:, at])


def solve(gram: Floats, moment: Floats) -> Floats:
    """Solve (A + RIDGE I) w = b + RIDGE PRIOR for many metrics.

    `gram` (15, metrics) holds A's upper triangle by rows and is overwritten. A is positive
    semidefinite, so that every pivot is at least about RIDGE and none need be sought.
    """
    rows = [[gram[PLACE[min(i, j), max(i, j)]] for j in range(INPUTS)] for i in range(INPUTS)]
    right = list(moment + RIDGE * PRIOR)
    gram[DIAGONAL] += RIDGE
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
        np.divide(total, rows[k][k], out=solution[k])
    return solution
