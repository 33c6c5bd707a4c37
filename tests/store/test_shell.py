"""The views, read by the stock shell while the daemon's store is open."""

import json
import subprocess

from store.posting import NOW, anomaly, busy_writer, post

from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies
from fluxd.store.metrics import Summary, write_summaries


def ask(store: Store, sql: str) -> list[dict[str, object]]:
    answer = subprocess.run(
        ["sqlite3", "-readonly", "-json", store.path, sql],
        capture_output=True,
        check=True,
        text=True,
    )
    assert answer.stderr == ""
    rows: list[dict[str, object]] = json.loads(answer.stdout or "[]")
    return rows


def test_the_shell_reads_every_view_while_the_store_is_open(store: Store) -> None:
    post(store, [("a", NOW, 1.5), ("b", NOW, 2.0), ("a", NOW + 60, 0.1)])
    store.checkpoint()
    post(store, [("a", NOW + 3600, -3.25)])
    store.writer.run(lambda c: write_anomalies(c, [anomaly(1, NOW, None, 0.5)]))
    summary = Summary(1, 60.0, 3, NOW, NOW + 3600, "learning")
    store.writer.run(lambda c: write_summaries(c, [summary]))
    of_a = [
        {"metric": "a", "timestamp": NOW, "value": 1.5},
        {"metric": "a", "timestamp": NOW + 60, "value": 0.1},
        {"metric": "a", "timestamp": NOW + 3600, "value": -3.25},
    ]
    with busy_writer(store):
        assert ask(store, "select * from datapoints where metric = 'a'") == of_a
        assert ask(store, "select * from datapoints_recent where metric = 'a'") == of_a
        assert len(ask(store, "select * from datapoints")) == 4
        assert ask(store, "select * from metrics order by metric") == [
            {
                "metric": "a",
                "interval": 60.0,
                "datapoints": 3,
                "first": NOW,
                "last": NOW + 3600,
                "state": "learning",
            },
            {
                "metric": "b",
                "interval": None,
                "datapoints": 0,
                "first": None,
                "last": None,
                "state": "learning",
            },
        ]
        (found,) = ask(store, "select * from anomalies")
    assert list(found) == [
        "id",
        "metric",
        "started",
        "ended",
        "peak",
        "value",
        "expected",
        "lower",
        "upper",
        "score",
        "direction",
        "kind",
        "explanation",
        "severity",
    ]
    assert (found["metric"], found["ended"], found["score"]) == ("a", None, 0.5)
    post(store, [("a", NOW + 3660, 1.0)])


def test_an_empty_store_has_empty_views(store: Store) -> None:
    for view in ("datapoints", "datapoints_recent", "metrics", "anomalies"):
        assert ask(store, f"select * from {view}") == []


def test_the_shell_reaches_a_metric_by_its_keys(store: Store) -> None:
    plan = subprocess.run(
        ["sqlite3", "-readonly", store.path],
        input="explain query plan select * from datapoints where metric = 'a';",
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert "SCAN recent" not in plan
    assert "SCAN blocks" not in plan
    for table in ("blocks", "recent_0", "recent_late"):
        assert f"SEARCH {table} USING INTEGER PRIMARY KEY" in plan


def test_the_shell_may_not_write(store: Store) -> None:
    answer = subprocess.run(
        ["sqlite3", "-readonly", store.path, "delete from recent_late"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert "readonly" in answer.stderr
