"""A state that another version of the detector wrote: all is learnt anew from what is stored."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store.posting import NOW, memory_folder, opened, post

from fluxd.core.detect import VERSION
from fluxd.jobs import analysis as analysis_module
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.rebuilding import Rebuilder
from fluxd.jobs.saving import StateSaver, SummarySaver
from fluxd.store import Store
from fluxd.store.connection import FILE_NAME
from fluxd.store.rebuilds import waiting_rebuilds

COUNT = 300
BEGAN = NOW - 60 * COUNT
SPIKE = 250


def value_at(minute: int) -> float:
    return 10.0 + math.sin(minute / 7) + minute % 5 / 10 + (90.0 if minute == SPIKE else 0.0)


def analyse(store: Store) -> Analysis:
    analysis = Analysis(store)
    while analysis.step(NOW):
        pass
    return analysis


def rows(store: Store, sql: str) -> list[tuple[Any, ...]]:
    with store.read() as reader:
        found: list[tuple[Any, ...]] = reader.execute(sql).fetchall()
    return found


STATUS = "SELECT metric, datapoints, first, last FROM metrics"
TOLD = "SELECT id, started, explanation, history FROM stretches"


@pytest.fixture
def path() -> Iterator[Path]:
    """Lend a store that an earlier version has left: two metrics, one with an open anomaly."""
    with memory_folder() as folder:
        path = folder / FILE_NAME
        with opened(path) as store:
            minutes = range(COUNT)
            post(store, [("a", BEGAN + 60 * n, value_at(n)) for n in minutes])
            post(store, [("b", BEGAN + 60 * n, value_at(n)) for n in minutes if n <= SPIKE])
            analysis = analyse(store)
            StateSaver(store, analysis).save_all(NOW, lambda: True)
            SummarySaver(store, analysis).save_all(NOW, lambda: True)
            store.writer.run(
                lambda c: c.execute(
                    f"UPDATE states SET version = {VERSION - 1};"
                    f"UPDATE meta SET name = 'states_seq_{VERSION - 1}'"
                    f" WHERE name = 'states_seq_{VERSION}'"
                ).fetchall()
            )
        yield path


def test_all_is_learnt_anew_and_what_was_told_stays(path: Path) -> None:
    with opened(path) as store:
        status, told = rows(store, STATUS), rows(store, TOLD)
        assert len(told) == 2
        assert rows(store, "SELECT count(*) FROM stretches WHERE ended IS NULL") == [(1,)]
        analysis = analyse(store)
        assert not analysis.knowledge.bank.counts.any()
        assert rows(store, "SELECT count(*) FROM stretches WHERE ended IS NULL") == [(0,)]
        SummarySaver(store, analysis).save_all(NOW, lambda: True)
        assert rows(store, STATUS) == status
        saver = StateSaver(store, analysis)
        rebuilder = Rebuilder(store, analysis, saver.save_slice)
        while rebuilder.step(NOW):
            pass
        assert analysis.knowledge.bank.counts[1:].tolist() == [COUNT, SPIKE + 1]
        assert analysis.knowledge.tally.late[1:3].tolist() == [0, 0]
        SummarySaver(store, analysis).save_all(NOW, lambda: True)
        assert rows(store, STATUS) == status
        assert rows(store, TOLD) == told
        saver.save_all(NOW, lambda: True)
        known = [analysis.knowledge.dump(slot, slot + 1) for slot in (1, 2)]
    with opened(path) as store:
        again = analyse(store)
        assert [again.knowledge.dump(slot, slot + 1) for slot in (1, 2)] == known
        with store.read() as reader:
            assert waiting_rebuilds(reader, NOW, 9) == []


def test_cut_short_it_goes_on_and_no_datapoint_is_learnt_twice(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(path) as store:
        analyse(store)
        post(store, [("a", NOW, value_at(COUNT)), ("c", NOW, 1.0)])
    with opened(path) as store:
        analysis = analyse(store)
        assert analysis.knowledge.bank.counts[1:].tolist() == [1, 0, 1]
        with store.read() as reader:
            assert [one.series for one in waiting_rebuilds(reader, NOW, 9)] == [1, 2]
        rebuilder = Rebuilder(store, analysis, StateSaver(store, analysis).save_slice)
        while rebuilder.step(NOW):
            pass
        assert analysis.knowledge.bank.counts[1:].tolist() == [COUNT + 1, SPIKE + 1, 1]
        monkeypatch.setattr(analysis_module, "VERSION", VERSION + 1)
        assert not Analysis(store).knowledge.bank.counts.any()  # and so with the next version


def test_a_new_store_has_nothing_to_learn_anew() -> None:
    with memory_folder() as folder, opened(folder / FILE_NAME) as store:
        post(store, [("a", NOW, 1.0)])
        assert analyse(store).knowledge.bank.counts.tolist() == [0, 1]
        with store.read() as reader:
            assert waiting_rebuilds(reader, NOW, 9) == []
