"""A store under a simulated clock that posts, seals, merges and prunes, beside what it must hold.

What happens is chosen by a seed. At any moment an image of the files can be taken as kill -9 would
leave them; `Image.judge` opens one as the next start does, and compares it with what was
acknowledged until then.
"""

import contextlib
import itertools
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from store.posting import AGENT, batch_of, memory_folder, opened

from fluxd.core.detect import VERSION
from fluxd.core.retention import DAY_S, HOUR_S, WEEK_S, Retention
from fluxd.jobs import sealing
from fluxd.jobs.sealing import Sealer
from fluxd.store import Store, prune
from fluxd.store.connection import FILE_NAME, open_writer, transaction
from fluxd.store.datapoints import read_commits, read_datapoints
from fluxd.store.history import CLOSE_S, read_block, read_spans, write_history
from fluxd.store.places import LATEST, RECENT_TABLES, place_of
from fluxd.store.rollups import read_rollups
from fluxd.store.states import finish_round, states_seq

START = 1_700_000_000 // WEEK_S * WEEK_S + 5 * DAY_S + 80_000
NAMES = ("a", "b", "c", "d", "e")

FOR_EVER = Retention(raw_s=3_650 * DAY_S, rollup_s=36_500 * DAY_S)
RETENTIONS = (FOR_EVER, Retention(), FOR_EVER, Retention(raw_s=3 * DAY_S), Retention(raw_s=HOUR_S))

EARLY_STEPS = 10  # of the sealer after a start, while the analysis still lags

Pair = tuple[str, int]
Values = dict[Pair, float]


