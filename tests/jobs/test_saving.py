import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from store.posting import NOW, fresh_store, post

from fluxd.core.bands import Band
from fluxd.core.detect import THRESHOLD, VERSION, WARMUP
from fluxd.core.errors import UnavailableError
from fluxd.jobs import analysis as analysis_module
from fluxd.jobs import saving
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.saving import (
    AFTER_CLOSE_S,
    BUDGET_S,
    SWEEP_S,
    StateSaver,
    SummarySaver,
    save_ledgers,
)
from fluxd.store import Store
from fluxd.store.bands import read_bands
from fluxd.store.connection import Connection
from fluxd.store.feed import Feed
from fluxd.store.ingestion_tests import IngestionTest, IngestionTests
from fluxd.store.places import HOUR_S, LATE_S
from fluxd.store.rejections import RejectionLedger
from fluxd.store.states import read_states, states_seq


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(analysis_module, "SLICE", 2)
    monkeypatch.setattr(saving, "SLICE", 2)
    with fresh_store() as fresh:
        yield fresh


def analysed(store: Store) -> Analysis:
    analysis = Analysis(store)
    while analysis.step(NOW):
        pass
    return analysis


def saved(store: Store) -> tuple[list[tuple[int, int]], int]:
    """Return slices with their commit numbers, and the number that holds for all."""
    with store.read() as reader:
        states = read_states(reader, VERSION)
        return [(state.slice, state.seq) for state in states], states_seq(reader, VERSION)


def refuse(*_: object) -> Any:
    raise UnavailableError("not now")


CLOSED = (NOW + HOUR_S) // HOUR_S * HOUR_S + LATE_S + AFTER_CLOSE_S  # the next hour's table is


def fives(store: Store) -> Analysis:
    """Post for ids 1 to 5, of slices 0, 1 and 2, and analyse it."""
    post(store, [(f"m{n}", NOW, 1.0) for n in range(5)])
    return analysed(store)


def one_by_one(store: Store, analysis: Analysis) -> StateSaver:
    """Return a saver for which one slice takes longer than a call may."""
    saver = StateSaver(store, analysis, clock=itertools.count(0, BUDGET_S / 2).__next__)
    assert saver.saved_seq == 0
    return saver


def test_a_round_is_cut_into_calls_and_then_says_how_far_all_are(store: Store) -> None:
    post(store, [("m0", NOW, 2.0)])
    analysis = fives(store)
    saver = one_by_one(store, analysis)
    saver.save(NOW)
    assert saved(store) == ([(0, 2)], 0)
    post(store, [("m0", NOW + 60, 1.0)])
    saver.save(NOW)  # not what isn't analysed
    assert saved(store) == ([(0, 2), (1, 2)], 0)
    while analysis.step(NOW):
        pass
    saver.save(NOW)
    assert saved(store) == ([(0, 2), (1, 2), (2, 3)], 2)
    assert saver.saved_seq == 2
    with store.read() as reader:
        assert reader.execute("SELECT * FROM overwritten").fetchall() == []
    assert analysis.dirty.tolist() == [True, False, False]


def test_a_round_begins_when_an_hours_table_is_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = fives(store)
    saver = StateSaver(store, analysis)
    saver.save(NOW)  # and at the start
    post(store, [("m0", NOW + 60, 1.0)])
    while analysis.step(NOW):
        pass
    saver.save(CLOSED - 1)
    assert (saver.saved_seq, saved(store)[1]) == (1, 1)
    post(store, [("m0", NOW + 120, 1.0)])
    saver.save(CLOSED)  # not before all of that hour is analysed
    assert saver.saved_seq == 1
    while analysis.step(NOW):
        pass
    saver.save(CLOSED + 1)
    assert (saver.saved_seq, saved(store)[1]) == (3, 3)
    monkeypatch.setattr(store.writer, "run", refuse)
    saver.save(CLOSED + HOUR_S)  # nothing has come since


def test_what_was_saved_meanwhile_is_not_saved_again_in_the_round(store: Store) -> None:
    analysis = fives(store)
    saver = one_by_one(store, analysis)
    saver.save(NOW)
    saver.save_slice(1, NOW + 5)
    with store.read() as reader:
        before = reader.execute("SELECT saved FROM states ORDER BY slice").fetchall()
    for _ in range(2):
        saver.save(NOW + 9)
    with store.read() as reader:
        after = reader.execute("SELECT saved FROM states ORDER BY slice").fetchall()
    assert (before, after) == ([(NOW,), (NOW + 5,)], [(NOW,), (NOW + 5,), (NOW + 9,)])
    assert saver.saved_seq == 1


def test_a_round_ends_though_nothing_is_to_be_saved(store: Store) -> None:
    analysis = fives(store)
    saver = StateSaver(store, analysis)
    for index in range(3):
        saver.save_slice(index, NOW)
    assert saved(store)[1] == 0
    saver.save(NOW)
    assert saved(store)[1] == saver.saved_seq == 1
    assert StateSaver(store, analysis).saved_seq == 1


