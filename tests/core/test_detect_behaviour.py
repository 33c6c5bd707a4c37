"""What the detector finds and what it leaves alone, on series with a known truth."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fluxd.core.detect import THRESHOLD, score_many

Array = npt.NDArray[Any]
START = 1_700_000_000
RUNS = 60
ENOUGH = 0.95  # of the runs


def series(values: Array, step: int = 60) -> tuple[Array, Array]:
    return START + step * np.arange(values.size), values


def alarms(score: Array, join: int = 60) -> int:
    """Notifications: alarms less than an hour apart are one."""
    rows = np.flatnonzero(score >= THRESHOLD)
    return int((np.diff(rows, prepend=-join - 1) > join).sum()) if rows.size else 0


@pytest.mark.parametrize("known", [100, 720])
@pytest.mark.parametrize("rows", [1, 10])
@pytest.mark.parametrize("sign", [1, -1])
def test_eight_sigma_are_found_at_every_scale(known: int, rows: int, sign: int) -> None:
    pairs = []
    for run in range(RUNS):
        rng = np.random.default_rng([known, run])
        values = rng.normal(size=known + 20) + 50.0 * (run % 2)
        values[known : known + rows] = 8.0 * sign + 50.0 * (run % 2)
        pairs.append(series(values * 10.0 ** (run % 16 - 6)))
    found = [score[known : known + rows].max() >= THRESHOLD for score in score_many(pairs)]
    assert np.mean(found) >= ENOUGH


def quiet(kind: str, rng: np.random.Generator, n: int) -> Array:
    match kind:
        case "normal":
            return rng.normal(size=n)
        case "laplace":
            return rng.laplace(size=n)
        case "counts":
            return rng.poisson(5.0, n).astype(float)
        case "sticky":
            return np.repeat(rng.integers(0, 5, n // 20 + 1), 20)[:n].astype(float)
        case _:
            wave = 10.0 * np.sin(2 * np.pi * np.arange(n) / 1440)
            return wave + rng.normal(size=n)


def test_quiet_metrics_are_left_alone() -> None:
    """At most one false alarm in ten metric-days, on each kind of noise."""
    kinds, days, runs = ("normal", "laplace", "counts", "sticky", "wave"), 2, 30
    pairs = [
        series(quiet(kind, np.random.default_rng([k, run]), days * 1440))
        for k, kind in enumerate(kinds)
        for run in range(runs)
    ]
    told = np.array([alarms(score) for score in score_many(pairs)]).reshape(len(kinds), runs)
    rates = dict(zip(kinds, told.sum(axis=1) / (runs * days), strict=True))
    assert max(rates.values()) <= 0.1, rates


@pytest.mark.parametrize(("size", "rows"), [(40.0, 120), (1e6, 1), (1e30, 1)])
def test_an_anomaly_does_not_poison_what_follows(size: float, rows: int) -> None:
    """Two hours far off, or one absurd value: an hour later a spike of 12 sigma is still found."""
    pairs = []
    for run in range(RUNS):
        values = np.random.default_rng(run).normal(size=3100)
        values[2880 : 2880 + rows] += size
        values[2940 + rows] = 12.0
        pairs.append(series(values))
    scores = score_many(pairs)
    assert all(score[2880] >= THRESHOLD for score in scores)
    assert np.mean([score[2940 + rows] >= THRESHOLD for score in scores]) >= 0.9


def test_an_anomaly_is_not_learnt_within_the_hour() -> None:
    pairs = []
    for run in range(RUNS):
        values = np.random.default_rng(run).normal(size=3000)
        values[2880:2940] += 30.0
        pairs.append(series(values))
    assert min((score[2880:2940] >= THRESHOLD).mean() for score in score_many(pairs)) > 0.9


def test_a_constant_metric_is_silent_and_its_first_change_is_news() -> None:
    values = np.full(2000, 7.0)
    values[1500] = 8.0
    (score,) = score_many([series(values)])
    assert np.flatnonzero(score >= THRESHOLD)[0] == 1500
    assert not score[:1500].any()
