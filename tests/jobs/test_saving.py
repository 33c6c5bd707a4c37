from collections.abc import Iterator
from typing import Any

import pytest
from store.posting import NOW, fresh_store, post

from fluxd.core.detect import VERSION
from fluxd.core.errors import UnavailableError
from fluxd.jobs import analysis as analysis_module
from fluxd.jobs import saving
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.saving import ROUND_S, StateSaver, SummarySaver, save_ledgers
from fluxd.store import Store
from fluxd.store.ingestion_tests import IngestionTest, IngestionTests
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


def test_a_round_saves_a_slice_at_a_time_and_then_says_how_far_all_are(store: Store) -> None:
    post(store, [(f"m{n}", NOW, 1.0) for n in range(5)])  # ids 1 to 5: slices 0, 1 and 2
    post(store, [("m0", NOW, 2.0)])
    analysis = analysed(store)
    saver = StateSaver(store, analysis)
    saver.save(NOW)  # the first call begins the hour
    saver.save(NOW + ROUND_S - 1)
    assert saved(store) == ([], 0)
    saver.save(NOW + ROUND_S)
    assert saved(store) == ([(2, 2)], 0)
    post(store, [("m0", NOW + 60, 1.0)])
    saver.save(NOW + ROUND_S)  # not what isn't analysed
    while analysis.step(NOW):
        pass
    saver.save(NOW + ROUND_S)
    assert saved(store) == ([(0, 3), (1, 2), (2, 2)], 2)
    assert saver.saved_seq == 2
    with store.read() as reader:
        assert reader.execute("SELECT * FROM overwritten").fetchall() == []
    saver.save(NOW + ROUND_S)
    assert not analysis.dirty.any()


def test_a_round_begins_early_when_there_is_enough_to_save(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(store, [("a", NOW, 1.0)])
    saver = StateSaver(store, analysed(store))
    saver.save(NOW)
    assert saved(store) == ([], 0)
    monkeypatch.setattr(saving, "BYTES_PER_DATAPOINT", 10**9)
    saver.save(NOW)
    assert saved(store) == ([(0, 1)], 1)


def test_a_slice_that_could_not_be_saved_is_saved_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(store, [(f"m{n}", NOW, 1.0) for n in range(5)])
    analysis = analysed(store)
    saver = StateSaver(store, analysis)
    saver.save(NOW)
    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(store.writer, "run", refuse)
            with pytest.raises(UnavailableError):
                saver.save(NOW + ROUND_S)
        saver.save(NOW + ROUND_S)
    with monkeypatch.context() as patch:
        patch.setattr(saving, "finish_round", refuse)
        for _ in range(2):
            with pytest.raises(UnavailableError):
                saver.save(NOW + ROUND_S)
    assert saved(store) == ([(0, 1), (1, 1), (2, 1)], 0)
    saver.save(NOW + ROUND_S)
    assert saved(store) == ([(0, 1), (1, 1), (2, 1)], 1)
    assert not analysis.dirty.any()


def test_all_is_saved_while_there_is_time(store: Store) -> None:
    post(store, [(f"m{n}", NOW, 1.0) for n in range(5)])
    analysis = analysed(store)
    saver = StateSaver(store, analysis)
    answers = iter([True, False])
    saver.save_all(NOW, lambda: next(answers))
    assert saved(store) == ([(2, 1)], 0)
    saver.save_all(NOW, lambda: True)
    assert saved(store) == ([(0, 1), (1, 1), (2, 1)], 1)


def test_nothing_is_saved_while_anomalies_are_not_stored(store: Store) -> None:
    post(store, [("a", NOW, 1.0)])
    analysis = analysed(store)
    analysis._redo_upto = 5
    saver = StateSaver(store, analysis)
    saver.save_all(NOW, lambda: True)
    saver.save(NOW)
    saver.save(NOW + ROUND_S)
    assert saved(store) == ([], 0)


def summaries(store: Store) -> dict[str, int]:
    with store.read() as reader:
        return dict(reader.execute("SELECT metric, datapoints FROM metrics").fetchall())


def test_summaries_go_round_at_a_bounded_rate(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "SUMMARIES_PER_S", 3)
    monkeypatch.setattr(saving, "SUMMARY_BATCH", 6)
    names = [f"m{n}" for n in range(10)]
    post(store, [(name, NOW, 1.0) for name in names])
    analysis = analysed(store)
    saver = SummarySaver(store, analysis)
    written = []
    for second in (0, 0, 1, 2, 3):
        saver.save(NOW + second)
        written.append(sum(summaries(store).values()))
    assert written == [6, 6, 9, 10, 10]
    busy = [("m0", NOW + 60, 1.0), ("m1", NOW + 60, 1.0), ("m2", NOW + 60, 1.0)]
    post(store, [*busy, ("m9", NOW + 60, 1.0)])
    while analysis.step(NOW):
        pass
    monkeypatch.setattr(saving, "SUMMARY_BATCH", 2)
    for second in (10, 20):
        post(store, [(name, NOW + 60 + second, 1.0) for name in ("m0", "m1")])
        while analysis.step(NOW):
            pass
        saver.save(NOW + second)
    assert summaries(store)["m9"] + summaries(store)["m2"] == 4  # not starved by m0 and m1


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
