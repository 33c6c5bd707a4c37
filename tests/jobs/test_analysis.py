"""Analysis: the same knowledge and the same anomalies, whatever happens to the process."""

import contextlib
import functools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.posting import NOW, Row, fresh_store, memory_folder, opened, post

from fluxd.core.detect import VERSION
from fluxd.core.errors import UnavailableError
from fluxd.jobs import analysis as analysis_module
from fluxd.jobs import saving as saving_module
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.saving import StateSaver, SummarySaver
from fluxd.store import Store
from fluxd.store.connection import FILE_NAME
from fluxd.store.datapoints import read_commits
from fluxd.store.places import HOUR_S
from fluxd.store.states import write_state

LEARNT = 400  # datapoints before the tests' own: enough for the detector to commit itself
NAMES = [f"m{n}" for n in range(6)]

rows = st.tuples(
    st.sampled_from(NAMES),
    st.integers(-3, 25).map(lambda minute: NOW + 60 * minute),
    st.sampled_from([10.0, 10.4, 9.5, 0.0, -0.0, 1000.0, -700.0]),
    st.sampled_from([False, False, False, True]),
)
events = st.one_of(
    st.tuples(st.just("post"), st.lists(rows, min_size=1, max_size=8)),
    st.tuples(st.just("post"), st.lists(rows, min_size=1, max_size=8)),
    st.tuples(st.just("step"), st.sampled_from(["", "", "", "no writing", "no reading"])),
    st.tuples(st.just("save"), st.sampled_from(["", "", "", "no writing"])),
    st.tuples(st.just("save all"), st.integers(0, 4)),
    st.tuples(st.just("kill"), st.integers(0, 3)),
)


def history() -> list[Row]:
    """Return what the first three metrics have taught before."""
    rng = random.Random(7)
    return [
        (name, NOW - 60 * (LEARNT - n), 10.0 + rng.gauss(0.0, 0.3), False)
        for n in range(LEARNT)
        for name in NAMES[:3]
    ]


@contextlib.contextmanager
def small_pieces(*, step: int = 4, chunk: int = 7) -> Iterator[None]:
    """Have the work cut small: slices of two series, steps and replays of a few rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analysis_module, "SLICE", 2)
        patch.setattr(saving_module, "SLICE", 2)
        patch.setattr(analysis_module, "STEP_ROWS", step)
        patch.setattr(analysis_module, "STEP_ROUNDS", min(step, 3))
        patch.setattr(analysis_module, "read_commits", functools.partial(read_commits, chunk=chunk))
        yield


class Run:
    """A daemon's store and analysis that can be killed and started again."""

    def __init__(self, folder: Path, feed_rows: int = 10**6) -> None:
        self._folder = folder
        self._feed_rows = feed_rows
        self._stack = contextlib.ExitStack()
        self._now = NOW
        self.start()

    def start(self) -> None:
        self.store = self._stack.enter_context(opened(self._folder / FILE_NAME))
        self.store.feed._max_rows = self._feed_rows
        self.analysis = Analysis(self.store)
        self.saver = StateSaver(self.store, self.analysis)

    def kill(self) -> None:
        """Lose all that is in memory."""
        self._stack.close()

    @contextlib.contextmanager
    def refusing(self, what: str) -> Iterator[None]:
        """Have the store refuse for a while."""

        def refuse(*_: object) -> Any:
            raise UnavailableError(what)

        with pytest.MonkeyPatch.context() as patch:
            if what == "no writing":
                patch.setattr(self.store.writer, "run", refuse)
            if what == "no reading":
                patch.setattr(self.store, "read", refuse)
            with contextlib.suppress(UnavailableError):
                yield

    def do(self, event: str, argument: Any) -> None:
        if event == "post":
            post(self.store, argument)
        elif event == "step":
            with self.refusing(argument):
                self.analysis.step(self._now)
        elif event == "save":
            self._now += HOUR_S
            with self.refusing(argument):
                self.saver.save(self._now)
        elif event == "save all":
            left = iter(range(argument))
            self.saver.save_all(self._now, lambda: next(left, None) is not None)
        else:
            self.kill()
            self.start()
            for _ in range(argument):
                self.analysis.step(self._now)

    def finish(self) -> tuple[list[bytes], list[tuple[Any, ...]]]:
        """Analyse what waits; return the state of each metric, and the anomalies."""
        while self.analysis.step(self._now):
            pass
        assert self.analysis.settled
        count = self.store.catalog.next_id
        states = [self.analysis.knowledge.dump(slot, slot + 1) for slot in range(count)]
        with self.store.read() as reader:
            found = reader.execute(
                "SELECT series, started, ended, peak, value, expected, lower, upper, score,"
                " direction, kind, explanation, evidence, history FROM stretches ORDER BY 1, 2"
            ).fetchall()
        return states, found


