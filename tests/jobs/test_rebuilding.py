"""Imported history is learnt as if it had been sent in the order of time, whatever happens."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.posting import NOW, anomaly, fresh_store, memory_folder, opened, post

from fluxd.core.detect import WARMUP, Bank
from fluxd.core.errors import UnavailableError
from fluxd.core.knowledge import Knowledge
from fluxd.jobs import analysis as analysis_module
from fluxd.jobs import rebuilding as rebuilding_module
from fluxd.jobs import saving as saving_module
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.rebuilding import Rebuilder
from fluxd.jobs.saving import StateSaver, SummarySaver
from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies
from fluxd.store.bands import read_bands
from fluxd.store.connection import FILE_NAME
from fluxd.store.datapoints import read_datapoints
from fluxd.store.places import LATEST, WEEK_S
from fluxd.store.rebuilds import PATIENCE_S, History, waiting_rebuilds, write_rebuilt_anomalies
from fluxd.store.series import delete_series, retire_series

BEGAN = NOW - 60 * 400


def value_at(timestamp: int) -> float:
    """Return a metric's value: calm, with noise like a bell, but for a spike now and then."""
    minute = timestamp // 60
    dice = minute * 7919 % 101 + minute * 104_729 % 103 + minute * 1_299_709 % 107
    return 10.0 + math.sin(minute / 7) + (30.0 if minute % 173 == 0 else 0.0) + dice / 100


def import_rows(
    store: Store, name: str, times: list[int], *, off: float = 0.0, at: int = NOW
) -> None:
    """Import a metric's values of some seconds, as the command does."""
    timestamps = np.array(times, np.int64)
    history = History(name, timestamps, np.array([value_at(t) + off for t in times]))
    while not history.complete:
        store.writer.run(lambda c: history.write_some(c, now=at, more=lambda: False))
    with store.read() as reader:
        version = reader.execute("SELECT value FROM meta WHERE name = 'series_version'").fetchone()
    if version:
        store.writer.run(store.catalog.refresh)


def minutes(start: int, stop: int) -> list[int]:
    return [BEGAN + 60 * n for n in range(start, stop)]


@contextlib.contextmanager
def small_pieces() -> Iterator[None]:
    """Have slices of two series, few side by side, and little read and learnt at once."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (analysis_module, saving_module, rebuilding_module):
            patch.setattr(module, "SLICE", 2)
        patch.setattr(rebuilding_module, "COURSES", 3)
        patch.setattr(rebuilding_module, "LEAST_ROWS", 70)
        patch.setattr(rebuilding_module, "BUFFER_ROWS", 100)
        patch.setattr(rebuilding_module, "ROUND_S", rebuilding_module.BUDGET_S / 60)
        patch.setattr(rebuilding_module, "CATCH_UP_ROWS", 4)
        yield


class Run:
    """A daemon's store, analysis and rebuilder, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        self.store = self._stack.enter_context(opened(self._folder / FILE_NAME))
        self.analysis = Analysis(self.store)
        self.saver = StateSaver(self.store, self.analysis)
        self.rebuilder = Rebuilder(self.store, self.analysis, self.saver.save_slice)

    def kill(self) -> None:
        """Lose all that is in memory."""
        self._stack.close()

    def finish(self, now: int = NOW) -> None:
        """Analyse and learn all that waits."""
        idle = 0
        while idle < 2:
            more = self.analysis.step(now)
            more = self.rebuilder.step(now) or more
            idle = 0 if more else idle + 1
        assert self.analysis.settled
        assert not self.rebuilder._courses


