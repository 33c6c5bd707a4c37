"""Stored bands: saving, merging and pruning, against a dictionary."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.banded import DAY, Points, labels, read, save
from store.posting import fresh_store

from fluxd.store import Store
from fluxd.store.bands import merge, prune_bands, read_bands, read_unmerged, replace
from fluxd.store.places import DAY_S, HOUR_S, place_of


def merge_once(store: Store, *, before: int, series: int = 2) -> bool:
    """Do one step of merging; return whether there was one."""
    with store.read() as reader:
        span = read_unmerged(reader, before=before, series=series)
    if span is None:
        return False
    days = list(merge(span))
    assert store.writer.run(lambda connection: replace(connection, span, days))
    return True


times = st.integers(DAY - DAY_S, DAY + 3 * DAY_S)
points = st.dictionaries(times, st.integers(0, 400), min_size=1, max_size=4)
events = st.one_of(
    st.tuples(
        st.sampled_from([0, 600, HOUR_S, 7 * HOUR_S]),
        st.dictionaries(st.integers(0, 5), points, min_size=1, max_size=4),
    ),
    st.tuples(st.just("merge"), st.integers(1, 3)),
    st.tuples(st.just("prune"), st.integers(1, 4)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(events, max_size=25), st.integers(1, 4))
def test_whatever_is_merged_and_pruned_the_last_written_is_read(
    events: list[tuple[Any, Any]], together: int
) -> None:
    now, kept_from = DAY + 100, 0
    told: dict[int, Points] = {series: {} for series in range(6)}
    with fresh_store() as store:
        for event, argument in events:
            if event == "merge":
                for _ in range(argument):
                    merge_once(store, before=now, series=together)
            elif event == "prune":
                kept_from = now - DAY_S
                before, limit = kept_from, argument
                store.writer.run(lambda c, b=before, n=limit: prune_bands(c, b, limit=n))
            else:
                now += event
                save(store, now, argument)
                for series, saved in argument.items():
                    told[series] |= saved
        while merge_once(store, before=now, series=together):
            pass
        assert all(label % DAY_S == 0 for label in labels(store) if label + DAY_S <= now)
        for series, known in told.items():
            newest = {time: value for time, value in known.items() if time >= kept_from}
            assert read(store, series, kept_from) == newest


@pytest.fixture
def store() -> Any:
    with fresh_store() as fresh:
        yield fresh


def test_a_second_saving_in_an_hour_loses_nothing(store: Store) -> None:
    save(store, DAY + 100, {5: {DAY: 1, DAY + 60: 1}, 9: {DAY: 3}})
    save(store, DAY + 200, {9: {DAY + 60: 4}})
    save(store, DAY + 300, {5: {DAY + 60: 2, DAY + 120: 2}, 8: {DAY: 7}})
    save(store, DAY + 400, {300: {DAY: 5}})  # of another slice
    assert labels(store) == [DAY, DAY + 1]
    assert read(store, 5) == {DAY: 1, DAY + 60: 2, DAY + 120: 2}
    assert read(store, 5, DAY + 1, DAY + 60) == {DAY + 60: 2}
    assert read(store, 9) == {DAY: 3, DAY + 60: 4}
    assert read(store, 8) == {DAY: 7}
    assert read(store, 300) == {DAY: 5}
    assert read(store, 6) == {}
    save(store, DAY + 500, {})
    assert labels(store) == [DAY, DAY + 1]


def test_the_label_says_nothing_of_the_datapoints(store: Store) -> None:
    save(store, DAY + 3 * DAY_S, {1: {DAY - 9 * DAY_S: 1, DAY: 2}})
    assert read(store, 1, DAY - 10 * DAY_S, DAY - 8 * DAY_S) == {DAY - 9 * DAY_S: 1}


def test_one_series_is_read_without_the_others(store: Store) -> None:
    with store.read() as reader:
        traced: list[Any] = []
        reader.exec_trace = lambda _cursor, sql, bound: bool(traced.append((sql, bound))) or True
        read_bands(reader, 1, 0, 2**34)
        reader.exec_trace = None
        sql, bound = traced[-1]
        plan = reader.execute(f"EXPLAIN QUERY PLAN {sql}", bound).fetchall()
    steps = [str(row[-1]) for row in plan]
    assert any("SEARCH bands" in step for step in steps)
    assert not [step for step in steps if "SCAN bands" in step]


def test_only_finished_days_are_merged_and_only_once(store: Store) -> None:
    for hour in (0, 1, 5, 23, 24, 25):
        saved = {
            series: {DAY + hour * HOUR_S + 60 * n: hour for n in range(3)} for series in (1, 7)
        }
        save(store, DAY + hour * HOUR_S, saved)
    before = [read(store, series) for series in (1, 7)]
    assert not merge_once(store, before=DAY + DAY_S - 1, series=1)
    assert merge_once(store, before=DAY + DAY_S, series=1)
    assert DAY + HOUR_S in labels(store)
    assert merge_once(store, before=DAY + DAY_S, series=1)
    assert not merge_once(store, before=DAY + DAY_S, series=1)
    assert labels(store) == [DAY, DAY + 24 * HOUR_S, DAY + 25 * HOUR_S]
    assert [read(store, series) for series in (1, 7)] == before
    save(store, DAY + 2 * HOUR_S, {7: {DAY: 99}})  # the clock was set back
    assert merge_once(store, before=DAY + DAY_S, series=256)
    assert labels(store) == [DAY, DAY + 24 * HOUR_S, DAY + 25 * HOUR_S]
    assert read(store, 7) == before[1] | {DAY: 99}


def test_a_merge_of_what_has_changed_is_refused(store: Store) -> None:
    save(store, DAY + HOUR_S, {1: {DAY: 1}})
    save(store, DAY + 2 * HOUR_S, {1: {DAY + 60: 1}})
    with store.read() as reader:
        span = read_unmerged(reader, before=DAY + DAY_S, series=256)
    assert span is not None
    days = list(merge(span))
    gone = place_of(DAY + HOUR_S, 1)
    store.writer.run(lambda c: c.execute("DELETE FROM bands WHERE place = ?", (gone,)))
    assert not store.writer.run(lambda connection: replace(connection, span, days))
    assert read(store, 1) == {DAY + 60: 1}


def test_damaged_rows_are_left_out(store: Store) -> None:
    for hour in (1, 2):
        save(store, DAY + hour * HOUR_S, {1: {DAY + hour: hour}, 2: {DAY + hour: hour}})
    damaged = [place_of(DAY + hour * HOUR_S, series) for hour, series in ((1, 1), (1, 2), (2, 2))]
    store.writer.run(
        lambda c: c.executemany(
            "UPDATE bands SET body = x'00' WHERE place = ?", [(place,) for place in damaged]
        )
    )
    assert read(store, 1) == {DAY + 2: 2}
    assert read(store, 2) == {}
    assert merge_once(store, before=DAY + DAY_S)  # series 0 and 1
    assert merge_once(store, before=DAY + DAY_S)
    assert labels(store) == [DAY]
    assert read(store, 1) == {DAY + 2: 2}
    assert read(store, 2) == {}


def test_pruning_goes_row_by_row_up_to_the_first_that_is_young(store: Store) -> None:
    save(store, DAY, {1: {DAY: 1}, 2: {DAY - 60: 1, DAY: 2}, 3: {DAY - 60: 1}})
    save(store, DAY + HOUR_S, {1: {DAY + 60: 1}})

    def prune(before: int, limit: int) -> int:
        return store.writer.run(lambda connection: prune_bands(connection, before, limit=limit))

    assert prune(DAY, 10) == 0
    assert prune(DAY + 1, 2) == 2
    assert [read(store, series) for series in (1, 2, 3)] == [{DAY + 60: 1}, {}, {DAY - 60: 1}]
    assert prune(DAY + 60, 2) == 1
    assert prune(DAY + 61, 2) == 1
    assert prune(DAY + 61, 2) == 0
    assert labels(store) == []
