"""What nobody would call usual is an anomaly from the 100th datapoint on, whatever its law."""

import numpy as np
import pytest

from fluxd.core.detect import THRESHOLD, score_many

RUNS, MORE = 10, 60
ROWS = 700
TIMES = 1_700_000_040 + 60 * np.arange(ROWS)
TURNS = (TIMES // 60).astype(np.float64)

LAWS = {
    "constant": lambda _: np.full(ROWS, 5.0),
    "saw": lambda _: TURNS % 7,
    "noisy saw": lambda noise: TURNS % 7 + noise.normal(0, 0.3, ROWS),
    "alternating": lambda _: TURNS % 2,
    "gaussian": lambda noise: noise.normal(50, 1, ROWS),
    "exponential": lambda noise: noise.exponential(1, ROWS),
    "lognormal": lambda noise: np.exp(noise.normal(0, 1, ROWS)),
    "poisson": lambda noise: noise.poisson(3, ROWS).astype(np.float64),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("at", [120, 250, 600])
def test_a_hundred_times_the_largest_is_found(law: str, at: int) -> None:
    pairs = []
    for seed in range(RUNS):
        values = LAWS[law](np.random.default_rng(seed))
        values[at] = 100 * np.abs(values[:at]).max()
        pairs.append((TIMES[: at + 1], values[: at + 1]))
    found = [scores[-1] >= THRESHOLD for scores in score_many(pairs)]
    assert sum(found) == RUNS


def test_and_nothing_else_is() -> None:
    """Half a day of each law has an anomaly in few of the runs, heavy tails included."""
    pairs = [
        (TIMES, law(np.random.default_rng(seed))) for law in LAWS.values() for seed in range(MORE)
    ]
    odd = [bool((scores >= THRESHOLD).any()) for scores in score_many(pairs)]
    counts = {name: sum(odd[n * MORE : n * MORE + MORE]) for n, name in enumerate(LAWS)}
    heavy = counts.pop("exponential"), counts.pop("lognormal")
    assert max(heavy) <= MORE / 4, heavy
    assert max(counts.values()) <= MORE / 20, counts
