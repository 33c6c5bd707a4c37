"""What the detector says of a metric's nature, after real rows."""

import numpy as np
from core.synthetic import DAY, MONDAY, Array, clock, wave

from fluxd.core.detect import Bank, Traits

RNG = np.random.default_rng(5)


def traits(times: Array, values: Array) -> Traits:
    bank = Bank()
    bank.grow(1)
    bank.advance(np.zeros(len(times), np.int64), times, values)
    return bank.traits(0)


def test_a_slot_without_rows_has_no_nature() -> None:
    bank = Bank()
    bank.grow(1)
    assert bank.traits(0) == Traits(None, 0.0, False, False, False, None, None)  # noqa: FBT003


def test_noise_has_no_daily_pattern_once_that_can_be_told() -> None:
    times = clock(3 * 288, 300)
    values = RNG.normal(size=times.size)
    assert traits(times[:288], values[:288]).daily_from == times[0] + 2 * DAY  # to come, perhaps
    late = traits(times, values)
    assert late.daily_from is None
    assert late.weekly_from == times[0] + 14 * DAY
    assert (late.interval, late.constant, late.irregular, late.counter) == (
        300.0,
        False,
        False,
        False,
    )


def test_a_daily_wave_is_a_daily_pattern() -> None:
    times = clock(4 * 288, 300)
    assert traits(times, wave(times) + RNG.normal(size=times.size)).daily_from == times[0] + 2 * DAY


def test_weekends_are_a_weekly_pattern() -> None:
    times = clock(22 * 48, 1800)
    off = (times - MONDAY) // DAY % 7 >= 5
    values = np.where(off, 0.0, 20.0) + RNG.normal(size=times.size)
    assert traits(times, values).weekly_from == times[0] + 14 * DAY
    assert traits(times, RNG.normal(size=times.size)).weekly_from is None


def test_constant_is_what_never_changed_or_not_for_a_day() -> None:
    times = clock(300, 600)
    values = np.full(300, 7.0)
    assert traits(times, values).constant
    values[:100] = RNG.normal(size=100)
    assert traits(times, values).constant
    values[-1] = 8.0
    assert not traits(times, values).constant
    assert not traits(times[:50], np.full(50, 7.0)).constant  # too early to say


def test_a_metric_without_an_interval_is_irregular() -> None:
    steps = np.maximum(np.round(RNG.exponential(60.0, 600)), 1.0).astype(np.int64)
    assert traits(MONDAY + np.cumsum(steps), RNG.normal(size=600)).irregular
    jittery = clock(600) + RNG.integers(-9, 10, 600)
    assert not traits(jittery, RNG.normal(size=600)).irregular


def test_a_counter_is_one_in_spite_of_a_reset() -> None:
    total = np.cumsum(RNG.integers(90, 110, 400)).astype(float)
    total[250:] -= total[250] - 5.0
    assert traits(clock(400), total).counter
    assert not traits(clock(400), RNG.normal(size=400)).counter


def test_the_longest_gap_is_one_that_came_more_than_once() -> None:
    steps = np.full(400, 60)
    steps[200] = 86_400
    times = MONDAY + np.cumsum(steps)
    assert traits(times, RNG.normal(size=400)).longest_gap < 120.0
    steps[np.arange(5, 400, 4)] = 300
    steps[200] = 60
    times = MONDAY + np.cumsum(steps)
    assert traits(times, RNG.normal(size=400)).longest_gap > 200.0