def check(run: Run, names: list[str]) -> None:
    """Check the detector against a replay of what is stored, and the counts against the view."""
    knowledge = run.analysis.knowledge
    SummarySaver(run.store, run.analysis).save(NOW)
    with run.store.read() as reader:
        for name in names:
            series = run.store.catalog.id_of(name)
            if series is None:
                continue
            timestamps, values = read_datapoints(reader, series, 0, LATEST, 10**6)
            bank = Bank()
            bank.grow(1)
            bank.advance(np.zeros(len(timestamps), np.int64), timestamps, values)
            assert knowledge.bank.dump(series, series + 1) == bank.dump(0, 1)
            followed = knowledge.stretches.lasting(series)
            lasting = None if followed is None else followed.started
            others = reader.execute(
                "SELECT started FROM anomalies"
                " WHERE metric = ? AND ended IS NULL AND started IS NOT ?",
                (name, lasting),
            ).fetchall()
            assert others == []
            summary = reader.execute(
                "SELECT datapoints, first, last FROM metrics WHERE metric = ?", (name,)
            ).fetchone()
            assert summary == (len(timestamps), timestamps[0], timestamps[-1])
        assert waiting_rebuilds(reader, NOW, 10) == []


events = st.one_of(
    st.tuples(st.just("post"), st.lists(st.sampled_from("abcd"), min_size=1, unique=True)),
    st.tuples(st.just("import"), st.tuples(st.sampled_from("abcde"), st.integers(0, 400))),
    st.tuples(st.just("import"), st.tuples(st.sampled_from("abcde"), st.integers(0, 400))),
    st.tuples(st.just("rebuild"), st.sampled_from(["", "", "", "no writing", "no reading"])),
    st.tuples(st.just("rebuild"), st.just("")),
    st.tuples(st.just("analyse"), st.just("")),
    st.tuples(st.just("save"), st.just("")),
    st.tuples(st.just("kill"), st.just("")),
)


@given(st.lists(events, max_size=30))
@settings(max_examples=60, deadline=None)
def test_what_was_imported_is_learnt_in_the_order_of_time(happens: list[tuple[str, Any]]) -> None:
    with memory_folder() as folder, small_pieces():
        run, minute = Run(folder), 400
        for event, argument in happens:
            if event == "post":
                minute += 1
                time = BEGAN + 60 * minute
                post(run.store, [(name, time, value_at(time)) for name in argument])
            elif event == "import":
                name, start = argument
                times = minutes(start, min(start + 150, minute + 1))
                import_rows(run.store, name, times, off=start % 2)
            elif event == "rebuild":
                with refusing(run.store, argument):
                    run.rebuilder.step(NOW)
            elif event == "analyse":
                run.analysis.step(NOW)
            elif event == "save":
                run.saver.save_all(NOW, lambda: True)
            else:
                run.kill()
                run.start()
        run.finish()
        check(run, list("abcde"))
        run.kill()


@contextlib.contextmanager
def refusing(store: Store, what: str) -> Iterator[None]:
    """Have the store refuse for a while."""

    def refuse(*_: object) -> Any:
        raise UnavailableError(what)

    with pytest.MonkeyPatch.context() as patch:
        if what == "no writing":
            patch.setattr(store.writer, "run", refuse)
        if what == "no reading":
            patch.setattr(store, "read", refuse)
        with contextlib.suppress(UnavailableError):
            yield


@pytest.fixture
def run() -> Iterator[Run]:
    with memory_folder() as folder, small_pieces():
        running = Run(folder)
        yield running
        running.kill()


def found(run: Run) -> list[tuple[Any, ...]]:
    with run.store.read() as reader:
        return reader.execute(
            "SELECT series, started, history, explanation FROM stretches ORDER BY 1, 2"
        ).fetchall()


