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
    changes = tests.take_changes(NOW)
    assert changes == [first, other, refused]
    assert tests.take_changes(NOW) is None
    store.writer.run(lambda c: write_ingestion_tests(c, changes))
    loaded = IngestionTests()
    with store.read() as reader:
        loaded.load(reader)
    assert loaded.rows(NOW) == tests.rows(NOW)
    assert loaded.rows(NOW + ingestion_tests.KEEP_S - 5) == [refused]
    tests.clear("agent")
    assert tests.rows(NOW) == [other]
    assert tests.take_changes(NOW) == [other]
    tests.clear()
    tests.mark_changed()
    assert tests.take_changes(NOW) == []


def test_ingestion_tests_are_bounded() -> None:
    tests = IngestionTests()
    for n in range(ingestion_tests.MAX_PER_KEY + 5):
        tests.note(IngestionTest(NOW + n, "agent", ["m"], [], "x" * 5000))
    mine = tests.rows(NOW)
    assert len(mine) == ingestion_tests.MAX_PER_KEY
    assert mine[0].message == "x" * ingestion_tests.MAX_TEXT
    for n in range(ingestion_tests.MAX_TESTS):
        tests.note(IngestionTest(NOW, f"key{n}", [], []))
    assert len(tests.rows(NOW)) == ingestion_tests.MAX_TESTS
    for n in range(50):
        tests.note(IngestionTest(NOW, f"large{n}", ["m"] * 6000, ["n"] * 6000))
    kept = tests.rows(NOW)
    assert len(kept[0].metrics) == ingestion_tests.MAX_NAMES
    assert sum(test.names for test in kept) <= ingestion_tests.MAX_ALL_NAMES
    assert kept[0].key == "large49"
