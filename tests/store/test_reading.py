import functools
import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from store.posting import NOW, anomaly, fresh_store, post

from fluxd.store import Store
from fluxd.store.anomalies import get_anomaly, get_evidence, page_anomalies, write_anomalies
from fluxd.store.datapoints import new_places, read_commits, read_datapoints
from fluxd.store.metrics import page_metrics
from fluxd.store.places import (
    HOUR_S,
    LATE_TABLE,
    MAX_SERIES,
    RECENT_TABLES,
    SERIES_BITS,
    SERIES_MASK,
    place_of,
    table_of,
)

rows = st.tuples(
    st.sampled_from("abc"),
    st.integers(NOW, NOW + 12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)
posts = st.lists(st.lists(rows, min_size=1, max_size=6, unique_by=lambda r: r[:2]), max_size=8)


def test_a_place_holds_the_latest_second_and_the_last_metric() -> None:
    place = place_of(9_999_999_999, MAX_SERIES)
    assert place < 2**63
    assert (place >> SERIES_BITS, place & SERIES_MASK) == (9_999_999_999, MAX_SERIES)


@given(posts, st.integers(-(10**20), 10**20) | st.integers(NOW, NOW + 12), st.integers(-1, 14))
@settings(max_examples=60, deadline=None)
def test_a_metric_is_read_as_from_a_dictionary(
    sent: list[list[tuple[str, int, float, bool]]], since: int, span: int
) -> None:
    until = since + span
    naive: dict[tuple[str, int], float] = {}
    with fresh_store() as store:
        for request in sent:
            post(store, request)
            naive |= {(name, timestamp): value for name, timestamp, value, _ in request}
        with store.read() as reader:
            for name in "abc":
                series = store.catalog.id_of(name) or 99
                expected = sorted(
                    (t, v) for (n, t), v in naive.items() if n == name and since <= t <= until
                )
                for limit in (3, 100):
                    timestamps, values = read_datapoints(reader, series, since, until, limit)
                    assert list(zip(timestamps, values, strict=True)) == expected[:limit]
            everything = reader.execute("SELECT * FROM datapoints").fetchall()
            recent = reader.execute("SELECT * FROM datapoints_recent").fetchall()
    assert sorted(everything) == sorted(recent) == sorted((*pair, v) for pair, v in naive.items())


HOUR = NOW // HOUR_S
seconds = st.builds(
    lambda hour, second: (HOUR + hour) * HOUR_S + second,
    st.integers(0, 9),  # a table may hold more than one hour where sealing is behind
    st.sampled_from([0, 1, 59, 60, 61, 3_539, 3_540, 3_599]) | st.integers(0, 3_599),
)
places = st.builds(place_of, seconds, st.integers(1, 3))


def fill_tables(on_time: dict[int, float], late: dict[int, float], connection: Any) -> None:
    for place, value in on_time.items():
        table = table_of((place >> SERIES_BITS) // HOUR_S)
        connection.execute(f"INSERT INTO {table} VALUES (?, ?, 1, 0)", (place, value))
    for row in late.items():
        connection.execute(f"INSERT INTO {LATE_TABLE} VALUES (?, ?, 1, 0)", row)


@given(
    st.dictionaries(places, st.floats(allow_nan=False), max_size=40),
    st.dictionaries(places, st.floats(allow_nan=False), max_size=10),
    st.tuples(seconds, seconds).map(sorted),
    st.integers(1, 12),
)
@settings(max_examples=100, deadline=None)
def test_hours_are_read_as_from_a_dictionary(
    on_time: dict[int, float], late: dict[int, float], ends: list[int], limit: int
) -> None:
    with fresh_store() as store:
        store.writer.run(functools.partial(fill_tables, on_time, late))
        for series in (1, 2):
            expected = [
                (place >> SERIES_BITS, value)
                for place, value in sorted((on_time | late).items())
                if place & SERIES_MASK == series and ends[0] <= place >> SERIES_BITS <= ends[1]
            ]
            for most in (limit, 100):
                with store.read() as reader:
                    found = read_datapoints(reader, series, ends[0], ends[1], most)
                assert list(zip(*found, strict=True)) == expected[:most]


@given(posts, st.integers(0, 9), st.integers(0, 9), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_commits_are_read_in_their_order_whatever_the_chunk(
    sent: list[list[tuple[str, int, float, bool]]], after: int, upto: int, chunk: int
) -> None:
    """Each pair once, in the commit that first wrote it, with the value that it had then."""
    first: dict[tuple[str, int], tuple[int, float, bool]] = {}
    with fresh_store() as store:
        for seq, request in enumerate(sent, start=1):
            post(store, request)
            for name, timestamp, value, history in request:
                first.setdefault((name, timestamp), (seq, value, history))
        expected = sorted(
            (seq, place_of(t, store.catalog.id_of(name) or 0), value, int(history))
            for (name, t), (seq, value, history) in first.items()
            if after < seq <= upto
        )
        with store.read() as reader:
            chunks = list(read_commits(reader, after, upto, chunk=chunk))
            if expected:
                places = [place for _, place, _, _ in expected]
                assert new_places(reader, places, [row[0] for row in expected]) == set(places)
                assert new_places(reader, places, [10**6] * len(places)) == set()
    found = [
        row
        for redo in chunks
        for row in zip(redo.seqs, redo.places, redo.values, redo.history, strict=True)
    ]
    assert found == expected
    for one, two in itertools.pairwise(chunks):
        assert one.seqs[-1] < two.seqs[0]


def test_a_filter_on_the_metric_reaches_its_datapoints(store: Store) -> None:
    with store.read() as reader:
        plan = reader.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM datapoints WHERE metric = ?", ("a",)
        )
        steps = [row[3] for row in plan]
    assert not [step for step in steps if step.startswith(("SCAN recent", "SCAN blocks"))]
    for table in (*RECENT_TABLES, "blocks"):
        assert f"SEARCH {table} USING INTEGER PRIMARY KEY (rowid=?)" in steps
    assert [step for step in steps if step.startswith("SEARCH series USING")]


def test_metrics_come_by_name_in_pages(store: Store) -> None:
    names = sorted(f"{part}.{n}" for part in ("cpu", "mem") for n in range(5))
    post(store, [(name, NOW, 1.0) for name in reversed(names)])
    for match, expected in [
        (None, names),
        ("cpu", names[:5]),
        ("*.3", ["cpu.3", "mem.3"]),
        ("m*.[12]", ["mem.1", "mem.2"]),
        ("?", []),
    ]:
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            with store.read() as reader:
                page, cursor = page_metrics(reader, match=match, limit=2, cursor=cursor)
            assert len(page) <= 2
            assert [series for series, _ in page] == [store.catalog.id_of(n) for _, n in page]
            found += [name for _, name in page]
        assert found == expected


def test_an_anomaly_is_stored_again_in_its_place(store: Store) -> None:
    post(store, [("a", NOW, 1.0)])
    store.writer.run(lambda c: write_anomalies(c, [anomaly(1, NOW, None, 0.5)]))
    store.writer.run(lambda c: write_anomalies(c, [anomaly(1, NOW, NOW + 60, 0.75)]))
    with store.read() as reader:
        found = get_anomaly(reader, 1)
        assert found is not None
        assert (found.metric, found.started, found.ended, found.score, found.explanation) == (
            "a",
            NOW,
            NOW + 60,
            0.75,
            "0.75",
        )
        assert get_evidence(reader, 1) == {"days": [[1, 2.0, 3.0]]}
        assert (get_anomaly(reader, 2), get_evidence(reader, 2)) == (None, None)


def test_anomalies_come_newest_first_in_pages(store: Store) -> None:
    post(store, [("a", NOW, 1.0), ("b", NOW, 1.0)])
    found = [anomaly(1 + n % 2, NOW + 100 * n, NOW + 100 * n + 50, n / 10) for n in range(9)]
    found[8].ended = None
    store.writer.run(lambda c: write_anomalies(c, found))

    def ids(**filters: object) -> list[int]:
        cursor: int | None = None
        collected: list[int] = []
        while True:
            with store.read() as reader:
                page, cursor = page_anomalies(reader, limit=2, cursor=cursor, **filters)  # type: ignore[arg-type]
            collected += [row.id for row in page]
            if cursor is None:
                return collected

    assert ids() == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert ids(metric="a") == [9, 7, 5, 3, 1]
    assert ids(since=NOW + 250, until=NOW + 500) == [6, 5, 4, 3]
    assert ids(since=NOW + 251, until=NOW + 499) == [5, 4]
    assert ids(since=NOW + 10_000) == [9]
    assert ids(min_score=0.7) == [9, 8]
    assert ids(metric="nobody") == []