@functools.cache
def learnt() -> bytes:
    """Return a store in which the history was analysed and the state saved."""
    with memory_folder() as folder, small_pieces():
        run = Run(folder)
        post(run.store, history())
        run.finish()
        run.do("save all", 100)
        run.kill()
        return (folder / FILE_NAME).read_bytes()


def analysed_naively(requests: list[list[Row]]) -> dict[str, int]:
    """Count the datapoints that are newer than all before them, request by request."""
    marks: dict[str, int] = {}
    counts: dict[str, int] = {}
    for request in requests:
        for name, timestamp, *_ in sorted(request, key=lambda row: row[1]):
            if timestamp > marks.get(name, 0):
                marks[name] = timestamp
                counts[name] = counts.get(name, 0) + 1
    return counts


def check_summaries(run: Run) -> None:
    """Check that the view `metrics` says what the datapoints themselves say."""
    SummarySaver(run.store, run.analysis).save(NOW)
    with run.store.read() as reader:
        summaries = reader.execute(
            "SELECT metric, datapoints, first, last FROM metrics ORDER BY 1"
        ).fetchall()
        counted = reader.execute(
            "SELECT metric, count(*), min(timestamp), max(timestamp) FROM datapoints_recent"
            " GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert summaries == counted


@given(st.lists(events, max_size=25), st.integers(3, 40), st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_killed_at_any_moment_it_comes_to_the_same(
    happens: list[tuple[str, Any]], feed_rows: int, step: int, chunk: int
) -> None:
    requests = [history(), *(argument for event, argument in happens if event == "post")]
    with memory_folder() as folder, small_pieces(step=10**6, chunk=10**6):
        (folder / FILE_NAME).write_bytes(learnt())
        undisturbed = Run(folder)
        for request in requests[1:]:
            post(undisturbed.store, request)
        states, found = undisturbed.finish()
        counts = undisturbed.analysis.knowledge.bank.counts
        by_name = {
            name: int(counts[series])
            for name in NAMES
            if (series := undisturbed.store.catalog.id_of(name)) is not None
        }
        check_summaries(undisturbed)
        undisturbed.kill()
    assert by_name == analysed_naively(requests)
    with memory_folder() as folder, small_pieces(step=step, chunk=chunk):
        (folder / FILE_NAME).write_bytes(learnt())
        disturbed = Run(folder, feed_rows)
        for event, argument in happens:
            disturbed.do(event, argument)
        assert disturbed.finish() == (states, found)
        check_summaries(disturbed)
        disturbed.kill()


def test_the_property_is_not_empty() -> None:
    with memory_folder() as folder:
        run = Run(folder)
        post(run.store, history())
        post(run.store, [("m1", NOW, 1000.0)])
        post(run.store, [("m1", NOW, 10.0), ("m1", NOW + 60, 10.0)])
        _, found = run.finish()
        run.kill()
    assert [(row[0], row[1], row[4]) for row in found] == [(2, NOW, 1000.0)]


def test_anomalies_that_could_not_be_stored_are_not_lost() -> None:
    with memory_folder() as folder, small_pieces(step=10**6, chunk=10**6):
        (folder / FILE_NAME).write_bytes(learnt())
        run = Run(folder)
        run.finish()
        post(run.store, [("m1", NOW, 1000.0)])
        run.do("step", "no writing")
        assert not run.analysis.settled
        run.do("save all", 100)
        run.do("kill", 0)
        _, found = run.finish()
        run.kill()
    assert [row[:2] for row in found] == [(2, NOW)]


def test_datapoints_that_could_not_be_counted_are_counted_later() -> None:
    with memory_folder() as folder, small_pieces(step=10**6, chunk=10**6):
        (folder / FILE_NAME).write_bytes(learnt())
        run = Run(folder)
        run.finish()
        post(run.store, [("m1", NOW - 30, 1.0), ("m1", NOW, 1.0)])
        post(run.store, [("m1", NOW - 90, 1.0), ("m1", NOW - 30, 2.0)])
        run.do("step", "no reading")
        run.do("save all", 100)
        run.finish()
        check_summaries(run)
        run.kill()


def test_saving_amid_a_replay_counts_nothing_twice() -> None:
    """Slices whose state is ahead of the replay are not saved as if they were behind."""
    with memory_folder() as folder, small_pieces(step=1, chunk=1):
        (folder / FILE_NAME).write_bytes(learnt())
        run = Run(folder)
        for n in range(3):
            post(run.store, [(name, NOW + 60 * n, 1.0) for name in NAMES[:3]])
        run.finish()
        run.do("save all", 1)  # of two slices
        run.do("kill", 1)
        run.do("save all", 100)
        run.do("kill", 0)
        run.finish()
        check_summaries(run)
        run.kill()


def test_lag_is_the_age_of_what_waits() -> None:
    with fresh_store() as store:
        analysis = Analysis(store)
        while analysis.step(NOW):
            pass
        assert analysis.lag_s(NOW + 100) == 0.0
        post(store, [("a", NOW, 1.0)])
        assert analysis.lag_s(NOW + 7.5) == 7.5
        while analysis.step(NOW):
            pass
        assert analysis.lag_s(NOW + 100) == 0.0
        assert (analysis.datapoints, analysis.analysed_seq) == (1, store.writer.last_seq)


@pytest.mark.parametrize("early", [True, False])
def test_a_damaged_slice_is_learnt_anew_and_the_others_are_kept(
    caplog: pytest.LogCaptureFixture, *, early: bool
) -> None:
    def damage(store: Store, body: bytes) -> None:
        with store.read() as reader:
            (seq,) = reader.execute("SELECT seq FROM states WHERE slice = 1").fetchone()
        state = saving_module.SavedState(1, seq, VERSION, body)
        store.writer.run(lambda c: write_state(c, state, now=NOW))

    with memory_folder() as folder, small_pieces(step=1000, chunk=1000):
        run = Run(folder)
        post(run.store, history())
        states, _ = run.finish()
        run.do("save all", 100)
        body = run.analysis.knowledge.dump(2, 4)
        damage(run.store, body[:5] if early else body[:-5])
        run.do("kill", 0)
        assert "state 1 is not usable" in caplog.text
        assert run.analysis.knowledge.dump(0, 2) != run.analysis.knowledge.dump(2, 4)
        assert np.all(run.analysis.knowledge.bank.counts[2:4] == 0)
        assert run.analysis.knowledge.bank.counts[1] == LEARNT
        assert run.finish()[0] == states
        check_summaries(run)
        run.kill()


def test_after_a_clean_end_nothing_is_analysed_again() -> None:
    with memory_folder() as folder, small_pieces():
        run = Run(folder)
        post(run.store, history())
        run.finish()
        run.do("save all", 100)
        saved_seq = run.analysis.analysed_seq
        post(run.store, [("newcomer", NOW, 1.0)] * 3)
        run.finish()
        run.do("kill", 0)
        assert run.analysis.analysed_seq == saved_seq
        run.finish()
        assert run.analysis.datapoints == 1  # the only one that no saved state reflects
        run.do("save all", 100)
        run.do("kill", 0)
        run.finish()
        assert run.analysis.datapoints == 0
        run.kill()


def test_a_state_that_can_not_be_unpacked_is_learnt_anew() -> None:
    with memory_folder() as folder, small_pieces(step=1000, chunk=1000):
        run = Run(folder)
        post(run.store, history())
        states, _ = run.finish()
        run.do("save all", 100)
        run.store.writer.run(lambda c: c.execute("UPDATE states SET body = x'00' WHERE slice = 1"))
        run.do("kill", 0)
        assert run.finish()[0] == states
        run.kill()


def test_what_can_not_be_learnt_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with fresh_store() as store:
        analysis = Analysis(store)
        while analysis.step(NOW):
            pass
        post(store, [("a", NOW, 1.0)])
        with monkeypatch.context() as broken:
            broken.setattr(analysis.knowledge, "learn", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                analysis.step(NOW)
        post(store, [("a", NOW + 60, 1.0)])
        while analysis.step(NOW):
            pass
        assert analysis.knowledge.bank.counts[1] == 1
        assert analysis.settled
