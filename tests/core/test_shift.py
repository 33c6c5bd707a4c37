"""A metric that goes to another level and stays."""

import numpy as np
import pytest

from fluxd.core.shift import SHIFT_ROWS, Shift

DAY_ROWS = 1_440


def run(values: list[float], interval: float = 60.0) -> tuple[Shift, list[int]]:
    """Give a shift from 100 its datapoints; return at which of them something was to be told."""
    shift = Shift.watch(values[0], 100.0)
    told = [n for n, value in enumerate(values) if shift.take(int(n * interval), value, interval)]
    return shift, told


def noise(count: int, around: float, seed: int = 0) -> list[float]:
    return (around + np.random.default_rng(seed).normal(size=count)).tolist()


@pytest.mark.parametrize("level", [130.0, 70.0])
def test_it_stands_once_all_were_off_for_a_while(level: float) -> None:
    shift, told = run(noise(SHIFT_ROWS, level))
    assert told == [SHIFT_ROWS - 1]
    assert shift.new == pytest.approx(level, abs=1.0)
    values = noise(SHIFT_ROWS - 1, level)
    shift, told = run([*values, 100.0, *values])
    assert (told, shift.over) == ([], True)


def test_what_goes_on_climbing_does_not_stand_until_it_stays() -> None:
    """A disk that fills is not at a new level each half an hour."""
    climb = [100.0 + 0.8 * n for n in range(1, 5 * SHIFT_ROWS + 1)]
    ramp = [a + b for a, b in zip(climb, noise(len(climb), 0.0), strict=True)]
    assert run(ramp)[1] == []
    shift, told = run([*ramp, *noise(2 * SHIFT_ROWS, 220.0)])
    assert told == [6 * SHIFT_ROWS - 1]
    assert shift.new == pytest.approx(220.0, abs=1.0)
    assert not shift.explains(200 * 60, 240.0)


def test_it_explains_the_new_level_and_the_old_one_and_nothing_else() -> None:
    shift, _ = run(noise(100, 130.0))
    now = 100 * 60
    for value, explained in (
        (127.0, True),
        (133.0, True),
        (145.0, False),
        (115.0, False),
        (101.0, True),
        (80.0, False),
    ):
        assert shift.explains(now, value) is explained, value
    assert not shift.explains(now + 2 * 86_400, 130.0)


def test_the_level_is_followed_through_the_day() -> None:
    wave = [130.0 + 10.0 * np.sin(2 * np.pi * n / DAY_ROWS) for n in range(DAY_ROWS)]
    values = [a + b for a, b in zip(wave, noise(DAY_ROWS, 0.0), strict=True)]
    shift, _ = run(values[:1_080])
    assert shift.explains(1_080 * 60, 120.0)
    assert not shift.explains(1_080 * 60, 140.0)


def test_it_returns_once_and_what_follows_is_new() -> None:
    values = [*noise(100, 130.0), *noise(50, 100.0, seed=1)]
    shift, told = run(values)
    assert told == [SHIFT_ROWS - 1, 104]
    assert (shift.returned, shift.last) == (100 * 60, 99 * 60)
    assert shift.explains(150 * 60, 100.0)
    assert not shift.explains(150 * 60, 130.0)


def test_a_day_later_it_is_over_and_with_long_intervals_later() -> None:
    shift, _ = run(noise(SHIFT_ROWS + DAY_ROWS + 1, 130.0))
    assert shift.over
    shift, _ = run(noise(SHIFT_ROWS + 47, 130.0), interval=3_600.0)
    assert not shift.over


def test_a_metric_without_noise_has_room_for_a_little() -> None:
    shift, _ = run([130.0] * 60)
    assert shift.explains(60 * 60, 132.0)
    assert not shift.explains(60 * 60, 136.0)
