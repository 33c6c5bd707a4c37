"""Silent metrics retire, deleted ones leave nothing behind, and ids come back clean."""

import contextlib
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.posting import AGENT, NOW, Row, anomaly, batch_of, memory_folder, new_key, opened, post

from fluxd.core.detect import WARMUP
from fluxd.core.errors import UnavailableError
from fluxd.core.retention import DAY_S, HOUR_S, Retention
from fluxd.jobs import analysis as analysis_module
from fluxd.jobs import forgetting as forgetting_module
from fluxd.jobs import saving as saving_module
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.forgetting import GRACE_S, Forgetter
from fluxd.jobs.saving import StateSaver, SummarySaver
from fluxd.store.anomalies import write_anomalies
from fluxd.store.catalog import Catalog
from fluxd.store.connection import FILE_NAME
from fluxd.store.history import write_history
from fluxd.store.metrics import read_summary
from fluxd.store.places import RECENT_TABLES, SERIES_MASK
from fluxd.store.series import delete_series

PLACED = ("blocks", "day_rollups", "bands", "overwritten", *RECENT_TABLES)
BY_SERIES = ("stretches", "summaries", "rebuilds", "silences")
LATER = NOW + 31 * DAY_S


class Run:
    """A daemon's store, analysis and forgetter, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        self.store = self._stack.enter_context(opened(self._folder / FILE_NAME))
        self.analysis = Analysis(self.store)
        self.saver = StateSaver(self.store, self.analysis)
        self.summaries = SummarySaver(self.store, self.analysis)
        ticks = itertools.count()
        self.forgetter = Forgetter(
            self.store,
            self.analysis,
            self.saver.save_slice,
            Retention(),
            clock=lambda: next(ticks) / 50,  # a call does two steps or so
        )

    def kill(self) -> None:
        """Lose all that is in memory."""
        self._stack.close()

    def analyse(self) -> None:
        while self.analysis.step(NOW):
            pass

    def forget(self, now: int) -> None:
        """Do all that is due."""
        idle = 0
        while idle < 2:
            self.analyse()
            idle = 0 if self.forgetter.run(now) else idle + 1

    def delete(self, name: str) -> None:
        """Delete a metric as another process does."""
        self.store.writer.run(lambda connection: delete_series(connection, name, now=NOW))
        self.store.writer.run(self.store.catalog.refresh)

    def prune(self, *tables: str) -> None:
        """Delete what is stored under places."""
        for table in tables or ("blocks", *RECENT_TABLES):
            self.store.writer.run(lambda c, table=table: c.execute(f"DELETE FROM {table}"))

    def rows(self, sql: str, *values: object) -> list[Any]:
        with self.store.read() as reader:
            return reader.execute(sql, values).fetchall()

    def leftovers(self) -> set[int]:
        """Return the series that anything is stored of."""
        found = {
            row[0]
            for table in PLACED
            for row in self.rows(f"SELECT DISTINCT place & {SERIES_MASK} FROM {table}")
        }
        return found | {
            row[0] for table in BY_SERIES for row in self.rows(f"SELECT series FROM {table}")
        }


@pytest.fixture
def run() -> Iterator[Run]:
    with memory_folder() as folder, small_slices():
        running = Run(folder)
        yield running
        running.kill()


@contextlib.contextmanager
def small_slices() -> Iterator[None]:
    """Have slices of two series, and few that are purged together."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (analysis_module, saving_module, forgetting_module):
            patch.setattr(module, "SLICE", 2)
        patch.setattr(forgetting_module, "PURGED", 3)
        patch.setattr(forgetting_module, "RETIRED", 2)
        yield


def learnt(name: str, count: int = WARMUP + 20) -> list[Row]:
    return [(name, NOW - 60 * (count - n), 10.0 + n % 3) for n in range(count)]


# ---- silent