@contextlib.contextmanager
def small_steps() -> Iterator[None]:
    """Let every job need many steps for a few datapoints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "SLICES", {HOUR_S: 2, DAY_S: 2, WEEK_S: 2})
        patch.setattr(sealing, "GROUPS", {DAY_S: 4, WEEK_S: 2})
        patch.setattr(sealing, "LATE_ROWS", 2)
        # A clock on which every look takes half of what late datapoints may take at once.
        ticks = itertools.count()
        clock = SimpleNamespace(monotonic=lambda: next(ticks) * sealing.LATE_S / 2)
        patch.setattr(sealing, "time", clock)
        patch.setattr(prune, "STEP_ROWS", 3)
        patch.setattr(prune, "STEP_PAGES", 1)
        patch.setattr(prune, "KEPT_PAGES", 0)
        patch.setattr(prune, "KEPT_SHARE", 0.0)
        yield


@dataclass
class Ledger:
    """What was acknowledged, as plain dictionaries, and what is under way."""

    values: Values = field(default_factory=dict)
    arrived: dict[Pair, int] = field(default_factory=dict)
    # By commit, what it was the first to write: a replay must find it.
    commits: dict[int, Values] = field(default_factory=dict)
    under_way: Values = field(default_factory=dict)
    now: int = START
    last_value: float = 0.0

    def copy(self) -> "Ledger":
        return replace(
            self,
            values=dict(self.values),
            arrived=dict(self.arrived),
            commits={commit: dict(rows) for commit, rows in self.commits.items()},
        )

    def new_value(self) -> float:
        """Return a value that no datapoint has had."""
        self.last_value += 0.5
        return self.last_value

    def acknowledge(self, commit: int | None = None) -> None:
        """Take what was under way as stored, by the commit of that number or by an import."""
        if commit is not None:
            fresh = {p: value for p, value in self.under_way.items() if p not in self.values}
            self.commits[commit] = fresh
        else:  # an import has the metric learnt anew from what is stored
            for rows in self.commits.values():
                for pair in self.under_way:
                    rows.pop(pair, None)
        self.values |= self.under_way
        self.arrived |= dict.fromkeys(self.under_way, self.now)
        self.under_way = {}

    def end(self, *, stored: bool) -> None:
        """Take what was under way as stored, or as not."""
        if stored:
            self.acknowledge()
        self.under_way = {}

    def allows(self, found: Values, retention: Retention) -> bool:
        """Return whether a store may show this: of what is under way all or nothing."""
        before = retention.raw_before(self.now)
        kept = {pair for pair in self.values if max(pair[1], self.arrived[pair]) >= before}
        return any(
            kept <= found.keys() and found.items() <= (self.values | more).items()
            for more in ({}, self.under_way)
            if found.keys() >= more.keys()
        )


def visible(store: Store) -> Values:
    with store.read() as reader:
        rows = reader.execute("SELECT metric, timestamp, value FROM datapoints").fetchall()
    found = {(name, second): value for name, second, value in rows}
    assert len(found) == len(rows), "a datapoint is there twice"
    return found


def check(store: Store, ledger: Ledger, retention: Retention, *, replay: bool = True) -> None:
    """Compare a store with what it must hold, by every way in which it is read."""
    found = visible(store)
    assert ledger.allows(found, retention), _difference(found, ledger)
    with store.read() as reader:
        for name in NAMES:
            series = store.catalog.id_of(name)
            own = sorted((t, v) for (n, t), v in found.items() if n == name)
            if series is None:
                assert not own
                continue
            times, values = read_datapoints(reader, series, 0, LATEST, 10**6)
            assert list(zip(times.tolist(), values.tolist(), strict=True)) == own
            spans = read_spans(reader, series, 0, LATEST)
            assert all(one.end <= two.label for one, two in itertools.pairwise(spans))
            for span in spans:
                times, _ = read_block(reader, series, span.label)
                assert span.label <= times[0] <= times[-1] < span.end
        recent: Any = reader.execute("SELECT metric, timestamp, value FROM datapoints_recent")
        assert all(found[name, second] == value for name, second, value in recent)
    if replay:
        _check_replay(store, ledger)


def _difference(found: Values, ledger: Ledger) -> str:
    lost = {p: v for p, v in ledger.values.items() if found.get(p) != v}
    more = {p: v for p, v in found.items() if p not in ledger.values}
    return f"at {ledger.now}: lost {lost}, more {more}, under way {ledger.under_way}"


def _check_replay(store: Store, ledger: Ledger) -> None:
    """Nothing of commits beyond the saved state is gone from where a replay reads it."""
    saved = saved_seq(store)
    with store.read() as reader:
        parts = list(read_commits(reader, saved, 1 << 60))
    found = {
        (seq, place): value
        for part in parts
        for seq, place, value in zip(
            part.seqs.tolist(), part.places.tolist(), part.values.tolist(), strict=True
        )
    }
    for seq, rows in ledger.commits.items():
        for (name, second), value in rows.items() if seq > saved else ():
            series = store.catalog.id_of(name)
            assert series is not None
            assert found[seq, place_of(second, series)] == value


def check_rollups(store: Store, ledger: Ledger) -> None:
    """All is sealed: every closed day has the rollups of its datapoints, as if none were pruned."""
    closed = (ledger.now - CLOSE_S) // DAY_S * DAY_S
    for name in NAMES:
        series = store.catalog.id_of(name)
        hours: dict[int, list[float]] = {}
        for (owner, second), value in ledger.values.items():
            if owner == name and second < closed:
                hours.setdefault(second // HOUR_S * HOUR_S, []).append(value)
        if series is None:
            assert not hours
            continue
        with store.read() as reader:
            found = read_rollups(reader, series, 0, LATEST)
        assert found.timestamps.tolist() == sorted(hours)
        assert found.lowest.tolist() == [min(hours[hour]) for hour in sorted(hours)]
        assert found.highest.tolist() == [max(hours[hour]) for hour in sorted(hours)]
        assert found.count.tolist() == [len(hours[hour]) for hour in sorted(hours)]


def settle(store: Store, sealer: Sealer, now: int) -> None:
    """Let everything be saved, sealed, merged and pruned that can be."""
    for _ in range(3):
        save(store, store.writer.last_seq)
        while sealer.run(now):
            pass


def save(store: Store, seq: int) -> None:
    """Note, as the saver of detector state does, that it reflects all commits up to `seq`."""
    store.writer.run(lambda connection: finish_round(connection, seq, VERSION))


def saved_seq(store: Store) -> int:
    with store.read() as reader:
        return states_seq(reader, VERSION)


@dataclass(frozen=True)
class Image:
    """The files as kill -9 leaves them, and what must be in them."""

    files: dict[str, bytes]
    ledger: Ledger

    def judge(self, retention: Retention) -> bool:
        """Open the files as the next start does; look, seal all, look again.

        Returns whether what was under way had been stored.
        """
        with memory_folder() as folder:
            for name, content in self.files.items():
                (folder / name).write_bytes(content)
            with opened(folder / FILE_NAME) as store:
                with store.read() as reader:
                    assert reader.pragma("integrity_check") == "ok"
                check(store, self.ledger, retention)
                # Before anything is learnt anew.
                sealer = Sealer(store, lambda: saved_seq(store), retention, budget_s=0.0)
                for _ in range(EARLY_STEPS):
                    sealer.run(self.ledger.now)
                check(store, self.ledger, retention)
                after = self.ledger.copy()
                stored = after.under_way.items() <= visible(store).items()
                after.end(stored=stored)
                after.now += 2 * HOUR_S
                sealer = Sealer(store, lambda: store.writer.last_seq, retention, budget_s=0.0)
                settle(store, sealer, after.now)
                check(store, after, retention, replay=False)
                if retention is FOR_EVER:
                    check_rollups(store, after)
                assert sum(_rows(store, table) for table in RECENT_TABLES) == 0
        return stored


def _rows(store: Store, table: str) -> int:
    with store.read() as reader:
        row: Any = reader.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0])


class Camera:
    """Takes images of a folder's files; only those that differ from the one before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, int] = {}
        self._last: dict[str, bytes] = {}

    def take(self) -> dict[str, bytes] | None:
        """Return the files by name; None where nothing was written since the last time."""
        files = {}
        for path in self._folder.iterdir():
            if path.name.endswith("-shm"):
                continue
            # Closing a file would end all locks that this process has on it, SQLite's too.
            if path.name not in self._open:
                self._open[path.name] = os.open(path, os.O_RDONLY)
            size = os.fstat(self._open[path.name]).st_size
            files[path.name] = os.pread(self._open[path.name], size, 0)
        if files == self._last:
            return None
        self._last = files
        return files

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)


