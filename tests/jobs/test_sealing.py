"""Sealing against a plain dictionary: whatever happens, every datapoint is there, and once."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store.posting import AGENT, batch_of, memory_folder, opened

from fluxd.core.retention import DAY_S, HOUR_S, WEEK_S, Retention
from fluxd.jobs import sealing
from fluxd.jobs.sealing import Sealer
from fluxd.store.connection import FILE_NAME, open_writer, transaction
from fluxd.store.datapoints import oldest_raw, read_datapoints
from fluxd.store.history import CLOSE_S, write_history
from fluxd.store.places import LATEST, RECENT_TABLES
from fluxd.store.rollups import read_rollups

START = 1_700_000_000 // WEEK_S * WEEK_S + 5 * DAY_S + 80_000
NAMES = ("a", "b", "c")

Pair = tuple[str, int]


class World:
    """A store under a clock of its own, beside what it should hold."""

    def __init__(self, folder: Path, retention: Retention) -> None:
        self._path = folder / FILE_NAME
        self.retention = retention
        self.now = START
        self.saved = 0
        self.values: dict[Pair, float] = {}
        self.arrived: dict[Pair, int] = {}
        self._stack = contextlib.ExitStack()
        self.start()

    def start(self) -> None:
        self.store = self._stack.enter_context(opened(self._path))
        self.sealer = Sealer(self.store, lambda: self.saved, self.retention, budget_s=0.0)

    def close(self) -> None:
        self._stack.close()

    def restart(self, _: object) -> None:
        """All that is not in the file is lost."""
        self.close()
        self.start()

    def _note(self, name: str, second: int, value: float) -> None:
        self.values[name, second] = value
        self.arrived[name, second] = self.now

    def post(self, sent: list[tuple[str, int, float, bool]]) -> None:
        rows = []
        for name, age, value, fill in sent:
            second = self.now - (age if fill else age % HOUR_S)
            rows.append((name, second, value, fill))
            self._note(name, second, value)
        self.store.writer.submit(batch_of(self.store, AGENT, rows, now=self.now))

    def load(self, sent: tuple[str, list[tuple[int, float]]]) -> None:
        """Write history as `fluxd import` does, from another process's connection."""
        name, rows = sent
        series = self.store.catalog.id_of(name)
        if series is None:
            return
        found = {self.now - age: value for age, value in rows}
        fresh = len({(name, second) for second in found} - self.visible().keys())
        for second, value in found.items():
            self._note(name, second, value)
        seconds = sorted(found)
        with contextlib.closing(open_writer(self._path)) as other, transaction(other):
            assert fresh == write_history(
                other,
                series,
                np.array(seconds, np.int64),
                np.array([found[second] for second in seconds]),
                now=self.now,
                levels=self.retention.levels(),
            )

    def advance(self, seconds: int) -> None:
        self.now += seconds

    def save(self, _: object) -> None:
        self.saved = self.store.writer.last_seq

    def seal(self, steps: int) -> None:
        for _ in range(steps):
            self.sealer.run(self.now)

    def visible(self) -> dict[Pair, float]:
        with self.store.read() as reader:
            rows = reader.execute("SELECT metric, timestamp, value FROM datapoints").fetchall()
        found = {(name, second): value for name, second, value in rows}
        assert len(found) == len(rows), "a datapoint is there twice"
        return found

    def check(self) -> None:
        before = self.retention.raw_before(self.now)
        found = self.visible()
        kept = {pair for pair in self.values if max(pair[1], self.arrived[pair]) >= before}
        assert kept <= found.keys()
        assert found.items() <= self.values.items()
        with self.store.read() as reader:
            for name in NAMES:
                series = self.store.catalog.id_of(name)
                if series is None:
                    continue
                own = sorted((t, v) for (n, t), v in found.items() if n == name)
                times, values = read_datapoints(reader, series, 0, LATEST, 10**6)
                assert list(zip(times.tolist(), values.tolist(), strict=True)) == own
                times, values = read_datapoints(reader, series, self.now - HOUR_S, self.now, 2)
                inside = [row for row in own if self.now - HOUR_S <= row[0] <= self.now]
                assert list(zip(times.tolist(), values.tolist(), strict=True)) == inside[:2]
                assert oldest_raw(reader, series) == (own[0][0] if own else None)

    def settle(self) -> None:
        """Let everything be saved, sealed and merged that can be."""
        for _ in range(3):
            self.save(None)
            while self.sealer.run(self.now):
                pass

    def rows_in(self, table: str) -> int:
        with self.store.read() as reader:
            row: Any = reader.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0])

    def check_rollups(self) -> None:
        """Every closed day has them, and they are those of its datapoints."""
        closed = (self.now - CLOSE_S) // DAY_S * DAY_S
        with self.store.read() as reader:
            for name in NAMES:
                series = self.store.catalog.id_of(name)
                if series is None:
                    continue
                hours: dict[int, list[float]] = {}
                for (owner, second), value in self.values.items():
                    if owner == name and second < closed:
                        hours.setdefault(second // HOUR_S * HOUR_S, []).append(value)
                found = read_rollups(reader, series, 0, LATEST)
                assert found.timestamps.tolist() == sorted(hours)
                for at, hour in enumerate(found.timestamps.tolist()):
                    assert found.lowest[at] == min(hours[hour])
                    assert found.highest[at] == max(hours[hour])
                    assert found.count[at] == len(hours[hour])
                    assert found.mean[at] == pytest.approx(np.mean(hours[hour]), rel=1e-6)
            view: Any = reader.execute("SELECT count(*), sum(count) FROM rollups").fetchone()
            assert (view[1] or 0) == sum(second < closed for _, second in self.values)


@contextlib.contextmanager
def world(retention: Retention | None = None) -> Iterator[World]:
    with memory_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "SLICES", {HOUR_S: 2, DAY_S: 1, WEEK_S: 1})
        patch.setattr(sealing, "GROUPS", {DAY_S: 2, WEEK_S: 2})
        patch.setattr(sealing, "LATE_ROWS", 3)
        one = World(folder, retention or Retention())
        try:
            yield one
        finally:
            one.close()


