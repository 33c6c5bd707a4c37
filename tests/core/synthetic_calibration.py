"""Does a score mean what it says? Quiet data pooled over metrics: claimed and observed."""

from collections.abc import Callable, Sequence

import numpy as np
from core.synthetic import DAY, Array, Run, clock
from core.synthetic_quiet import NOISES

KINDS = ("gaussian", "laplace", "poisson 5", "autoregressive", "daily wave")
METRICS = 24  # of each kind
LEARNT_DAYS = 10
CLAIMS = (1.0, 7.0, 30.0)  # days


def quiet_data(step: int, days: int) -> list[tuple[Array, Array]]:
    pairs = []
    for k, kind in enumerate(KINDS):
        for number in range(METRICS):
            run = Run(number, np.random.default_rng([k, number]))
            times = clock(days * DAY // step, step)
            pairs.append((times, np.asarray(NOISES[kind](run, times), float)))
    return pairs


def observed(
    pairs: Sequence[tuple[Array, Array]],
    scores: Sequence[Array],
    days_between: Callable[[float, float], float],
) -> dict[str, list[float]]:
    """Return by kind, and for all, in how many days a datapoint claimed as rare as each came."""
    counts = np.zeros((len(KINDS), len(CLAIMS)))
    days = np.zeros(len(KINDS))
    for i, ((times, _), score) in enumerate(zip(pairs, scores, strict=True)):
        live = times >= times[0] + LEARNT_DAYS * DAY
        step = float(times[1] - times[0])
        days[i // METRICS] += live.sum() * step / DAY
        odd = score[live & (score > 0.1)].tolist()
        claimed = np.array([days_between(s, step) for s in odd])
        counts[i // METRICS] += [(claimed >= claim).sum() for claim in CLAIMS]
    with np.errstate(divide="ignore"):
        table = {kind: (days[k] / counts[k]).tolist() for k, kind in enumerate(KINDS)}
        table["all"] = (days.sum() / counts.sum(axis=0)).tolist()
    return table
