import pytest
from hypothesis import given
from hypothesis import strategies as st
from store.posting import NOW

from fluxd.store import Store, ingestion_tests, rejections
from fluxd.store.ingestion_tests import IngestionTest, IngestionTests, write_ingestion_tests
from fluxd.store.rejections import Rejection, RejectionLedger, reason_of, write_rejections


def test_a_repeated_mistake_is_one_row_with_a_count() -> None:
    ledger = RejectionLedger()
    for n in range(3):
        ledger.note(NOW + n, "agent", f"invalid value - {n}", index=n, element=f'{{"value": {n}}}')
    ledger.note(NOW + 9, None, "no key passed")
    assert ledger.rows() == [
        Rejection(NOW + 9, "", "no key passed", "no key passed", None, None, 1),
        Rejection(NOW + 2, "agent", "invalid value", "invalid value - 2", 2, '{"value": 2}', 3),
    ]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("invalid metric", "invalid metric"),
        ("invalid metric - a..b", "invalid metric"),
        (
            "invalid metric - a - b - invalid characters in name",
            "invalid metric - invalid characters in name",
        ),
        (
            "invalid timestamp - 1 - timestamp is not an int",
            "invalid timestamp - timestamp is not an int",
        ),
        ("invalid value - 1 - 2", "invalid value"),
        ("Invalid parameter received - x", "Invalid parameter received"),
    ],
)
def test_a_reason_is_a_message_without_what_was_sent(message: str, reason: str) -> None:
    assert reason_of(message) == reason


@given(
    st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from("xyz")), max_size=30),
    st.integers(1, 6),
)
def test_the_ledger_is_bounded_and_forgets_the_oldest(
    notes: list[tuple[str | None, str]], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rejections, "MAX_ENTRIES", most)
        ledger = RejectionLedger()
        for now, (key, message) in enumerate(notes):
            ledger.note(now, key, message + "z" * 10_000)
        rows = ledger.rows()
    latest = {(key or "", message): now for now, (key, message) in enumerate(notes)}
    assert [row.time for row in rows] == sorted(latest.values(), reverse=True)[:most]
    assert all(len(row.message) == rejections.MAX_TEXT for row in rows)


def test_rejections_survive_a_restart(store: Store) -> None:
    ledger = store.rejections
    assert ledger.take_changes() is None
    ledger.note(NOW, "agent", "invalid metric", index=3, element="{}")
    ledger.note(NOW + 1, None, "no key passed")
    entries = ledger.take_changes()
    assert entries is not None
    store.writer.run(lambda c: write_rejections(c, entries))
    assert ledger.take_changes() is None
    ledger.mark_changed()
    assert ledger.take_changes() == entries
    loaded = RejectionLedger()
    with store.read() as reader:
        loaded.load(reader)
    assert loaded.rows() == ledger.rows()
    loaded.note(NOW + 2, "agent", "invalid metric")
    assert loaded.rows()[0].count == 2


def test_ingestion_tests_are_shown_newest_first_and_survive_a_restart(store: Store) -> None:
    tests = store.ingestion_tests
    first = IngestionTest(NOW - 10, "agent", ["a"], ["b"])
    refused = IngestionTest(NOW, "agent", [], [], "invalid value - null")
    other = IngestionTest(NOW - 5, "other", ["c"], [])
    for test in (first, other, refused):
        tests.note(test)
    assert tests.rows(NOW) == [refused, other, first]
    assert tests.take_changes(NOW) == ([first, other, refused], False)
    assert tests.take_changes(NOW) is None
    store.writer.run(
        lambda c: write_ingestion_tests(c, [first, other, refused], now=NOW, rewrite=False)
    )
    loaded = IngestionTests()
    with store.read() as reader:
        loaded.load(reader)
    assert loaded.rows(NOW) == tests.rows(NOW)
    assert loaded.rows(NOW + ingestion_tests.KEEP_S - 5) == [refused]
    tests.clear("agent")
    assert tests.rows(NOW) == [other]
    assert tests.take_changes(NOW) == ([other], True)
    tests.clear()
    tests.mark_changed()
    assert tests.take_changes(NOW) == ([], True)
    store.writer.run(lambda c: write_ingestion_tests(c, [], now=NOW, rewrite=True))
    with store.read() as reader:
        assert reader.execute("SELECT count(*) FROM ingestion_tests").fetchone() == (0,)


def test_ingestion_tests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MAX_PER_KEY": 20, "MAX_TESTS": 50, "MAX_NAMES": 30}.items():
        monkeypatch.setattr(ingestion_tests, name, value)
    monkeypatch.setattr(ingestion_tests, "MAX_ALL_NAMES", 200)
    tests = IngestionTests()
    for n in range(25):
        tests.note(IngestionTest(NOW + n, "agent", ["m"], [], "x" * 5000))
    mine = tests.rows(NOW)
    assert [test.time for test in mine] == [NOW + n for n in range(24, 4, -1)]
    assert mine[0].message == "x" * ingestion_tests.MAX_TEXT
    for n in range(60):
        tests.note(IngestionTest(NOW + n, f"key{n}", [], []))
    assert len(tests.rows(NOW)) == 50
    for n in range(50):
        tests.note(IngestionTest(NOW + 100 + n, f"large{n}", [f"m{n}"] * 40, [f"n{n}"] * 40))
    kept = tests.rows(NOW)
    assert len(kept[0].metrics) == 30
    assert sum(len(test.metrics) + len(test.dropped) for test in kept) <= 200
    assert kept[0].key == "large49"


def test_an_agent_that_tests_for_an_hour_sees_the_whole_hour() -> None:
    tests = IngestionTests()
    names = [f"host-1.metric-{n}" for n in range(500)]
    for second in range(0, 3600, 10):
        tests.note(IngestionTest(NOW + second, "agent", list(names), []))
    assert len(tests.rows(NOW + 3600)) == 360
    assert all(test.metrics == names for test in tests.rows(NOW + 3600))
