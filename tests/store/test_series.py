"""The table of series, and what is stored under a series in all the others."""

from itertools import chain, repeat

import apsw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.posting import NOW, anomaly, fresh_store, post

from fluxd.core.errors import NotFoundError, StoreError
from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies
from fluxd.store.connection import transaction
from fluxd.store.places import DAY_S, HOUR_S, RECENT_TABLES, WEEK_S, place_of
from fluxd.store.rebuilds import (
    MAX_VALUES,
    History,
    fitting_levels,
    take_rebuilds,
    waiting_rebuilds,
    write_rebuilt_anomalies,
)
from fluxd.store.series import (
    Purge,
    create_series,
    delete_series,
    get_series,
    has_raw,
    has_rollups,
    import_key,
    mute_series,
    remove_series,
    retire_series,
    revive_series,
    top_id,
)

TABLES = ("blocks", "day_rollups", "bands", *RECENT_TABLES)
_COLUMNS = {
    "blocks": "(?, 3600, 0, 1, 1, 1, 0, x'00')",
    "day_rollups": "(?, 1, x'00')",
    "bands": "(?, 0, 0, 1, x'00')",
    **dict.fromkeys(RECENT_TABLES, "(?, 1.0, 1, 0)"),
}


def put(connection: apsw.Connection, table: str, label: int, series: int) -> None:
    connection.execute(
        f"INSERT OR IGNORE INTO {table} VALUES {_COLUMNS[table]}", (place_of(label, series),)
    )


places = st.lists(
    st.tuples(st.sampled_from(TABLES), st.integers(0, 6), st.integers(1, 6)), max_size=40
)


