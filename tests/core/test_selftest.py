"""Events of known size in copies of history."""

import numpy as np
import pytest

from fluxd.core.selftest import (
    CASES,
    LEAST_ROWS,
    MOST_LEARNT,
    MOST_MISSED,
    MOST_TRIED,
    ROOM_ROWS,
    SHIFT_ROWS,
    Outcome,
    SelfTest,
    _with_events,
    noise_of,
)

DAY = 20_000
START = DAY * 86_400
ROWS = 1_500


def series(count: int = ROWS, seed: int = 1) -> "np.typing.NDArray[np.float64]":
    return 50.0 + np.random.default_rng(seed).normal(0.0, 2.0, count)


def times(count: int = ROWS) -> "np.typing.NDArray[np.int64]":
    return START + 60 * np.arange(count)


def finish(test: SelfTest, rounds: int = 200) -> Outcome:
    while test.step(rounds):
        pass
    return test.outcome()


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    test = SelfTest(DAY)
    for number in range(8):
        assert test.add(f"m{number}", times(), series(seed=number))
    return finish(test)


def test_larger_events_are_found_more_often(outcome: Outcome) -> None:
    assert [(case.kind, case.size) for case in outcome.cases] == CASES
    for kind in ("spike", "drop", "shift"):
        found = [case.found for case in outcome.cases if case.kind == kind]
        assert found[-1] > found[0]
        assert found[-1] >= 0.8 * outcome.cases[0].events
    for case in outcome.cases:
        assert case.recall == case.found / case.events
    assert next(case for case in outcome.cases if case.size == 12.0).delay == 0.0


def test_it_says_what_it_rests_on(outcome: Outcome) -> None:
    assert (outcome.day, outcome.metrics) == (DAY, 8)
    assert outcome.metric_days == pytest.approx(8 * (ROWS // 3 - 1) * 60 / 86_400)
    assert outcome.alarms_per_day == outcome.alarms / outcome.metric_days


def test_it_names_the_metrics_on_which_most_was_missed(outcome: Outcome) -> None:
    shares = [one.found / one.events for one in outcome.missed]
    assert shares == sorted(shares)
    assert len({one.metric for one in outcome.missed}) == MOST_MISSED
    test = SelfTest(DAY)
    test.add("good", times(), series())
    # Where it swings, nothing of the size of its smallest steps can be seen.
    swings = np.repeat(np.random.default_rng(5).normal(0.0, 50.0, ROWS // 5), 5)
    test.add("bad", times(), series() + swings)
    found = finish(test)
    assert found.missed[0].metric == "bad"
    assert sum(one.events for one in found.missed) <= sum(case.events for case in found.cases)
    if len(found.missed) == found.metrics:
        assert sum(one.found for one in found.missed) == sum(case.found for case in found.cases)


def test_steps_of_any_size_find_the_same() -> None:
    def run(size: int) -> Outcome:
        test = SelfTest(DAY)
        test.add("a", times(700), series(700))
        test.add("b", times(), series(seed=2))
        outcome = finish(test, size)
        assert test.progress[0] == test.progress[1]
        return outcome

    first = run(100)
    for rounds in (1, 37, 5_000):
        assert run(rounds) == first, rounds


def test_other_days_try_other_places() -> None:
    first, second = SelfTest(DAY), SelfTest(DAY + 1)
    for test in (first, second):
        test.add("a", times(), series())
    assert first._trials[0].events != second._trials[0].events


@pytest.mark.parametrize("values", [series(LEAST_ROWS - 1), np.full(ROWS, 3.0), np.zeros(0)])
def test_what_is_short_or_constant_is_of_no_use(values: "np.typing.NDArray[np.float64]") -> None:
    test = SelfTest(DAY)
    assert not test.add("a", times(values.size), values)
    assert len(test) == 0
    assert not finish(test).metrics


def test_of_a_long_history_the_last_week_and_day_are_taken() -> None:
    count = MOST_LEARNT + MOST_TRIED + 5_000
    test = SelfTest(DAY)
    test.add("a", times(count), series(count))
    (trial,) = test._trials
    assert (trial.learnt, trial.tried) == (MOST_LEARNT, MOST_TRIED)
    assert trial.timestamps[-1] == times(count)[-1]


def test_events_have_their_size_and_room() -> None:
    test = SelfTest(DAY)
    test.add("a", times(), series())
    (trial,) = test._trials
    values = series()[-trial.tried :]
    noise = noise_of(series())
    assert (trial.copies[0] == values).all()
    assert np.diff([0, *trial.events, trial.tried]).min() >= 20
    assert all(np.diff([*trial.events, trial.tried]) >= ROOM_ROWS)
    for copy, (kind, size) in enumerate(CASES, 1):
        added = trial.copies[copy] - values
        changed = np.flatnonzero(np.abs(added) > 1e-9)
        length = SHIFT_ROWS if kind == "shift" else 1
        assert changed.size == length * len(trial.events)
        assert np.abs(added[changed]) == pytest.approx(size * noise)
        assert (kind != "drop") == (added[changed][0] > 0.0)


def test_events_of_a_counter_are_of_its_rate_and_it_never_falls() -> None:
    values = np.cumsum(np.random.default_rng(1).poisson(30.0, 500)).astype(float)
    copies = _with_events(values, [50, 300], noise_of(np.diff(values)), rising=True)
    assert (np.diff(copies, axis=1) >= 0.0).all()
    spike = copies[len(CASES) // 3] - values  # 12 units of noise
    assert not spike[:50].any()
    assert spike[50] > 0.0
    assert spike[50:300] == pytest.approx(spike[50])


def test_where_something_happened_no_event_counts() -> None:
    test = SelfTest(DAY)
    test.add("a", times(), series())
    (trial,) = test._trials
    first, *others = trial.events
    marked = series()
    marked[trial.learnt + first] = 500.0
    again = SelfTest(DAY)
    again.add("a", times(), marked)
    assert again._trials[0].events == trial.events
    outcome = finish(again)
    assert {case.events for case in outcome.cases} == {len(others)}
    assert outcome.alarms >= 1


def test_a_stretch_of_anomalous_datapoints_is_one_alarm() -> None:
    quiet, marked = SelfTest(DAY), SelfTest(DAY)
    quiet.add("a", times(), series())
    values = series()
    values[-300:-290] += 400.0
    values[-30] += 400.0
    marked.add("a", times(), values)
    assert finish(marked).alarms - finish(quiet).alarms == 2


def test_noise_is_told_from_a_wave_and_outliers() -> None:
    wave = 40.0 * np.sin(np.arange(2_000) / 1_440 * 2 * np.pi)
    values = wave + np.random.default_rng(3).normal(0.0, 2.0, 2_000)
    values[::100] += 1e6
    assert noise_of(values) == pytest.approx(2.0, rel=0.1)
