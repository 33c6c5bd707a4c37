"""What follows from how often a metric reports."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.detect import cadence
from fluxd.core.detect.layout import Floats

DAILY = st.sampled_from([0.1, 1.0, 24.0, 96.0, 144.0, 288.0, 1_440.0, 86_400.0])


def one(value: float) -> Floats:
    return np.array([value])


def lifted(daily: float, n: float, *, known: bool = True) -> float:
    return float(cadence.lift(one(daily), one(n), np.array([known]))[0])


@given(daily=DAILY, memory=st.floats(1.0, 1e4), rows=st.integers(1, 400))
def test_the_pace_of_a_metric_that_reports_often_is_that_of_a_mean(
    daily: float, memory: float, rows: int
) -> None:
    daily = max(daily, cadence.PLENTY)
    pace = cadence.pace(one(rows), one(memory), one(daily), one(1.0))
    assert pace[0] == pytest.approx(1.0 / max(min(rows, memory), 1.0))


@given(daily=st.integers(1, 287), seed=st.integers(0, 99), more=st.integers(1, 300))
def test_rows_of_the_first_day_weigh_less_in_the_mean(daily: int, seed: int, more: int) -> None:
    """Its naive twin is the weighted mean of all rows."""
    values = np.random.default_rng(seed).normal(size=daily + more)
    weights = cadence.weight(np.full(values.size, daily), np.arange(values.size) >= daily)
    mean = 0.0
    for n, (value, weight) in enumerate(zip(values, weights, strict=True), start=1):
        pace = cadence.pace(one(n), one(1e9), one(daily), one(weight))
        mean += (value - mean) * float(pace[0])
    assert mean == pytest.approx(np.average(values, weights=weights), abs=1e-9)


def test_what_is_spared_moves_nothing() -> None:
    assert cadence.pace(one(5.0), one(100.0), one(24.0), one(0.0))[0] == 0.0


def test_once_a_minute_is_what_scores_are_made_for() -> None:
    assert lifted(1_440.0, 1e6) == 0.0


@given(n=st.floats(100.0, 1e6), known=st.booleans())
def test_a_rarity_counts_for_more_the_less_often_a_metric_reports(
    n: float,
    *,
    known: bool,
) -> None:
    lifts = [
        lifted(daily, n, known=known) for daily in (86_400.0, 8_640.0, 1_440.0, 288.0, 24.0, 1.0)
    ]
    assert lifts == sorted(lifts)
    assert lifts[-1] > 0.0 if known else lifts[-1] == 0.0


def test_a_metric_that_reports_every_second_is_not_judged_by_a_day_that_has_only_begun() -> None:
    assert lifted(86_400.0, 1_000.0) == 0.0
    assert 0.0 > lifted(86_400.0, 5_000.0) > lifted(86_400.0, 1e5)
