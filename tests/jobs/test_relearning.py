"""A state that another version of the detector wrote: all is learnt anew from what is stored."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs.happenings import CHANNEL
from store.posting import NOW, memory_folder, opened, post

from fluxd.core.detect import UTC, VERSION
from fluxd.jobs import analysis as analysis_module
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.grouping import Grouper
from fluxd.jobs.rebuilding import Rebuilder
from fluxd.jobs.saving import StateSaver, SummarySaver
from fluxd.store import Store
from fluxd.store.channels import add_channel
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
        assert rows(store, "SELECT count(*) FROM stretches WHERE ended IS NULL") == [(1,)]
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
        assert rows(store, "SELECT id FROM stretches WHERE ended IS NULL") == []
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


LASTING = "SELECT id, started, ended, history, went_on FROM stretches WHERE series = 2"


def learn(store: Store, now: int) -> Analysis:
    analysis = Analysis(store)
    rebuilder = Rebuilder(store, analysis, StateSaver(store, analysis).save_slice)
    idle = 0
    while idle < 2:
        more = analysis.step(now)
        idle = 0 if rebuilder.step(now) or more else idle + 1
    return analysis


def test_what_lasts_goes_on_and_nobody_is_told_anew(path: Path) -> None:
    """The other version had it begin two minutes earlier."""
    at = BEGAN + 60 * SPIKE
    with opened(path) as store:
        run = store.writer.run
        run(lambda c: c.execute("UPDATE stretches SET started = started - 120 WHERE series = 2"))
        run(lambda c: add_channel(c, CHANNEL, now=at))
        told = rows(store, LASTING)
        assert told == [(2, at - 120, None, 0, None)]
        grouper = Grouper(store, UTC)
        while grouper.step(at):
            pass
        assert rows(store, "SELECT state FROM incidents") == [("open",)]
        run(lambda c: c.execute("UPDATE outbox SET state = 'sent', finished = ?", (at,)))
        analyse(store)
    with opened(path) as store:  # killed before it was learnt
        analysis = learn(store, at)
        assert rows(store, LASTING) == told
        assert analysis.knowledge.stretches.lasts(2)
        post(store, [("b", at + 60, value_at(SPIKE))])
        while analysis.step(at + 60):
            pass
        assert rows(store, LASTING) == told
        post(store, [("b", at + 60 * n, value_at(SPIKE + n)) for n in range(2, 14)])
        while analysis.step(at + 500):
            pass
        over = rows(store, LASTING)
        assert over[0][2] is not None
        assert [(*one[:2], None, *one[3:]) for one in over] == told
        grouper = Grouper(store, UTC)
        while grouper.step(at + 500):
            pass
        assert rows(store, "SELECT notice FROM outbox ORDER BY id DESC LIMIT 1") == [("resolved",)]
        assert rows(store, "SELECT count(*) FROM outbox WHERE state = 'waiting'") == [(1,)]


def test_what_does_not_last_by_what_is_learnt_is_over(path: Path) -> None:
    last = BEGAN + 60 * (COUNT - 1)
    with opened(path) as store:
        store.writer.run(
            lambda c: c.execute("UPDATE stretches SET ended = NULL WHERE series = 1").fetchall()
        )
        analysis = learn(store, last)
        assert not analysis.knowledge.stretches.lasts(1)
        assert rows(store, "SELECT ended FROM stretches WHERE series = 1") == [(last,)]
