"""A round of the power-cut test: write from several threads, cut, reopen, compare.

Every value is used once, so a stored value tells which request wrote it. Each thread has metrics of
its own, on which the outcome is known exactly: what was acknowledged is there, and of the request
that was under way all or nothing. On the shared metrics the last writer isn't known, only that it's
some thread's last. Metrics that were imported long ago may be pruned meanwhile, block by block, and
then have the rollups of all that was imported.
"""

import contextlib
import functools
import itertools
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import apsw
import numpy as np
from store.disk import Disk
from store.posting import AGENT, NOW, Stored, batch_of, memory_folder, new_key

from fluxd.core.errors import StoreError, UnavailableError
from fluxd.core.retention import DAY_S, HOUR_S, Retention
from fluxd.jobs.sealing import Sealer
from fluxd.store import Store, open_store
from fluxd.store.connection import FILE_NAME
from fluxd.store.handover import Task
from fluxd.store.rebuilds import History

THREADS = 3

# The sealer's clock is so far ahead of the senders': their hours are closed, or their days, too.
AHEAD_S = (0, 2 * HOUR_S, 2 * DAY_S, 9 * DAY_S)
KEPT = Retention(raw_s=10 * DAY_S)

# Of datapoints so old nothing need be left: a day each of a metric of its own.
OLD = NOW // DAY_S * DAY_S - 20 * DAY_S
OLD_ROWS = 48

Pair = tuple[str, int]

_values = itertools.count(1)


@dataclass
class Outcome:
    """What a round found; `faults` is empty in a sound store."""

    phase: str = "open"  # what went on when the power was cut
    acknowledged: int = 0
    sealed: int = 0  # datapoints, and blocks merged
    pruned: int = 0  # metrics of old datapoints that are gone
    lost: int = 0
    torn: int = 0
    invented: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass
class Sender:
    """A thread's requests; at most the last of them wasn't acknowledged."""

    acknowledged: list[Stored] = field(default_factory=list)
    under_way: Stored | None = None


@dataclass
class Found:
    """A store after a cut; `rolled_up` is how many datapoints a metric's rollups count."""

    files: dict[str, bytes]
    rows: Stored
    rolled_up: dict[str, int] = field(default_factory=dict)


def play(
    rng: random.Random, before: Found, *, synchronous: str | None = None
) -> tuple[Outcome, Found]:
    """Play one round on the disk that an earlier one has left.

    `synchronous` is set in place of what the store itself chooses.
    """
    outcome = Outcome()
    senders = [Sender() for _ in range(THREADS)]
    importer = Sender()
    with memory_folder() as folder, Disk(folder, rng, before.files) as disk:
        if rng.random() < 0.15:
            disk.cut_at = rng.randint(1, 90)
        # apsw.IOError: what a VFS written in Python raises comes out of closing a connection too.
        with contextlib.suppress(StoreError, UnavailableError, apsw.IOError):
            store = open_store(folder / FILE_NAME, create=True, vfs=disk.name)
            try:
                _import(rng, store, importer, synchronous)
                _work(rng, store, disk, senders, outcome)
            finally:
                _close(store)
        image = disk.cut()
    found = reopen(image, outcome)
    _judge(before.rows, senders, found.rows, outcome)
    _judge_old(before, importer, found, outcome)
    return outcome, found


def _import(rng: random.Random, store: Store, importer: Sender, synchronous: str | None) -> None:
    """Store a day of some new metrics as an import soon after it did."""
    if synchronous is not None:
        _set_synchronous(store, synchronous)
    if not len(store.keys):
        new_key(store, "agent")
    for _ in range(rng.choice([0, 1, 4])):
        times = OLD + HOUR_S // 2 * np.arange(OLD_ROWS, dtype=np.int64)
        values = np.array([float(next(_values)) for _ in times])
        history = History(f"old.metric{values[0]:.0f}", times, values)
        rows = {(history.name, t): v for t, v in zip(times.tolist(), values.tolist(), strict=True)}
        importer.under_way = rows
        store.writer.run(
            functools.partial(history.write_some, now=OLD + 2 * DAY_S, more=lambda: True)
        )
        importer.acknowledged.append(rows)
        importer.under_way = None


