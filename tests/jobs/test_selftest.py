"""The nightly self-test over a real store."""

import json
from collections.abc import Iterator
from pathlib import Path

import apsw
import numpy as np
import pytest
from store.posting import NOW, opened

from fluxd.core.detect import LocalTime
from fluxd.core.errors import FluxdError
from fluxd.jobs import selftest
from fluxd.jobs.selftest import SelfTester
from fluxd.store import Store
from fluxd.store.metrics import Summary, write_summaries
from fluxd.store.places import DAY_S, HOUR_S
from fluxd.store.rebuilds import History
from fluxd.store.selftests import (
    CANDIDATES,
    KEPT,
    SERIES_ROWS,
    read_outcomes,
    read_recent,
    sample_series,
    write_outcome,
)
from fluxd.store.series import delete_series, find_series, retire_series

DAY = NOW // DAY_S
ROWS = 800


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path / "fluxd.db") as store:
        yield store


def fill(store: Store, name: str, *, rows: int = ROWS, last: int = NOW, step: int = 60) -> int:
    """Store a metric's history up to `last` as an import does, and its summary."""
    noise = np.random.default_rng(len(name))
    times = last - step * np.arange(rows)[::-1]
    history = History(name, times, 50.0 + noise.normal(0.0, 2.0, rows))

    def write(connection: apsw.Connection) -> int:
        while not history.complete:
            history.write_some(connection, now=NOW, more=lambda: True)
        series = find_series(connection, name)
        assert series is not None
        summary = Summary(series, float(step), rows, int(times[0]), last, "analysed")
        write_summaries(connection, [summary])
        return series

    return store.writer.run(write)


def outcomes(store: Store) -> list[dict[str, object]]:
    with store.read() as reader:
        return read_outcomes(reader)


def run(job: SelfTester, now: int = NOW) -> int:
    """Have the job do all that it has to do; return in how many turns."""
    turns = 1
    while job.step(now):
        turns += 1
    return turns


def test_it_tells_what_it_found_and_how_to_read_it_again(store: Store) -> None:
    for name in ("a", "bb", "ccc"):
        fill(store, name)
    job = SelfTester(store)
    assert job.latest is None
    assert run(job) > 3
    (outcome,) = outcomes(store)
    assert (outcome["day"], outcome["metrics"]) == (DAY, 3)
    assert job.latest == outcome
    assert SelfTester(store).latest == outcome


def test_it_is_done_once_a_day_after_three(store: Store) -> None:
    fill(store, "a")
    job = SelfTester(store)
    tomorrow = (DAY + 1) * DAY_S
    assert run(job) > 1
    assert run(job, NOW + HOUR_S) == 1
    assert run(job, tomorrow + 3 * HOUR_S - 1) == 1
    assert run(job, tomorrow + 3 * HOUR_S) > 1
    assert [outcome["day"] for outcome in outcomes(store)] == [DAY + 1, DAY]


def test_the_night_is_that_of_the_time_zone(store: Store) -> None:
    fill(store, "a")
    east = LocalTime(offsets=np.array([8 * HOUR_S]))
    midnight = (DAY + 1) * DAY_S - 8 * HOUR_S
    job = SelfTester(store, local=east)
    run(job, midnight + 2 * HOUR_S)
    assert not outcomes(store)
    run(job, midnight + 3 * HOUR_S)
    assert [outcome["day"] for outcome in outcomes(store)] == [DAY + 1]


def test_turns_of_any_length_find_the_same(store: Store) -> None:
    for name in ("a", "bb"):
        fill(store, name)
    ticks = iter(range(10**9))
    slow = SelfTester(store, clock=lambda: float(next(ticks)))  # every turn takes a second
    turns = run(slow)
    (first,) = outcomes(store)
    assert run(slow) == 1
    store.writer.run(lambda connection: connection.execute("DELETE FROM selftests"))
    assert run(SelfTester(store)) < turns
    assert outcomes(store) == [first]


def test_without_usable_metrics_it_tries_again_in_an_hour(store: Store) -> None:
    fill(store, "short", rows=50)
    fill(store, "silent", last=NOW - 3 * DAY_S)
    job = SelfTester(store)
    run(job)
    assert not outcomes(store)
    fill(store, "a")
    assert run(job, NOW + 60) == 1
    assert not outcomes(store)
    run(job, NOW + HOUR_S)
    assert outcomes(store)[0]["metrics"] == 1
    assert job.latest is not None


def test_what_fails_is_tried_again_in_an_hour(store: Store) -> None:
    fill(store, "a")
    job = SelfTester(store)
    store.writer.run(lambda connection: connection.execute("ALTER TABLE selftests RENAME TO gone"))
    with pytest.raises((FluxdError, apsw.Error)):
        run(job)
    store.writer.run(lambda connection: connection.execute("ALTER TABLE gone RENAME TO selftests"))
    assert run(job, NOW + 1) == 1
    assert not outcomes(store)
    run(job, NOW + HOUR_S)
    assert len(outcomes(store)) == 1


def test_a_clock_that_was_set_back_does_not_stop_it(store: Store) -> None:
    job = SelfTester(store)
    run(job, NOW + 1_000 * DAY_S)  # nothing to test: put off
    fill(store, "a")
    run(job, NOW)
    assert len(outcomes(store)) == 1


def test_the_last_thirty_are_kept(store: Store) -> None:
    fill(store, "a")
    job = SelfTester(store)
    run(job)
    test = selftest.SelfTest(DAY)
    with store.read() as reader:
        test.add("a", *read_recent(reader, 1, DAY))
    while test.step(1_000):
        pass
    for day in range(DAY, DAY + KEPT + 5):
        test.day = day
        store.writer.run(lambda connection: write_outcome(connection, test.outcome()))
    assert [outcome["day"] for outcome in outcomes(store)] == list(
        range(DAY + KEPT + 4, DAY + 4, -1)
    )
    assert json.loads(json.dumps(outcomes(store)[0])) == outcomes(store)[0]


def test_a_sample_is_the_day_s_and_has_live_metrics_only(store: Store) -> None:
    ids = [fill(store, f"m{number}", rows=2) for number in range(40)]
    gone, quiet = ids[3], ids[4]

    def remove(connection: apsw.Connection) -> None:
        delete_series(connection, "m3", now=NOW)
        retire_series(connection, [quiet], now=NOW)

    store.writer.run(remove)
    with store.read() as reader:
        samples = [sample_series(reader, DAY + day, 5) for day in range(4)]
        assert sample_series(reader, DAY, 5) == samples[0]
        everything = sample_series(reader, DAY, 10)
    for sample in samples:
        assert len(dict(sample)) == len(sample) == 5 * CANDIDATES
        assert not {gone, quiet} & {series for series, _ in sample}
        assert all(name == f"m{ids.index(series)}" for series, name in sample)
    assert samples[0] != samples[1]
    assert len(everything) == 38


def test_the_last_datapoints_are_read_however_dense(store: Store) -> None:
    dense = fill(store, "dense", rows=30_000, step=1)
    with store.read() as reader:
        timestamps, values = read_recent(reader, dense, DAY)
    assert len(timestamps) == len(values) == SERIES_ROWS
    assert timestamps[-1] == NOW