@given(places, st.sets(st.integers(1, 6), min_size=1), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_purge_takes_the_rows_of_its_series_and_no_others(
    rows: list[tuple[str, int, int]], ids: set[int], patience: int
) -> None:
    with fresh_store() as store:
        connection = store.writer._connection
        for row in rows:
            put(connection, *row)
        for series in range(1, 7):
            assert has_raw(connection, series) == any(
                table not in ("day_rollups", "bands") and series == other
                for table, _, other in rows
            )
            assert has_rollups(connection, series) == any(
                (table, other) == ("day_rollups", series) for table, _, other in rows
            )
        purge = Purge(sorted(ids))
        steps = 1
        answers = chain.from_iterable(repeat([*[True] * patience, False]))
        while not purge.step(connection, lambda: next(answers)):
            steps += 1
        left = {
            (table, place >> 29, place & 7)
            for table in TABLES
            for (place,) in connection.execute(f"SELECT place FROM {table}")
        }
        assert left == {row for row in rows if row[2] not in ids}
        assert steps <= len(rows) // (patience + 1) + 1


def test_imported_series_belong_to_a_key_that_nobody_has(store: Store) -> None:
    connection = store.writer._connection
    with transaction(connection):
        first, second = (create_series(connection, name, now=NOW) for name in "ab")
    assert (first, second) == (1, 2)
    rows = connection.execute(
        "SELECT DISTINCT keys.id, keys.name, revoked FROM series JOIN keys ON keys.id = key"
    ).fetchall()
    assert rows == [(import_key(connection, now=NOW), "import", NOW)]
    store.keys.load(connection)
    assert len(store.keys) == 1  # the agent's


def test_an_id_at_the_top_is_not_given_to_another_process_again(store: Store) -> None:
    post(store, [("a", NOW, 1.0), ("b", NOW, 1.0)])
    connection = store.writer._connection
    with transaction(connection):
        delete_series(connection, "b", now=NOW)
        remove_series(connection, [2])
        assert top_id(connection) == 2
        assert create_series(connection, "c", now=NOW) == 3
        delete_series(connection, "c", now=NOW)
        delete_series(connection, "a", now=NOW)
        remove_series(connection, [1, 3])
        assert top_id(connection) == 3


def test_what_is_deleted_is_not_found(store: Store) -> None:
    post(store, [("a", NOW, 1.0)])
    connection = store.writer._connection
    with transaction(connection):
        mute_series(connection, "a", muted=True)
        assert connection.execute("SELECT muted FROM series").fetchall() == [(1,)]
        delete_series(connection, "a", now=NOW)
        for name in ("a", "#1"):
            with pytest.raises(NotFoundError):
                get_series(connection, name)


def test_only_a_retired_series_is_revived(store: Store) -> None:
    post(store, [("a", NOW, 1.0)])
    connection = store.writer._connection
    with transaction(connection):
        assert revive_series(connection, 1, now=NOW) is None
        retire_series(connection, [1], now=NOW)
        key = import_key(connection, now=NOW)
        assert revive_series(connection, 1, now=NOW) == (1, "a", key, NOW)


def test_blocks_of_dense_history_are_short() -> None:
    levels = (HOUR_S, DAY_S, WEEK_S)
    assert fitting_levels(np.arange(0, WEEK_S, 60), levels) == levels
    assert fitting_levels(np.arange(0, WEEK_S, 60), (HOUR_S,)) == (HOUR_S,)
    assert fitting_levels(np.arange(0, WEEK_S, 10), levels) == (HOUR_S, DAY_S)
    assert fitting_levels(np.arange(0, 2 * MAX_VALUES, 1), levels) == (HOUR_S,)
    assert fitting_levels(np.array([], np.int64), levels) == levels


@given(st.sets(st.integers(0, 3 * WEEK_S // 600), min_size=1, max_size=60), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_history_is_stored_in_whatever_pieces(slots: set[int], patience: int) -> None:
    times = NOW - 4 * WEEK_S + 600 * np.array(sorted(slots))
    values = np.arange(len(times)) / 2
    with fresh_store() as store:
        connection = store.writer._connection
        history = History("a", times, values)
        answers = chain.from_iterable(repeat([*[True] * patience, False]))
        while not history.complete:
            with transaction(connection):
                history.write_some(connection, now=NOW, more=lambda: next(answers))
        seen = connection.execute(
            "SELECT timestamp, value FROM datapoints WHERE metric = 'a' ORDER BY 1"
        ).fetchall()
        assert seen == list(zip(times.tolist(), values.tolist(), strict=True))
        (rebuild,) = waiting_rebuilds(connection, NOW, 10)
        assert (rebuild.series, rebuild.added) == (1, len(times))
        assert waiting_rebuilds(connection, NOW, 10, [1]) == []
        assert take_rebuilds(connection, [1, 2]) == [rebuild]


def test_a_series_deleted_during_its_import_is_not_half_of_another(store: Store) -> None:
    connection = store.writer._connection
    times = np.array([NOW - 2 * WEEK_S, NOW - WEEK_S])
    history = History("a", times, np.ones(2))
    with transaction(connection):
        history.write_some(connection, now=NOW, more=lambda: False)
        delete_series(connection, "a", now=NOW)
        with pytest.raises(StoreError, match="deleted during its import"):
            history.write_some(connection, now=NOW, more=lambda: False)


def test_history_does_not_tell_again_what_was_told(store: Store) -> None:
    post(store, [("a", NOW, 1.0), ("b", NOW, 1.0)])
    told = [anomaly(1, NOW, NOW + 100, 0.5), anomaly(1, NOW + 500, None, 0.5)]
    found = [
        anomaly(1, NOW - 50, NOW - 1, 0.4),
        anomaly(1, NOW - 40, NOW, 0.4),
        anomaly(1, NOW + 100, NOW + 120, 0.4),
        anomaly(1, NOW + 101, NOW + 499, 0.4),
        anomaly(1, NOW + 600, NOW + 700, 0.4),
        anomaly(1, NOW + 499, None, 0.4),
        anomaly(2, NOW, NOW + 100, 0.4),
    ]
    connection = store.writer._connection
    with transaction(connection):
        write_anomalies(connection, told)
        assert write_rebuilt_anomalies(connection, found) == 3
        assert write_rebuilt_anomalies(connection, found) == 0
    rows = connection.execute(
        "SELECT series, started - ?, score FROM stretches ORDER BY 1, 2", (NOW,)
    ).fetchall()
    assert rows == [
        (1, -50, 0.4),
        (1, 0, 0.5),
        (1, 101, 0.4),
        (1, 500, 0.5),
        (2, 0, 0.4),
    ]
