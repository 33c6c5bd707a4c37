import json
from collections.abc import Iterator

import numpy as np
import pytest
from store.posting import AGENT, NOW, anomaly, fresh_store, new_key, post

from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies
from fluxd.store.rebuilds import write_rebuilt_anomalies
from fluxd.store.series import delete_series, mute_series
from fluxd.store.stops import (
    Notice,
    add_notice,
    add_silences,
    change_stop,
    end_silences,
    key_names,
    muted_among,
    read_arrival_times,
    read_missed,
    read_silences,
    read_stops,
    write_arrival_times,
    write_missed,
)


@pytest.fixture
def store() -> Iterator[Store]:
    with fresh_store() as fresh:
        post(fresh, [(name, NOW, 1.0) for name in "abc"])
        yield fresh


def stopped(series: int = 1, ended: int | None = None) -> Notice:
    return Notice(series, "stopped", NOW + 60, ended, 1.5, "it stopped", {"metrics": 2})


def test_a_stop_and_an_anomaly_may_begin_at_the_same_second(store: Store) -> None:
    event = store.writer.run(lambda c: add_notice(c, stopped()))
    store.writer.run(lambda c: write_anomalies(c, [anomaly(1, NOW + 60, None, 0.5)]))
    store.writer.run(lambda c: write_anomalies(c, [anomaly(1, NOW + 60, NOW + 70, 0.6)]))
    back = Notice(1, "resumed", NOW + 60, NOW + 60, 2.0, "it is back", {})
    store.writer.run(lambda c: add_notice(c, back))
    with store.read() as reader:
        rows = reader.execute(
            "SELECT id, kind, ended, score, direction FROM anomalies ORDER BY id"
        ).fetchall()
    assert rows == [
        (event, "stopped", None, 1.0, "down"),
        (event + 1, "spike", NOW + 70, 0.6, "up"),
        (event + 2, "resumed", NOW + 60, 1.0, "up"),
    ]


def test_history_that_fills_a_gap_is_judged_though_the_gap_was_told(store: Store) -> None:
    store.writer.run(lambda c: add_notice(c, stopped()))
    found = [anomaly(1, NOW + 90, NOW + 120, 0.5)]
    assert store.writer.run(lambda c: write_rebuilt_anomalies(c, found)) == 1


def test_a_stop_is_found_again_while_metrics_are_silent(store: Store) -> None:
    def write(connection: object) -> int:
        event = add_notice(connection, stopped())  # type: ignore[arg-type]
        add_silences(connection, event, [(1, NOW), (2, NOW - 60)])  # type: ignore[arg-type]
        return event

    event = store.writer.run(write)
    with store.read() as reader:
        assert read_silences(reader) == [(1, event, NOW), (2, event, NOW - 60)]
        (told,) = read_stops(reader)
    assert (told.id, told.series, told.started, told.ended) == (event, 1, NOW + 60, None)
    assert told.evidence == {"metrics": 2}

    def end(connection: object) -> None:
        change_stop(
            connection,  # type: ignore[arg-type]
            event,
            series=2,
            ended=NOW + 600,
            explanation="it was back",
            evidence={"metrics": 3},
        )
        end_silences(connection, [1])  # type: ignore[arg-type]

    store.writer.run(end)
    with store.read() as reader:
        (told,) = read_stops(reader)
        assert (told.series, told.ended, told.evidence) == (2, NOW + 600, {"metrics": 3})
        assert reader.execute("SELECT metric, explanation FROM anomalies").fetchall() == [
            ("b", "it was back")
        ]
    store.writer.run(lambda c: end_silences(c, [2, 3]))
    with store.read() as reader:
        assert (read_silences(reader), read_stops(reader)) == ([], [])


def test_muted_metrics_and_names_of_keys(store: Store) -> None:
    other = new_key(store, "other")
    store.writer.run(lambda c: mute_series(c, "b", muted=True))
    with store.read() as reader:
        assert muted_among(reader, [1, 2, 3]) == {2}
        assert muted_among(reader, []) == set()
        assert key_names(reader, {AGENT.id, other.id, 99}) == {
            AGENT.id: "agent",
            other.id: "other",
        }


def test_arrivals_and_missed_times_come_back(store: Store) -> None:
    with store.read() as reader:
        assert (read_arrival_times(reader), read_missed(reader)) == ([], [])
    for body in (b"a", b"bc"):
        store.writer.run(lambda c, body=body: write_arrival_times(c, 3, body))
    store.writer.run(lambda c: write_missed(c, [(1, 5), (7, 9)]))
    with store.read() as reader:
        assert read_arrival_times(reader) == [(3, b"bc")]
        assert read_missed(reader) == [(1, 5), (7, 9)]


def test_the_catalog_knows_whose_metrics_are_live(store: Store) -> None:
    catalog, other = store.catalog, new_key(store, "other")
    post(store, [("d", NOW, 1.0)], key=other)
    assert [catalog.key_of(series) for series in (1, 2, 3, 4)] == [AGENT.id] * 3 + [other.id]
    assert catalog.live_ids(AGENT.id).tolist() == [1, 2, 3]
    catalog.retire([1])
    store.writer.run(lambda c: delete_series(c, "b", now=NOW))
    store.writer.run(catalog.refresh)
    assert catalog.live_ids(AGENT.id).tolist() == [3]
    assert catalog.live_ids(other.id).tolist() == [4]
    ids = np.array([0, 1, 2, 3, 4, 10**9])
    assert catalog.live_among(ids).tolist() == [False, False, False, True, True, False]


def test_what_is_written_is_json(store: Store) -> None:
    event = store.writer.run(lambda c: add_notice(c, stopped()))
    with store.read() as reader:
        rows = reader.execute(
            "SELECT evidence, severity, history FROM stretches WHERE id = ?", (event,)
        ).fetchall()
    assert (json.loads(rows[0][0]), *rows[0][1:]) == ({"metrics": 2}, "normal", 0)