def test_a_round_begins_early_when_there_is_enough_to_save(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = fives(store)
    saver = StateSaver(store, analysis)
    saver.save(NOW)
    post(store, [("m0", NOW + 60, 1.0)])
    while analysis.step(NOW):
        pass
    saver.save(NOW)
    assert saver.saved_seq == 1
    monkeypatch.setattr(saving, "BYTES_PER_DATAPOINT", 10**9)
    saver.save(NOW)
    assert saver.saved_seq == 2
    saver.save(NOW)  # nothing has changed: nothing is worth its bytes


def test_a_slice_that_could_not_be_saved_is_saved_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = fives(store)
    saver = StateSaver(store, analysis)
    with monkeypatch.context() as patch:
        patch.setattr(store.writer, "run", refuse)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                saver.save(NOW)
    with monkeypatch.context() as patch:
        patch.setattr(saving, "finish_round", refuse)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                saver.save(NOW)
    assert saved(store) == ([(0, 1), (1, 1), (2, 1)], 0)
    saver.save(NOW)
    assert saved(store) == ([(0, 1), (1, 1), (2, 1)], 1)
    assert not analysis.dirty.any()


def test_what_else_is_written_shares_the_transaction(store: Store) -> None:
    analysis = fives(store)
    saver = StateSaver(store, analysis)

    def fail(connection: Connection) -> None:
        connection.execute("DELETE FROM series WHERE id = 1")
        raise UnavailableError("not now")

    with pytest.raises(UnavailableError):
        saver.save_slice(0, NOW, fail)
    assert saved(store) == ([], 0)
    assert analysis.dirty.all()
    saver.save_slice(0, NOW, lambda c: c.execute("DELETE FROM series WHERE id = 1"))
    assert saved(store) == ([(0, 1)], 0)
    with store.read() as reader:
        assert reader.execute("SELECT min(id) FROM series").fetchall() == [(2,)]


def test_all_is_saved_while_there_is_time(store: Store) -> None:
    saver = StateSaver(store, fives(store))
    answers = iter([True, False])
    saver.save_all(NOW, lambda: next(answers))
    assert saved(store) == ([(0, 1)], 0)
    saver.save_all(NOW, lambda: True)
    assert saved(store) == ([(0, 1), (1, 1), (2, 1)], 1)


def test_nothing_is_saved_while_anomalies_are_not_stored(store: Store) -> None:
    post(store, [("a", NOW, 1.0)])
    analysis = analysed(store)
    analysis._redo_upto = 5
    saver = StateSaver(store, analysis)
    saver.save_all(NOW, lambda: True)
    saver.save(NOW)
    saver.save(NOW + HOUR_S)
    assert saved(store) == ([], 0)


# ---- bands


def learn(store: Store, analysis: Analysis, first: int, count: int, *, name: str = "a") -> None:
    post(store, [(name, NOW + 60 * n, float(n % 7)) for n in range(first, first + count)])
    while analysis.step(NOW):
        pass


def told(analysis: Analysis, slot: int = 1) -> Band:
    return analysis.knowledge.bands.read(slot, 0, 2**32)


def stored(store: Store, slot: int = 1) -> Band:
    with store.read() as reader:
        return read_bands(reader, slot, 0, 2**32)


def test_bands_leave_memory_when_they_are_stored(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = analysed(store)
    learn(store, analysis, 0, WARMUP + 60)
    before = told(analysis)
    assert len(before) == 60
    saver = StateSaver(store, analysis)
    with monkeypatch.context() as patch:
        patch.setattr(store.writer, "run", refuse)
        with pytest.raises(UnavailableError):
            saver.save(NOW)
    assert (len(told(analysis)), len(stored(store))) == (60, 0)
    saver.save(NOW)
    assert (len(told(analysis)), len(stored(store))) == (0, 60)
    after = stored(store)
    assert after.timestamps.tolist() == before.timestamps.tolist()
    width = (before.upper - before.lower).min()
    for one, other in ((before.expected, after.expected), (before.upper, after.upper)):
        assert np.abs(one - other).max() <= width / 32 * 1.001
    assert ((before.score >= THRESHOLD) == (after.score >= THRESHOLD)).all()


def test_a_replay_makes_the_bands_again_that_are_not_stored(store: Store) -> None:
    analysis = analysed(store)
    learn(store, analysis, 0, WARMUP + 60)
    StateSaver(store, analysis).save(NOW)
    learn(store, analysis, WARMUP + 60, 10)
    expected = told(analysis)
    store.feed = Feed(store.writer.last_seq)
    again = analysed(store)  # as after a crash
    np.testing.assert_array_equal(told(again).timestamps, expected.timestamps)
    np.testing.assert_array_equal(told(again).upper, expected.upper)
    StateSaver(store, again).save_all(NOW, lambda: True)
    assert len(stored(store)) == 70
    store.feed = Feed(store.writer.last_seq)
    assert len(told(analysed(store))) == 0


def test_full_slices_are_saved_out_of_turn(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    analysis = analysed(store)
    learn(store, analysis, 0, 1)
    saver = StateSaver(store, analysis)
    saver.save(NOW)
    learn(store, analysis, 1, WARMUP + 10)
    learn(store, analysis, 0, WARMUP + 9, name="b")
    monkeypatch.setattr(saving, "BYTES_PER_DATAPOINT", 1)  # no round is due
    monkeypatch.setattr(analysis.knowledge.bands, "full", lambda _rows: [0, 2])
    saver._clock = iter([0.0, 0.0, BUDGET_S]).__next__
    saver.save(NOW)
    assert [index for index, _ in saved(store)[0]] == [0]
    assert saver.saved_seq == 1
    assert len(stored(store)) == 11
    saver._clock = lambda: 0.0
    saver.save(NOW)
    assert [index for index, _ in saved(store)[0]] == [0, 1]
    assert len(stored(store, 2)) == 9
    assert not analysis.dirty.any()


def test_bands_older_than_their_retention_are_not_kept(store: Store) -> None:
    analysis = analysed(store)
    saver = StateSaver(store, analysis, band_s=60 * 10)
    saver.save(NOW + 60 * (WARMUP + 30))
    learn(store, analysis, 0, WARMUP + 30)
    assert told(analysis).timestamps.tolist() == [NOW + 60 * (WARMUP + n) for n in range(20, 30)]


def summaries(store: Store) -> dict[str, int]:
    with store.read() as reader:
        return dict(reader.execute("SELECT metric, datapoints FROM metrics").fetchall())


def test_first_summaries_are_written_at_once_and_later_ones_in_sweeps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "SUMMARY_BATCH", 6)
    monkeypatch.setattr(saving, "LEAST_ROWS", 1)
    names = [f"m{n}" for n in range(10)]
    post(store, [(name, NOW, 1.0) for name in names])
    analysis = analysed(store)
    saver = SummarySaver(store, analysis)
    written = []
    for second in (0, 1, 2):
        saver.save(NOW + second)
        written.append(sum(summaries(store).values()))
    assert written[1:] == [10, 10]

    def report(*some: str, second: int) -> None:
        post(store, [(name, NOW + second, 1.0) for name in some])
        while analysis.step(NOW):
            pass
        saver.save(NOW + second)

    report("m0", "m1", "m9", second=SWEEP_S - 1)
    assert sum(summaries(store).values()) == 10
    for sweep in range(1, 8):  # m0 and m1, which report all the time, do not starve m9
        report("m0", "m1", second=sweep * SWEEP_S)
    assert summaries(store)["m9"] == 2
    saver.save_all(NOW + 8 * SWEEP_S, lambda: True)
    assert summaries(store) == {**dict.fromkeys(names, 1), "m0": 9, "m1": 9, "m9": 2}


def test_it_is_told_at_once_that_a_metric_is_analysed(store: Store) -> None:
    analysis = analysed(store)
    saver = SummarySaver(store, analysis)
    for n in range(WARMUP):
        post(store, [("a", NOW + n, float(n % 7))])
        while analysis.step(NOW):
            pass
        saver.save(NOW + n // 10)  # no sweep but the first
    with store.read() as reader:
        assert reader.execute("SELECT datapoints, state FROM metrics").fetchall() == [
            (WARMUP, "analysed")
        ]


def test_a_summary_that_could_not_be_written_is_written_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(store, [("a", NOW, 1.0), ("a", NOW - 60, 1.0), ("a", NOW, 2.0)])
    post(store, [("a", NOW - 120, 1.0)])
    saver = SummarySaver(store, analysed(store))
    with monkeypatch.context() as patch:
        patch.setattr(store.writer, "run", refuse)
        with pytest.raises(UnavailableError):
            saver.save(NOW)
    assert summaries(store) == {"a": 0}
    saver.save(NOW)
    assert summaries(store) == {"a": 3}


def test_ledgers_are_written_when_they_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.rejections.note(NOW, "agent", "invalid metric")
    store.ingestion_tests.note(IngestionTest(NOW, "agent", ["a"], []))
    with monkeypatch.context() as patch:
        patch.setattr(store.writer, "run", refuse)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                save_ledgers(store, NOW)
    save_ledgers(store, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(store.writer, "run", refuse)
        save_ledgers(store, NOW)  # nothing has changed
        store.ingestion_tests.clear()
        with pytest.raises(UnavailableError):
            save_ledgers(store, NOW)
    rejections, tests = RejectionLedger(), IngestionTests()
    with store.read() as reader:
        rejections.load(reader)
        tests.load(reader)
    assert rejections.rows() == store.rejections.rows()
    assert [test.metrics for test in tests.rows(NOW)] == [["a"]]
    save_ledgers(store, NOW)
    emptied = IngestionTests()
    with store.read() as reader:
        emptied.load(reader)
    assert emptied.rows(NOW) == []
