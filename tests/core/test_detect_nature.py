"""What the detector knows besides values: counters, standing still, climbs, odds."""

import itertools
from collections import deque

import numpy as np
import pytest

from fluxd.core.detect import (
    THRESHOLD,
    Bank,
    Remark,
    counting,
    days_between,
    novelty,
    rows_between,
)
from fluxd.core.detect.layout import LONG_WINDOW, RING, VITALS, Floats, Ints, Vitals
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State
from fluxd.core.detect.verdicts import Verdicts

DAY_S = 86_400
START = 1_700_000_000 // DAY_S * DAY_S


def fed(values: Floats, step: int = 60, times: Ints | None = None) -> tuple[Bank, Verdicts]:
    bank = Bank()
    bank.grow(1)
    if times is None:
        times = START + step * np.arange(values.size)
    return bank, bank.advance(np.zeros(values.size, np.int64), times, values)


def told(verdicts: Verdicts, cause: str) -> dict[int, Remark]:
    return {row: remark for row, remark in verdicts.remarks.items() if remark.cause == cause}


def is_counter(bank: Bank) -> bool:
    return bool(Vitals(bank._state.vitals[:1].T).counter[0])


def rising(n: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).poisson(300.0, n).astype(np.float64)


# ---- counters


def test_a_counter_is_judged_by_its_rate_whatever_the_spacing() -> None:
    steps = rising(600)
    spacing = np.full(600, 60)
    steps[400], spacing[400] = 1_500.0, 300
    steps[500] = 2_000.0
    times = START + np.cumsum(spacing)
    bank, verdicts = fed(np.cumsum(steps), times=times)
    assert is_counter(bank)
    assert min(verdicts.remarks) == 500
    assert max(verdicts.remarks) <= 503
    rates = verdicts.remarks[500].rates
    assert rates is not None
    assert rates[0] == pytest.approx(2_000.0 / 60.0)
    assert rates[2] < rates[1] < rates[3] < rates[0]
    assert rates[1] == pytest.approx(5.0, rel=0.1)
    totals = np.cumsum(steps)
    assert totals[499] < verdicts.lower[500] < totals[499] + 300.0 < verdicts.upper[500]
    assert verdicts.upper[500] < totals[500]


def test_a_counter_that_starts_again_is_no_news() -> None:
    values = np.cumsum(rising(600))
    values[350:] -= values[349]
    values[450:] -= values[449]
    bank, verdicts = fed(values)
    assert is_counter(bank)
    assert not verdicts.remarks
    assert verdicts.score[[350, 450]].tolist() == [0.0, 0.0]
    assert verdicts.score[351] > 0.0


def test_what_rises_only_at_first_is_taken_as_it_comes_again() -> None:
    gauge = 500.0 + np.random.default_rng(1).normal(0.0, 20.0, 600)
    gauge[:40] = 100.0 + 10.0 * np.arange(40)
    bank, _ = fed(gauge[:35])
    assert is_counter(bank)
    bank, verdicts = fed(gauge)
    assert not is_counter(bank)
    assert 100 <= verdicts.expected[300:].min() <= verdicts.expected[300:].max() <= 900
    assert not verdicts.remarks


def test_no_counter_falls_in_its_first_rows_or_is_negative_or_stands_still() -> None:
    steps = rising(60)
    for values in (
        np.cumsum(np.where(np.arange(60) == 12, -1.0, steps)),
        np.cumsum(steps) - 1e6,
        np.cumsum(np.where(np.arange(60) % 2, steps, 0.0)),
    ):
        assert not is_counter(fed(values)[0])
    assert is_counter(fed(np.cumsum(steps))[0])


def test_a_reset_counts_as_the_rate_before() -> None:
    v = Vitals(np.zeros((sum(VITALS.values()), 3)))
    v.counter[:2] = 1.0
    v.recent[0] = 7.0
    values = np.array([20.0, 5.0, 5.0])
    change = np.array([10.0, -95.0, -95.0])
    rate, reset = counting.rates(v, values, change, np.array([2.0, 2.0, 2.0]))
    assert rate.tolist() == [5.0, 7.0, 5.0]
    assert reset.tolist() == [False, True, False]


# ---- standing still


def test_what_stands_still_is_told_for_a_while() -> None:
    values = np.random.default_rng(2).normal(size=2_000)
    values[1_600:] = values[1_600]
    _, verdicts = fed(values)
    flat = told(verdicts, "flat")
    assert list(flat) == list(range(1_640, 1_650))
    assert flat[1_640].lasted == 40 * 60.0
    assert flat[1_640].usual == 0.0


