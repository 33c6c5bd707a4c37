"""Rows in a row beyond all before, against a slow, obvious twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.detect import Bank, records
from fluxd.core.detect.layout import THRESHOLD, VITALS, Floats, Vitals
from fluxd.core.detect.rounds import Rows

START = 1_700_000_000
FLOOR = 0.01
DAILY = 1_440.0


def blank() -> Vitals:
    v = Vitals(np.zeros((sum(VITALS.values()), 1)))
    records.start(v)
    v.interval[:] = 60.0
    v.last_hour[:] = v.range_low[:] = v.range_high[:] = 0.0
    return v


def row(value: float, n: int) -> Rows:
    now = np.array([START + 60 * n])
    count = np.array([n])
    return Rows(
        slots=np.zeros(1, np.int64),
        timestamps=now,
        local=now,
        values=np.array([value]),
        counts=count,
        seen=count,
        n=np.array([float(n)]),
        youngest=n,
        oldest=n,
    )


def naive(values: Floats, shorts: Floats) -> list[bool]:
    """Tell which rows are news of a metric whose level is 0, one row a minute."""
    low = high = peak = 0.0
    run, told = 0, []
    for n, (value, short) in enumerate(zip(values.tolist(), shorts.tolist(), strict=True)):
        above = value > high + max(0.25 * high, FLOOR)
        below = value < low + min(0.25 * low, -FLOOR)
        low, high = low * (1 - 1 / (60 * DAILY)), high * (1 - 1 / (60 * DAILY))
        side = 0
        if n >= 300 and (run or abs(value - short) > 0.5 * abs(value)):
            side = int(above) - int(below)
        if run and side != run / abs(run):
            low, high, run = min(low, peak), max(high, peak), 0
        if not side:
            low, high = min(low, value), max(high, value)
            told.append(False)
            continue
        run += side
        peak = value if abs(run) == 1 else max(peak * side, value * side) * side
        told.append(abs(run) >= 5)
        if abs(run) > 60:
            low, high, run = min(low, peak), max(high, peak), 0
    return told


@given(
    seed=st.integers(0, 10_000),
    runs=st.lists(st.tuples(st.integers(1, 70), st.floats(-9.0, 9.0)), max_size=8),
)
def test_what_goes_on_beyond_all_before_is_told(seed: int, runs: list[tuple[int, float]]) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=320)]
    for length, size in runs:
        parts += [size * rng.uniform(0.8, 1.2, length), rng.normal(size=int(rng.integers(1, 9)))]
    values = np.concatenate(parts)
    shorts = np.concatenate(([0.0], values[:-1] * rng.choice([0.0, 1.0], values.size - 1)))
    v, told = blank(), []
    for n, (value, short) in enumerate(zip(values.tolist(), shorts.tolist(), strict=True)):
        v.short[:] = short
        one = np.array([value])
        told.append(bool(records.turn(v, one, np.array([FLOOR]), row(value, n), np.array([DAILY]))))
    assert told == naive(values, shorts)


def test_a_slow_climb_is_no_record() -> None:
    v = blank()
    for n in range(900):
        value = n / 100.0
        v.short[:] = value - 0.02
        told = records.turn(
            v, np.array([value]), np.array([FLOOR]), row(value, n), np.array([DAILY])
        )
        assert not told


def test_of_what_seldom_moves_many_rows_are_one_value() -> None:
    rng = np.random.default_rng(5)
    count, rows = 40, 3_000
    times = START + 60 * np.arange(rows)
    bank = Bank()
    bank.grow(count)
    told = 0
    for slot in range(count):
        values = np.repeat(rng.poisson(20.0, rows), rng.geometric(1.0 / 15.0, rows))[:rows]
        verdicts = bank.advance(np.full(rows, slot), times, values.astype(float))
        told += bool((verdicts.score >= THRESHOLD).any())
    assert told <= 5


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_band_is_never_far_beyond_all_that_was(sign: float) -> None:
    """Bursts make a law by which nothing is rare; its band would say nothing."""
    rng = np.random.default_rng(7)
    values = sign * rng.poisson(0.02, 6_000).astype(float)
    times = START + 60 * np.arange(values.size)
    bank = Bank()
    bank.grow(1)
    verdicts = bank.advance(np.zeros(values.size, np.int64), times, values)
    farthest = np.abs(values).max()
    band = np.abs(np.concatenate((verdicts.lower[300:], verdicts.upper[300:])))
    assert band.max() <= 2.1 * farthest
    inside = (verdicts.lower <= verdicts.expected) & (verdicts.expected <= verdicts.upper)
    assert inside[300:].all()


def test_what_is_expected_during_a_record_is_what_is_usual() -> None:
    rng = np.random.default_rng(3)
    values = rng.poisson(0.02, 4_340).astype(float)
    values[4_320:] = 500.0 + np.arange(20) % 3
    times = START + 60 * np.arange(values.size)
    bank = Bank()
    bank.grow(1)
    verdicts = bank.advance(np.zeros(values.size, np.int64), times, values)
    last = verdicts.score[4_325:] >= THRESHOLD
    assert last.all()
    assert verdicts.expected[4_325:].max() < 5.0
    assert {verdicts.remarks[i].cause for i in range(4_325, values.size)} == {"value"}