def spikes(times: list[int]) -> list[int]:
    return [time for time in times[WARMUP:] if time // 60 % 173 == 0]


def test_a_metric_that_was_imported_is_analysed_from_its_first_datapoint_on(run: Run) -> None:
    import_rows(run.store, "a", minutes(0, 400))
    run.finish()
    assert run.analysis.knowledge.status(1, NOW).state == "analysed"
    assert [row[:3] for row in found(run)] == [(1, time, 1) for time in spikes(minutes(0, 400))]
    post(run.store, [("a", NOW, 1000.0)])
    run.finish()
    assert found(run)[-1][:3] == (1, NOW, 0)
    run.saver.save_all(NOW, lambda: True)
    with run.store.read() as reader:
        band = read_bands(reader, 1, 0, NOW)
    assert band.timestamps.tolist() == [*minutes(WARMUP, 400), NOW]


def test_anomalies_that_were_told_already_stay(run: Run) -> None:
    times = minutes(0, 400)
    told = spikes(times)[0]
    import_rows(run.store, "a", times)
    told_before = anomaly(1, told - 60, told, 0.5)
    run.store.writer.run(lambda c: write_anomalies(c, [told_before]))
    run.finish()
    rows = found(run)
    assert rows[0] == (1, told - 60, 0, told_before.explanation)
    assert [row[1] for row in rows[1:]] == spikes(times)[1:]


def test_what_lasts_is_not_found_again_with_another_beginning(run: Run) -> None:
    import_rows(run.store, "b", minutes(0, 10))
    series = run.store.catalog.id_of("b") or 0
    written = [anomaly(series, NOW, None, 0.5)]
    run.store.writer.run(lambda writer: write_anomalies(writer, written))
    again = [anomaly(series, NOW - 60, None, 0.5)]
    assert run.store.writer.run(lambda writer: write_rebuilt_anomalies(writer, again)) == 0


def test_history_across_weeks_and_gaps_is_read_to_its_end(run: Run) -> None:
    weeks = [BEGAN - 5 * WEEK_S, BEGAN - WEEK_S - 600, BEGAN]
    times = [start + 60 * n for start in weeks for n in range(120)]
    import_rows(run.store, "a", times)
    run.finish()
    check(run, ["a"])
    assert run.rebuilder.datapoints == 360


def test_an_import_under_way_is_waited_for_and_one_that_was_cut_short_is_not(run: Run) -> None:
    times = [BEGAN - WEEK_S, *minutes(0, 200)]
    history = History("a", np.array(times), np.array([value_at(t) for t in times]))
    run.store.writer.run(lambda c: history.write_some(c, now=NOW, more=lambda: False))
    run.store.writer.run(run.store.catalog.refresh)
    with run.store.read() as reader:
        due = [bool(waiting_rebuilds(reader, NOW + s, 1)) for s in (-1, 0, PATIENCE_S - 1)]
    assert due == [True, False, False]  # the first: the clock was set back
    assert not run.rebuilder.step(NOW)
    assert run.rebuilder.step(NOW + PATIENCE_S)
    run.store.writer.run(lambda c: history.write_some(c, now=NOW, more=lambda: True))
    assert history.complete
    run.finish()  # what was begun is begun anew
    check(run, ["a"])


@pytest.mark.parametrize("count", [1, 4, 11])
def test_what_came_meanwhile_is_learnt_too_even_if_it_is_much(run: Run, count: int) -> None:
    post(run.store, [("a", BEGAN + 60 * 400, 1.0)])
    import_rows(run.store, "a", minutes(0, 300))
    while not any(course.over for course in run.rebuilder._courses.values()):
        run.analysis.step(NOW)
        run.rebuilder.step(NOW)
    for minute in range(401, 401 + count):
        time = BEGAN + 60 * minute
        post(run.store, [("a", time, value_at(time))])
    while run.analysis.step(NOW):
        pass
    run.finish()
    check(run, ["a"])
    assert run.analysis.knowledge.bank.counts[1] == 301 + count


def test_a_metric_that_is_deleted_meanwhile_is_left_alone(run: Run) -> None:
    import_rows(run.store, "a", minutes(0, 200))
    assert run.rebuilder.step(NOW)
    run.store.writer.run(lambda c: delete_series(c, "a", now=NOW))
    run.store.writer.run(run.store.catalog.refresh)
    run.finish()
    assert not run.analysis.knowledge.bank.counts.any()


def test_a_retired_metric_comes_back_with_its_history(run: Run) -> None:
    post(run.store, [("a", NOW, 1.0)])
    run.finish()

    def retire(connection: Any) -> None:
        retire_series(connection, [1], now=NOW)
        run.store.catalog.retire([1])

    run.store.writer.run(retire)
    import_rows(run.store, "a", minutes(0, 200))
    run.finish()
    assert run.store.catalog.is_live(1)
    with run.store.read() as reader:
        rows = reader.execute(
            "SELECT retired, keys.name, keys.revoked IS NOT NULL FROM series"
            " JOIN keys ON keys.id = key"
        ).fetchall()
    assert rows == [(None, "import", 1)]
    check(run, ["a"])


def test_a_request_for_nothing_is_taken_off_the_list() -> None:
    with fresh_store() as store, small_pieces():
        post(store, [("a", NOW, 1.0)])
        analysis = Analysis(store)
        while analysis.step(NOW):
            pass
        store.writer.run(lambda c: c.execute("INSERT INTO rebuilds VALUES (1, 0, 0)"))
        for table in ("recent_0", "recent_1", "recent_2", "recent_3", "recent_late"):
            store.writer.run(lambda c, table=table: c.execute(f"DELETE FROM {table}"))
        rebuilder = Rebuilder(store, analysis, StateSaver(store, analysis).save_slice)
        while rebuilder.step(NOW):
            pass
        with store.read() as reader:
            assert waiting_rebuilds(reader, NOW, 1) == []
        assert analysis.knowledge.bank.counts[1] == 1


def test_a_state_that_can_not_be_saved_leaves_all_as_it_was(run: Run) -> None:
    post(run.store, [("a", NOW, 1.0)])
    run.finish()
    import_rows(run.store, "a", minutes(0, 200))
    before = run.analysis.knowledge.dump(0, 2)

    def refuse(*_: object) -> None:
        assert run.analysis.knowledge.bank.counts[1] == 201
        raise UnavailableError("the disk is full")

    run.rebuilder._save_slice = refuse
    with pytest.raises(UnavailableError):
        run.finish()
    assert run.analysis.knowledge.dump(0, 2) == before
    run.rebuilder._save_slice = run.saver.save_slice
    run.finish()
    check(run, ["a"])


def test_the_shadow_is_blank_for_the_next_metric(run: Run) -> None:
    for name in "abcdefg":
        import_rows(run.store, name, minutes(0, 120))
    run.finish()
    check(run, list("abcdefg"))
    blank = Knowledge()
    blank.grow(3)
    assert run.rebuilder._bank.dump(0, 3) == blank.bank.dump(0, 3)
    assert len(run.rebuilder._stretches) == 0


def test_another_import_of_the_same_seconds_is_noticed_at_once(run: Run) -> None:
    import_rows(run.store, "a", minutes(0, 200))
    while not any(course.over for course in run.rebuilder._courses.values()):
        run.rebuilder.step(NOW)
    import_rows(run.store, "a", minutes(0, 200), off=1.0)
    run.finish()
    check(run, ["a"])


def test_one_that_is_read_at_a_time_is_enough(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding_module, "BUDGET_S", 0.0)
    for name in "abc":
        import_rows(run.store, name, minutes(0, 120))
    run.finish()
    check(run, list("abc"))


@pytest.mark.parametrize(("age", "lasts"), [(120, True), (300, True), (301, False)])
def test_an_anomaly_that_history_ends_in_lasts_while_more_is_expected(
    run: Run, *, age: int, lasts: bool
) -> None:
    times = minutes(0, 316)  # the last minute is a spike
    assert times[-1] in spikes(times)
    import_rows(run.store, "b", times)
    run.finish(times[-1] + age)

    def found() -> list[tuple[int, int | None]]:
        with run.store.read() as reader:
            rows: list[Any] = reader.execute(
                "SELECT started, ended FROM anomalies WHERE started >= ?", (times[-1],)
            ).fetchall()
        return rows

    assert found() == [(times[-1], None if lasts else times[-1])]
    for minute in range(316, 340):
        at = BEGAN + 60 * minute
        post(run.store, [("b", at, value_at(at))])
    run.finish(BEGAN + 60 * 340)
    assert found() == [(times[-1], times[-1])]


def test_an_anomaly_that_history_ends_in_is_ended(run: Run) -> None:
    times = minutes(0, 316)  # the last minute is a spike
    import_rows(run.store, "b", times)
    run.finish()
    assert times[-1] in spikes(times)
    with run.store.read() as reader:
        ((started, ended),) = reader.execute(
            "SELECT started, ended FROM anomalies WHERE started >= ?", (times[-1],)
        ).fetchall()
    assert (started, ended) == (times[-1], times[-1])
