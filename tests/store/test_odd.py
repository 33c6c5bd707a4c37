"""Anomalies as the pages ask for them."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from fluxd.core.anomaly import Anomaly
from fluxd.store import Store, odd, open_store
from fluxd.store.anomalies import StoredAnomaly, get_anomaly, write_anomalies
from fluxd.store.handover import Batch, NewRow
from fluxd.store.keys import add_key

NOW = 1_700_000_000
NAMES = ("a", "b", "c")


def anomaly(slot: int, started: int, ended: int | None, **other: Any) -> Anomaly:
    usual = Anomaly(
        slot=slot,
        started=started,
        ended=ended,
        peak=started,
        value=9.0,
        expected=5.0,
        lower=4.0,
        upper=6.0,
        score=0.4,
        direction="up",
        kind="spike",
        explanation="high",
        evidence={},
        datapoints=1,
        history=False,
    )
    return dataclasses.replace(usual, **other)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = open_store(tmp_path / "fluxd.db", create=True)
    secret = opened.writer.run(lambda connection: add_key(connection, "agent", now=NOW))
    opened.writer.run(opened.keys.load)
    key = opened.keys.find(secret)
    assert key is not None
    rows = [NewRow(n, name, NOW, 1.0, history=False) for n, name in enumerate(NAMES)]
    opened.writer.submit(Batch(key, NOW, len(rows), new=rows))
    return opened


def add(store: Store, *anomalies: Anomaly) -> None:
    store.writer.run(lambda connection: write_anomalies(connection, anomalies))


def slots(store: Store) -> tuple[int, int, int]:
    a, b, c = (store.catalog.id_of(name) for name in NAMES)
    assert a is not None
    assert b is not None
    assert c is not None
    return a, b, c


def test_what_lasts_is_odd_however_long_ago_it_began_and_comes_first(store: Store) -> None:
    a, b, c = slots(store)
    add(
        store,
        anomaly(a, NOW - 5000, NOW - 4000, score=0.9),
        anomaly(b, NOW - 10**6, None, score=0.35),
        anomaly(c, NOW - 5000, NOW - 4900, score=0.5),
        anomaly(c, NOW - 90_000, NOW - 89_000, score=0.99),
    )
    with store.read() as reader:
        found = odd.read_odd(reader, since=NOW - 86_400, limit=10)
        assert odd.read_odd(reader, since=NOW - 86_400, limit=1) == found[:1]
        assert odd.last_end(reader) == NOW - 4000
    assert [(one.metric, one.score) for one in found] == [("b", 0.35), ("a", 0.9), ("c", 0.5)]
    store.close()


def test_the_like_is_of_the_same_metric_kind_and_direction_and_earlier(store: Store) -> None:
    a, b, _ = slots(store)
    add(
        store,
        *(anomaly(a, NOW - 1000 * n, NOW - 1000 * n + 60) for n in range(1, 5)),
        anomaly(a, NOW - 2500, NOW - 2400, direction="down"),
        anomaly(a, NOW - 3500, NOW - 3400, kind="drop"),
        anomaly(b, NOW - 3000, NOW - 2900),
    )
    with store.read() as reader:
        latest = odd.read_of_metric(reader, a, limit=10)
        like, count = odd.read_like(reader, latest[0], limit=2)
    assert [one.started for one in latest] == [
        NOW - n for n in (1000, 2000, 2500, 3000, 3500, 4000)
    ]
    assert [one.started for one in like] == [NOW - 2000, NOW - 3000]
    assert count == 3
    store.close()


def test_company_is_what_was_there_meanwhile(store: Store) -> None:
    a, b, c = slots(store)
    add(
        store,
        anomaly(a, NOW, NOW + 600),
        anomaly(b, NOW - 3000, NOW - 200),  # over within five minutes before it
        anomaly(b, NOW + 901, NOW + 1000),  # later
        anomaly(c, NOW - 2000, NOW - 301),  # over too long before
        anomaly(c, NOW + 60, None),
    )
    with store.read() as reader:
        found = get_anomaly(reader, 1)
        assert isinstance(found, StoredAnomaly)
        company = odd.read_company(reader, found, within_s=300, limit=10)
    assert [(one.metric, one.started) for one in company] == [("c", NOW + 60), ("b", NOW - 3000)]
    store.close()


def test_none_of_it_reads_every_anomaly_there_ever_was(store: Store) -> None:
    class Watched:
        plans: list[str]

        def __init__(self, reader: object) -> None:
            self._reader, self.plans = reader, []

        def execute(self, sql: str, given: object = ()) -> object:
            rows = self._reader.execute(f"EXPLAIN QUERY PLAN {sql}", given)  # type: ignore[attr-defined]
            self.plans += [row[3] for row in rows]
            return self._reader.execute(sql, given)  # type: ignore[attr-defined]

    add(store, anomaly(slots(store)[0], NOW, NOW + 600))
    with store.read() as reader:
        found = get_anomaly(reader, 1)
        assert found is not None
        watched = Watched(reader)
        odd.read_odd(watched, since=NOW, limit=9)  # type: ignore[arg-type]
        odd.read_of_metric(watched, 1, limit=9)  # type: ignore[arg-type]
        odd.read_like(watched, found, limit=9)  # type: ignore[arg-type]
        odd.read_company(watched, found, within_s=300, limit=9)  # type: ignore[arg-type]
    assert len(watched.plans) > 8
    assert not [plan for plan in watched.plans if plan.startswith("SCAN")]
    store.close()