def _work(
    rng: random.Random,
    store: Store,
    disk: Disk,
    senders: list[Sender],
    outcome: Outcome,
) -> None:
    outcome.phase = "idle"
    if disk.cut_at is None and rng.random() < 0.9:
        disk.cut_at = disk.operations + rng.randint(1, rng.choice([120, 400]))
    threads = [
        threading.Thread(target=_send, args=(store, n, sender, random.Random(rng.random())))
        for n, sender in enumerate(senders)
    ]
    for thread in threads:
        thread.start()
    outcome.sealed = _keep_house(rng, store, threads)
    for thread in threads:
        thread.join()
    if disk.image is not None:
        outcome.phase = "writing"
    elif rng.random() < 0.5:
        disk.cut()
    else:
        outcome.phase = "closing"


def _keep_house(rng: random.Random, store: Store, threads: list[threading.Thread]) -> int:
    """Seal, merge and checkpoint while the threads send; return how many datapoints were sealed."""
    sealer = Sealer(store, lambda: store.writer.last_seq, KEPT, budget_s=0.0)
    now = NOW + rng.choice(AHEAD_S)
    with contextlib.suppress(apsw.Error, UnavailableError):
        while any(thread.is_alive() for thread in threads):
            threads[0].join(rng.choice([0.0, 0.001, 0.003]))
            for _ in range(rng.choice([0, 1, 5])):
                sealer.run(now)
            store.checkpoint()
            if rng.random() < 0.5:
                store.writer.checkpoint()
        while rng.random() < 0.9:
            sealer.run(now)
    return sealer.sealed + sealer.merged


def _send(store: Store, number: int, sender: Sender, rng: random.Random) -> None:
    """Send requests one after the other, until one isn't acknowledged."""
    for _ in range(rng.randint(1, 6)):
        rows = _request(rng, number)
        sender.under_way = rows
        try:
            sent = [(*pair, value, rng.random() < 0.2) for pair, value in rows.items()]
            store.writer.submit(batch_of(store, AGENT, sent, now=NOW + rng.choice(AHEAD_S)))
        except UnavailableError:
            return
        sender.acknowledged.append(rows)
        sender.under_way = None


def _request(rng: random.Random, number: int) -> Stored:
    """Return datapoints of own and shared metrics, at least one own."""
    rows: Stored = {}
    for n in range(rng.choice([1, 3, 20, 200])):
        owner = "shared" if n and rng.random() < 0.2 else f"own{number}"
        pair = (f"{owner}.metric{rng.randrange(12)}", NOW + rng.randrange(30))
        rows[pair] = float(next(_values))
    return rows


def _set_synchronous(store: Store, mode: str) -> None:
    # A task outside a transaction: within one SQLite ignores the pragma.
    store.writer._hand_over(Task(lambda c: c.pragma("synchronous", mode), bare=True))
    store._checkpointer.pragma("synchronous", mode)


def _close(store: Store) -> None:
    with contextlib.suppress(apsw.Error):
        store.close()
    with contextlib.suppress(apsw.Error):
        store._checkpointer.close()


def reopen(image: dict[str, bytes], outcome: Outcome) -> Found:
    """Open what the cut has left as the daemon would at its next start; read all of it."""
    with memory_folder() as folder:
        path = folder / FILE_NAME
        for name, content in image.items():
            (folder / name).write_bytes(content)
        try:
            store = open_store(path, create=True)
        except Exception as error:  # noqa: BLE001  # a damaged store may do anything
            outcome.faults.append(f"unreadable: {error}")
            return Found({}, {})
        try:
            rows = _read(store, outcome)
            rolled_up = _rolled_up(store)
        except (apsw.Error, UnavailableError, UnicodeDecodeError) as error:
            outcome.faults.append(f"unreadable: {error}")
            return Found({}, {})
        finally:
            _close(store)
        return Found({path.name: path.read_bytes()}, rows, rolled_up)