AGES = st.one_of(
    st.integers(0, 3 * HOUR_S).map(lambda age: age // 60 * 60),
    st.integers(0, 50 * DAY_S).map(lambda age: age // 1800 * 1800),
)
VALUES = st.sampled_from([0.0, 1.0, 2.5, -7.25, 1e300, 0.1])
ROWS = st.lists(
    st.tuples(st.sampled_from(NAMES), AGES, VALUES, st.booleans()),
    min_size=1,
    max_size=8,
    unique_by=lambda row: (row[0], row[1], row[3]),
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("post"), ROWS),
        st.tuples(st.just("post"), ROWS),
        st.tuples(
            st.just("load"),
            st.tuples(
                st.sampled_from(NAMES),
                st.lists(st.tuples(AGES, VALUES), min_size=1, max_size=20),
            ),
        ),
        st.tuples(
            st.just("advance"), st.sampled_from([30, 400, HOUR_S, 3 * HOUR_S, DAY_S, 8 * DAY_S])
        ),
        st.tuples(st.just("save"), st.none()),
        st.tuples(st.just("seal"), st.integers(1, 12)),
        st.tuples(st.just("restart"), st.none()),
    ),
    max_size=25,
)


@given(EVENTS, st.sampled_from([Retention(), Retention(raw_s=3 * DAY_S), Retention(raw_s=HOUR_S)]))
@settings(max_examples=120, deadline=None)
def test_every_datapoint_is_there_once_whatever_happens(
    events: list[tuple[str, Any]], retention: Retention
) -> None:
    with world(retention) as one:
        for event, argument in events:
            getattr(one, event)(argument)
            one.check()
        one.settle()
        one.check()
        one.advance(2 * HOUR_S)
        one.settle()
        one.check()
        assert sum(one.rows_in(table) for table in RECENT_TABLES) == 0


def test_a_short_retention_of_raw_datapoints_leaves_whole_rollups() -> None:
    with world(Retention(raw_s=HOUR_S)) as one:
        for _ in range(60):
            one.post([("a", 0, 1.0, False), ("a", 600, 2.0, False)])
            one.advance(HOUR_S)
            one.settle()
        assert one.rows_in("blocks") < 60
        one.check_rollups()


@given(EVENTS)
@settings(max_examples=60, deadline=None)
def test_rollups_are_those_of_all_datapoints(events: list[tuple[str, Any]]) -> None:
    with world(Retention(raw_s=3650 * DAY_S, rollup_s=36500 * DAY_S)) as one:
        for event, argument in events:
            getattr(one, event)(argument)
        one.advance(3 * HOUR_S)
        one.settle()
        one.check_rollups()