@pytest.mark.parametrize(("longest", "news"), [(6, True), (400, False)])
def test_what_often_stands_still_may_stand_still_unless_it_never_did_so_long(
    longest: int, *, news: bool
) -> None:
    """Stands of hours, as of nights, say nothing of how long others, as of weekends, will be."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(1, 6, 700)
    lengths[250] = longest
    lazy = np.repeat(rng.normal(size=700), lengths)[:1_500]
    still = np.concatenate((lazy, np.full(900, lazy[-1])))
    last = [row for row in told(fed(still)[1], "flat") if row >= lazy.size]
    assert bool(last) == news


def test_it_need_not_be_known_for_a_day() -> None:
    young = np.random.default_rng(3).normal(size=400)
    young[150:] = young[150]
    assert list(told(fed(young)[1], "flat")) == list(range(190, 200))


def test_the_first_change_of_what_was_constant_is_told_whatever_its_size() -> None:
    for size in (1e-3, 1.0, 1e6):
        values = np.ones(400)
        values[150:] += size
        alarms = (fed(values)[1].score >= THRESHOLD).nonzero()[0]
        assert alarms.tolist() == [150]
    jitter = np.ones(400)
    jitter[150:] = np.nextafter(1.0, 2.0)
    assert fed(jitter)[1].score.max() < THRESHOLD


def test_a_scale_of_nothing_is_forgotten_once_there_is_another() -> None:
    values = 20.0 + np.random.default_rng(5).normal(size=800)
    values[:200] = 0.0
    _, verdicts = fed(values)
    assert 5.0 < verdicts.upper[-1] - verdicts.lower[-1] < 60.0


# ---- on the way to a limit


def climbing(pace: float, hours: int = 30) -> Floats:
    """Two days around 40, then `pace` an hour, by the row of ten minutes."""
    values = 40.0 + np.random.default_rng(4).normal(0.0, 0.3, 288 + 6 * hours)
    values[288:] += pace / 6.0 * np.arange(6 * hours)
    return values


@pytest.mark.parametrize(
    ("scale", "pace", "limit"),
    [(1.0, 3.0, 100.0), (0.01, 3.0, 1.0), (1.0, -3.0, 0.0), (0.01, -3.0, 0.0)],
)
def test_a_climb_to_a_limit_is_told_once(scale: float, pace: float, limit: float) -> None:
    hours = 20 if pace > 0.0 else 13
    values = scale * climbing(pace, hours)
    (leak,) = told(fed(values, step=600)[1], "trend").items()
    row, remark = leak
    assert remark.limit == limit
    assert remark.lasted >= 6 * 3_600.0
    left = abs(limit - values[row]) / abs(scale * pace) * 3_600.0
    assert remark.due == pytest.approx(left, rel=0.4)  # a level hour before it may count
    assert row >= 288 + 36


def test_a_climb_beyond_the_limits_or_too_slow_is_no_leak() -> None:
    assert not told(fed(10.0 * climbing(3.0), step=600)[1], "trend")
    assert not told(fed(climbing(0.5, 60), step=600)[1], "trend")


def test_a_sawtooth_is_no_leak() -> None:
    hours = np.arange(6 * 24 * 8) / 6.0
    values = 30.0 + 3.0 * (hours % 20.0) + np.random.default_rng(5).normal(0.0, 0.3, hours.size)
    _, verdicts = fed(values, step=600)
    assert not [row for row in told(verdicts, "trend") if row > 6 * 48]


# ---- the ring of the last rows


def test_the_ring_agrees_with_a_deque() -> None:
    rng = np.random.default_rng(6)
    state, count = State(), 3
    state.grow(count)
    v = Vitals(np.zeros((sum(VITALS.values()), count)))
    naive: list[deque[float]] = [deque(maxlen=RING) for _ in range(count)]
    slots = np.arange(count)
    for n in range(5 * RING + 7):
        values = rng.normal(size=count) * np.array([1.0, 1e6, 1e-6])
        anew = rng.random(count) < 0.01
        anew |= n == 0
        counts = np.full(count, n)
        rows = Rows(slots, counts, counts, values, counts, counts, counts.astype(float), n, n)
        novelty.slide(v, state, rows, values, anew if anew.any() else None)
        for slot, last in enumerate(naive):
            single = float(np.float32(values[slot]))
            last.extend([single] * (RING if anew[slot] else 1))
            ordered = list(last)
            scale = 1e-9 * max(map(abs, ordered))
            assert v.long_before[slot] == pytest.approx(sum(ordered[:LONG_WINDOW]), abs=scale)
            assert v.long_now[slot] == pytest.approx(sum(ordered[LONG_WINDOW:]), abs=scale)


# ---- what a score means


@pytest.mark.parametrize("interval", [None, 1.0, 60.0, 3_600.0, 86_400.0])
def test_a_higher_score_is_never_more_frequent(interval: float | None) -> None:
    rows = [rows_between(score, interval) for score in np.linspace(0.0, 1.0, 1_001)]
    assert rows[0] == pytest.approx(1.0, rel=1e-4)
    assert all(one <= two for one, two in itertools.pairwise(rows))
    assert rows[310] < rows[700] < rows[-1]


def test_as_if_once_a_minute_while_the_interval_is_not_known() -> None:
    assert rows_between(0.4) == rows_between(0.4, 60.0)
    assert rows_between(1.0) == pytest.approx(1e12)


def test_the_days_between_are_the_rows_times_the_interval() -> None:
    assert days_between(0.31, 60.0) == pytest.approx(10.0**4.88 * 60.0 / DAY_S)
    assert days_between(0.325, 300.0) == pytest.approx(10.0**4.92 * 5.0**-0.75 * 300.0 / DAY_S)


def test_an_anomaly_is_the_more_seldom_by_the_datapoint_the_more_often_a_metric_reports() -> None:
    assert rows_between(0.31, 1.0) > 10.0 * rows_between(0.31, 60.0)
    assert rows_between(0.31, 60.0) > 10.0 * rows_between(0.31, 3_600.0)
    assert rows_between(0.15, 1.0) == pytest.approx(rows_between(0.15, 3_600.0), rel=0.1)