def _read(store: Store, outcome: Outcome) -> Stored:
    with store.read() as reader:
        integrity = reader.execute("PRAGMA integrity_check").fetchall()
        if integrity != [("ok",)]:  # a damaged tree may lead back to itself: reading it has no end
            raise apsw.CorruptError(f"integrity_check: {integrity[:3]}")
        orphans = reader.execute("PRAGMA foreign_key_check").fetchall()
        rows = reader.execute("SELECT metric, timestamp, value FROM datapoints").fetchall()
        recent = reader.execute("SELECT metric, timestamp, value FROM datapoints_recent").fetchall()
        count, last = reader.execute("SELECT count(*), max(seq) FROM recent").fetchone()
        vacuum = reader.pragma("auto_vacuum")
    if orphans or count != len(recent):
        outcome.faults.append(f"{count} datapoints, {len(recent)} with a metric")
    if len({row[:2] for row in rows}) != len(rows) or not set(recent) <= set(rows):
        outcome.faults.append("a datapoint is there twice, or in one view alone")
    if last is not None and last > store.feed._last_seq:
        outcome.faults.append("a commit number may be given twice")
    if vacuum != 2:
        outcome.faults.append(f"auto_vacuum is {vacuum}")
    return {(metric, timestamp): value for metric, timestamp, value in rows}


def _rolled_up(store: Store) -> dict[str, int]:
    with store.read() as reader:
        counts: Any = reader.execute("SELECT metric, sum(count) FROM rollups GROUP BY metric")
        return dict(counts.fetchall())


def _judge_old(before: Found, importer: Sender, found: Found, outcome: Outcome) -> None:
    """Say what is wrong with the metrics that may be pruned, but for one that was under way."""
    surely = _after([_of("old.", before.rows), *importer.acknowledged])
    perhaps = surely | (importer.under_way or {})
    actual = _of("old.", found.rows)
    wrong: list[object] = [pair for pair in actual if perhaps.get(pair) != actual[pair]]
    left = Counter(metric for metric, _ in actual)
    pruned = {name for name in before.rolled_up if name.startswith("old.")}
    for name in pruned | {name for name, _ in surely}:
        if left[name] != OLD_ROWS and (left[name], found.rolled_up.get(name)) != (0, OLD_ROWS):
            wrong.append((name, left[name], found.rolled_up.get(name)))
        outcome.pruned += not left[name]
    if wrong:
        outcome.lost += len(wrong)
        outcome.faults.append(f"old metrics: lost or invented {wrong[:3]}")


def _judge(before: Stored, senders: list[Sender], found: Stored, outcome: Outcome) -> None:
    outcome.acknowledged = sum(len(rows) for sender in senders for rows in sender.acknowledged)
    last: dict[Pair, set[float]] = {}  # of shared metrics, by thread
    for number, sender in enumerate(senders):
        own = f"own{number}."
        written = [_of(own, before), *(_of(own, rows) for rows in sender.acknowledged)]
        surely = _after(written)
        perhaps = _after([*written, _of(own, sender.under_way or {})])
        actual = _of(own, found)
        if actual not in (surely, perhaps):
            _describe(surely, perhaps, actual, outcome)
        carried_out = list(sender.acknowledged)
        if sender.under_way is not None and actual == perhaps:
            carried_out.append(sender.under_way)
        for pair, value in _of("shared.", _after(carried_out)).items():
            last.setdefault(pair, set()).add(value)
    for pair, value in _of("shared.", before).items():
        last.setdefault(pair, {value})
    actual = _of("shared.", found)
    wrong = [pair for pair, values in last.items() if actual.get(pair) not in values]
    outcome.lost += len(wrong)
    invented = [pair for pair in actual if pair not in last]
    outcome.invented += len(invented)
    if wrong or invented:
        outcome.faults.append(f"shared metrics: lost {wrong[:3]}, invented {invented[:3]}")


def _of(owner: str, rows: Stored) -> Stored:
    return {pair: value for pair, value in rows.items() if pair[0].startswith(owner)}


def _after(requests: list[Stored]) -> Stored:
    rows: Stored = {}
    for request in requests:
        rows |= request
    return rows


def _describe(surely: Stored, perhaps: Stored, actual: Stored, outcome: Outcome) -> None:
    """Count what is wrong with a thread's own metrics."""
    lost = [p for p, v in surely.items() if actual.get(p) not in (v, perhaps[p])]
    invented = [p for p in actual if p not in perhaps]
    outcome.lost += len(lost)
    outcome.invented += len(invented)
    outcome.torn += not lost and not invented
    outcome.faults.append(f"lost {lost[:3]}, invented {invented[:3]}, or torn")
