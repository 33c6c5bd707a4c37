"""The job that merges and prunes stored bands."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from store.banded import DAY, labels, read, save
from store.posting import fresh_store

from fluxd.core.errors import UnavailableError
from fluxd.jobs import banding
from fluxd.jobs.banding import BandKeeper
from fluxd.store import Store
from fluxd.store.places import DAY_S, HOUR_S, place_of

LABELS = [DAY + hour * HOUR_S for hour in (1, 2, 3)]


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(banding, "SERIES", 4)
    monkeypatch.setattr(banding, "PRUNED_ROWS", 2)
    with fresh_store() as fresh:
        for label in LABELS:
            save(fresh, label, {series: {label: series} for series in range(1, 7)})
        yield fresh


def slow() -> Any:
    """Return a clock by which everything takes longer than a step may."""
    return itertools.count().__next__


def run_all(keeper: BandKeeper, now: int) -> int:
    steps = 1
    while keeper.run(now):
        steps += 1
    return steps


def all_read(store: Store) -> bool:
    told = [read(store, series) for series in range(1, 7)]
    return told == [dict.fromkeys(LABELS, series) for series in range(1, 7)]


def test_a_finished_day_is_merged_in_few_steps(store: Store) -> None:
    keeper = BandKeeper(store, 14 * DAY_S, clock=lambda: 0.0)
    assert not keeper.run(DAY + DAY_S - 1)
    assert labels(store) == LABELS
    assert run_all(keeper, DAY + DAY_S) == 3  # two ranges of series, and a look for more
    assert labels(store) == [DAY]
    assert all_read(store)


def test_a_step_ends_when_its_time_is_over(store: Store) -> None:
    keeper = BandKeeper(store, 14 * DAY_S, clock=slow())
    assert run_all(keeper, DAY + DAY_S) == 6 + 2 + 1  # each series, each range, a look
    assert labels(store) == [DAY]
    assert all_read(store)


def test_what_changed_in_the_middle_is_merged_anew(store: Store) -> None:
    keeper = BandKeeper(store, 14 * DAY_S, clock=slow())
    keeper.run(DAY + DAY_S)
    gone = place_of(LABELS[0], 1)
    store.writer.run(lambda c: c.execute("DELETE FROM bands WHERE place = ?", (gone,)))
    run_all(keeper, DAY + DAY_S)
    assert labels(store) == [DAY]
    assert read(store, 1) == dict.fromkeys(LABELS[1:], 1)
    assert read(store, 2) == dict.fromkeys(LABELS, 2)


def test_what_could_not_be_written_is_merged_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = BandKeeper(store, 14 * DAY_S, clock=slow())
    for _ in range(3):  # the three series of the first range, all but written
        keeper.run(DAY + DAY_S)

    def refuse(*_: object) -> Any:
        raise UnavailableError("not now")

    with monkeypatch.context() as patch:
        patch.setattr(store.writer, "run", refuse)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                keeper.run(DAY + DAY_S)
    assert all_read(store)
    run_all(keeper, DAY + DAY_S)
    assert labels(store) == [DAY]
    assert all_read(store)


def test_old_rows_go_in_small_steps(store: Store) -> None:
    keeper = BandKeeper(store, 2 * DAY_S, clock=lambda: 0.0)
    assert run_all(keeper, DAY + DAY_S) == 3
    save(store, DAY + DAY_S, {1: {DAY + DAY_S: 9}})
    assert run_all(keeper, LABELS[-1] + 2 * DAY_S) == 1  # nothing is old, nothing to be merged
    assert all_read(store) is False
    assert run_all(keeper, LABELS[-1] + 2 * DAY_S + 1) == 4  # 6 of 7 rows by two
    assert labels(store) == [DAY + DAY_S]