def test_a_silent_metric_retires_visibly(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    key = new_key(run.store, "small", quota=1)
    post(run.store, [*learnt("a"), ("a", NOW, 1000.0)], key=key)
    post(run.store, [("b", LATER, 1.0)])
    run.analyse()
    run.summaries.save(NOW)
    assert run.rows("SELECT ended FROM anomalies") == [(None,)]
    run.forget(LATER)
    assert run.store.catalog.is_live(1)  # its datapoints are still there
    run.prune()
    run.forget(LATER + HOUR_S)
    assert run.store.catalog.is_retired(1)
    assert run.store.catalog.is_live(2)
    assert run.store.catalog.owned(key.id) == 0
    count = WARMUP + 21
    assert run.rows("SELECT state, datapoints, last FROM metrics WHERE metric = 'a'") == [
        ("retired", count, NOW)
    ]
    assert run.rows("SELECT ended FROM anomalies") == [(NOW,)]
    assert run.analysis.knowledge.bank.counts.tolist() == [0, 0, 1]
    assert "no datapoint is kept, out of the analysis and of their keys' quotas: a" in caplog.text
    for _ in range(2):
        assert post(run.store, [("c", LATER, 1.0)], key=key) == []
        run.kill()
        run.start()
        run.analyse()
        run.summaries.save(LATER)
        assert run.store.catalog.is_retired(1)
        with run.store.read() as reader:
            summary = read_summary(reader, 1)
        assert summary is not None
        assert (summary.state, summary.last) == ("retired", NOW)
    assert post(run.store, [("a", LATER, 1.0)], key=key) == [0]
    assert post(run.store, [("a", LATER, 1.0)]) == []
    run.analyse()
    status = run.analysis.knowledge.status(1, LATER)
    assert (status.state, status.datapoints, status.last) == ("learning", count + 1, LATER)


def test_a_metric_whose_datapoints_came_late_stays_as_long_as_they_are_kept(run: Run) -> None:
    post(run.store, [("a", NOW - 40 * DAY_S, 1.0, True), ("b", NOW - 40 * DAY_S, 1.0, True)])
    run.analyse()
    values = np.array([2.0])
    times = np.array([NOW - 50 * DAY_S])
    run.prune(*RECENT_TABLES)
    run.store.writer.run(lambda c: write_history(c, 2, times, values, now=NOW))
    run.forget(NOW)
    assert (run.store.catalog.is_live(1), run.store.catalog.is_live(2)) == (False, True)


def test_a_metric_whose_state_was_lost_retires_too(run: Run) -> None:
    post(run.store, [("a", NOW, 1.0), ("b", NOW, 1.0)])
    run.analyse()
    run.analysis.knowledge.forget(np.array([1, 2]))
    for table in RECENT_TABLES:
        run.store.writer.run(
            lambda c, table=table: c.execute(f"DELETE FROM {table} WHERE place & {SERIES_MASK} = 1")
        )
    run.forget(NOW)
    assert (run.store.catalog.is_live(1), run.store.catalog.is_live(2)) == (False, True)


def test_a_datapoint_on_its_way_brings_a_metric_back(run: Run) -> None:
    post(run.store, learnt("a"))
    run.analyse()
    run.prune()
    batch = batch_of(run.store, AGENT, [("a", LATER, 1.0)])
    run.forget(LATER)
    assert run.store.catalog.is_retired(1)
    assert run.store.writer.submit(batch) == []
    run.forget(LATER + HOUR_S)
    assert run.store.catalog.is_live(1)
    assert run.store.catalog.owned(AGENT.id) == 1
    assert run.rows("SELECT retired FROM series") == [(None,)]


def test_a_metric_that_comes_back_just_now_is_not_retired(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(run.store, learnt("a"))
    run.analyse()
    monkeypatch.setattr(run.forgetter, "_has_raw", lambda _: False)
    values, times = np.array([2.0]), np.array([NOW - 50 * DAY_S])
    run.store.writer.run(lambda c: write_history(c, 1, times, values, now=NOW))
    before = run.analysis.knowledge.dump(0, 2)
    run.forget(LATER)
    assert run.store.catalog.is_live(1)
    assert run.analysis.knowledge.dump(0, 2) == before


def test_what_can_not_be_saved_leaves_all_as_it_was(run: Run) -> None:
    post(run.store, learnt("a"))
    run.analyse()
    run.prune()
    before = run.analysis.knowledge.dump(0, 2)

    def refuse(*_: object) -> None:
        assert run.analysis.knowledge.bank.counts[1] == 0
        raise UnavailableError("the disk is full")

    run.forgetter._save_slice = refuse
    with pytest.raises(UnavailableError):
        run.forget(LATER)
    assert run.analysis.knowledge.dump(0, 2) == before
    assert run.store.catalog.is_live(1)
    run.forgetter._save_slice = run.saver.save_slice
    run.forget(LATER)
    assert run.store.catalog.is_retired(1)


def test_it_waits_for_the_analysis(run: Run) -> None:
    post(run.store, learnt("a"))
    run.analyse()
    run.prune()
    run.analysis._redo_upto = 1
    for _ in range(20):
        assert not run.forgetter.run(LATER) or run.store.catalog.is_live(1)
    run.analysis._redo_upto = None
    run.forget(LATER)
    assert run.store.catalog.is_retired(1)


def test_a_retired_metric_goes_with_its_last_rollup(run: Run) -> None:
    for name in "abc":
        post(run.store, [(name, NOW, 1.0)])
    run.analyse()
    run.summaries.save(NOW)
    run.prune()
    body = run.rows("SELECT x'00'")[0][0]
    run.store.writer.run(
        lambda c: c.execute("INSERT INTO day_rollups VALUES ((?1 << 29) + 2, 1, ?2)", (NOW, body))
    )
    run.forget(LATER)
    assert run.store.catalog.retired_ids() == [1, 2, 3]
    old = NOW + 800 * DAY_S
    run.forget(old)
    assert run.store.catalog.retired_ids() == [2]
    run.forget(old + GRACE_S)
    assert run.rows("SELECT id FROM series") == [(2,)]


# ---- deleted


def everything_of(run: Run, name: str) -> int:
    """Store something of a metric in every table; return its id."""
    post(run.store, learnt(name))
    post(run.store, [(name, NOW, 500.0), (name, NOW, 1000.0)])
    post(run.store, [(name, NOW - 30 * DAY_S, 1.0, True)])
    series = run.store.catalog.id_of(name)
    assert series is not None
    run.analyse()
    times = NOW - 20 * DAY_S + 3600 * np.arange(200)
    run.store.writer.run(
        lambda c: write_history(c, series, times, times.astype(np.float64), now=NOW)
    )
    run.store.writer.run(lambda c: write_anomalies(c, [anomaly(series, NOW - 9, NOW, 0.4)]))
    run.summaries.save(NOW)
    run.saver.save_slice(series // 2, NOW)
    run.store.writer.run(lambda c: c.execute("INSERT INTO rebuilds VALUES (?, 0, 7)", (series,)))
    return series


def test_a_deleted_metric_leaves_nothing_behind(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    one, other = everything_of(run, "a"), everything_of(run, "b")
    assert run.leftovers() == {one, other}
    kept = run.rows("SELECT count(*), sum(value) FROM datapoints WHERE metric = 'b'")
    run.delete("a")
    assert run.store.catalog.id_of("a") is None
    assert run.rows("SELECT DISTINCT metric FROM datapoints") == [("b",)]
    run.forget(NOW)
    run.forget(NOW + GRACE_S - 1)
    assert run.leftovers() == {one, other}
    run.forget(NOW + GRACE_S)
    assert run.leftovers() == {other}
    assert run.rows("SELECT id FROM series") == [(other,)]
    assert run.rows("SELECT count(*), sum(value) FROM datapoints WHERE metric = 'b'") == kept
    assert "1 deleted metrics are purged" in caplog.text
    run.summaries.save(NOW)
    assert run.leftovers() == {other}
    post(run.store, [("c", NOW, 1.0)])
    run.analyse()
    assert run.store.catalog.id_of("c") == one
    status = run.analysis.knowledge.status(one, NOW)
    assert (status.datapoints, status.first, status.last) == (1, NOW, NOW)


def test_what_was_read_before_a_deletion_goes_with_the_rest(run: Run) -> None:
    one = everything_of(run, "a")
    late = batch_of(run.store, AGENT, [("a", NOW + 60, 1.0)])
    run.delete("a")
    run.forget(NOW)
    run.store.writer.submit(late)
    run.forgetter.run(NOW + GRACE_S)  # before it is analysed
    assert one in run.leftovers()
    run.forget(NOW + GRACE_S)
    assert run.leftovers() == set()
    assert run.analysis.knowledge.bank.counts.tolist() == [0, 0]


def test_a_state_that_can_not_be_saved_is_blanked_later(run: Run) -> None:
    everything_of(run, "a")
    run.delete("a")
    run.forget(NOW)

    def refuse(*_: object) -> None:
        raise UnavailableError("the disk is full")

    run.forgetter._save_slice = refuse
    with pytest.raises(UnavailableError):
        run.forget(NOW + GRACE_S)
    assert run.rows("SELECT name FROM series") == [("#1",)]
    assert run.store.catalog.free_id() == 2
    run.forgetter._save_slice = run.saver.save_slice
    run.forget(NOW + GRACE_S)
    assert run.store.catalog.free_id() == 1
    run.kill()
    run.start()
    assert [run.store.catalog.free_id(ahead) for ahead in range(2)] == [1, 2]
    assert not run.analysis.knowledge.bank.counts.any()


names = st.sampled_from("abcde")
events = st.one_of(
    st.tuples(st.just("post"), st.lists(names, min_size=1, max_size=4, unique=True)),
    st.tuples(st.just("post"), st.lists(names, min_size=1, max_size=4, unique=True)),
    st.tuples(st.just("delete"), names),
    st.tuples(st.just("forget"), st.integers(1, 60)),
    st.tuples(st.just("forget"), st.integers(1, 60)),
    st.tuples(st.just("save"), st.none()),
    st.tuples(st.just("kill"), st.none()),
)


@given(st.lists(events, max_size=30))
@settings(max_examples=60, deadline=None)
def test_names_and_ids_come_and_go(happens: list[tuple[str, Any]]) -> None:
    stored: dict[tuple[str, int], float] = {}
    with memory_folder() as folder, small_slices():
        run, now = Run(folder), NOW
        for number, (event, argument) in enumerate(happens):
            if event == "post":
                rows = [(name, now, float(number)) for name in argument]
                post(run.store, rows)
                stored.update({row[:2]: row[2] for row in rows})
            elif event == "delete":
                if run.store.catalog.id_of(argument) is not None:
                    run.delete(argument)
                stored = {key: value for key, value in stored.items() if key[0] != argument}
            elif event == "forget":
                now += argument
                run.analyse()
                for _ in range(argument):
                    run.forgetter.run(now)
            elif event == "save":
                run.analyse()
                run.saver.save_all(now, lambda: True)
            else:
                run.kill()
                run.start()
        run.forget(now)
        run.forget(now + GRACE_S)
        seen = run.rows("SELECT metric, timestamp, value FROM datapoints")
        assert {(metric, time): value for metric, time, value in seen} == stored
        live = {run.store.catalog.id_of(name) for name, _ in stored}
        assert run.leftovers() == live == {row[0] for row in run.rows("SELECT id FROM series")}
        check_counts(run, stored)
        loaded = Catalog()
        with run.store.read() as reader:
            loaded.load(reader)
        for ahead in range(3):
            assert loaded.free_id(ahead) == run.store.catalog.free_id(ahead)
        run.kill()


def check_counts(run: Run, stored: dict[tuple[str, int], float]) -> None:
    """Check that the detector has counted what is stored, and nothing of another metric."""
    for name in "abcde":
        series = run.store.catalog.id_of(name)
        count = sum(key[0] == name for key in stored)
        assert (series is not None) == (count > 0)
        if series is not None:
            assert run.analysis.knowledge.status(series, NOW).datapoints == count