class Life:
    """A store in `folder` and its sealer, to which things happen as a seed has it.

    `told` is called whenever the ledger has changed.
    """

    def __init__(
        self,
        folder: Path,
        seed: int,
        retention: Retention,
        *,
        ledger: Ledger | None = None,
        vfs: str | None = None,
    ) -> None:
        self.path = folder / FILE_NAME
        self.rng = random.Random(seed)
        self.retention = retention
        self.ledger = ledger or Ledger()
        self.told: Callable[[], object] = lambda: None
        self._stack = contextlib.ExitStack()
        self.store = self._stack.enter_context(opened(self.path, vfs=vfs))
        self.saved = self._analysed = saved_seq(self.store)
        self.sealer = Sealer(self.store, lambda: self.saved, retention, budget_s=0.0)

    def close(self) -> None:
        self._stack.close()

    # ---- what may happen

    def act(self) -> None:
        """Let something happen."""
        events = (
            (self.report, 6),
            (self.post_any, 3),
            (self.load, 1),
            (self.advance, 4),
            (self.save, 6),
            (self.seal, 8),
            (self.store.checkpoint, 1),
            (self.store.writer.checkpoint, 1),
        )
        self.rng.choices([event for event, _ in events], [weight for _, weight in events])[0]()

    def report(self) -> None:
        """Let all metrics report regularly, for up to two hours."""
        for _ in range(self.rng.choice([1, 3, 12])):
            self.ledger.now += 600
            self._send(
                {(name, self.ledger.now): self.ledger.new_value() for name in NAMES}, fill=False
            )

    def post_any(self) -> None:
        """Send late datapoints, history and overwrites of some metrics."""
        rows = {}
        for _ in range(self.rng.choice([1, 4, 12])):
            reach = self.rng.choice([HOUR_S, 3 * HOUR_S, 2 * DAY_S, 40 * DAY_S])
            age = self.rng.randrange(reach) // 600 * 600
            rows[self.rng.choice(NAMES), self.ledger.now - age] = self.ledger.new_value()
        self._send(rows, fill=self.rng.random() < 0.5)

    def load(self) -> None:
        """`fluxd import` writes history of one metric, from a process of its own."""
        name = self.rng.choice(NAMES)
        series = self.store.catalog.id_of(name)
        if series is None:
            return
        reach = self.rng.choice([3 * HOUR_S, 3 * DAY_S, 20 * DAY_S])
        step = self.rng.choice([600, 1_200, 7_200])
        ages = range(0, reach, step)[:60]
        seconds = sorted(self.ledger.now - age for age in ages)
        rows = {(name, second): self.ledger.new_value() for second in seconds}
        self._begin(rows)
        with contextlib.closing(open_writer(self.path)) as other, transaction(other):
            write_history(
                other,
                series,
                np.array(seconds, np.int64),
                np.array(list(rows.values())),
                now=self.ledger.now,
                levels=self.retention.levels(),
            )
        self.ledger.acknowledge()
        self.told()

    def advance(self) -> None:
        self.ledger.now += self.rng.choice([60, 600, HOUR_S, HOUR_S, 3 * HOUR_S, DAY_S, 8 * DAY_S])
        self.told()

    def save(self) -> None:
        """End a round of saving, which reflects what was analysed when it began; begin one."""
        save(self.store, self._analysed)
        self.saved, self._analysed = self._analysed, self.store.writer.last_seq

    def seal(self) -> None:
        """Let the sealer do some steps; now and then something comes between them."""
        for _ in range(self.rng.choice([1, 3, 10, 40])):
            self.sealer.run(self.ledger.now)
            if self.rng.random() < 0.1:
                self.rng.choice([self.post_any, self.load])()

    def _send(self, rows: Values, *, fill: bool) -> None:
        self._begin(rows)
        sent = [(*pair, value, fill) for pair, value in rows.items()]
        self.store.writer.submit(batch_of(self.store, AGENT, sent, now=self.ledger.now))
        self.ledger.acknowledge(self.store.writer.last_seq)
        self.told()

    def _begin(self, rows: Values) -> None:
        self.ledger.under_way = rows
        self.told()
