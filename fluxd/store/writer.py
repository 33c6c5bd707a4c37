"""The one thread that writes: group commit for requests, a transaction of its own for each task."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import apsw

from fluxd.core.errors import UnavailableError
from fluxd.store.catalog import Arrivals, Catalog
from fluxd.store.connection import WRITER_BUSY_MS, transaction
from fluxd.store.faults import FaultLog
from fluxd.store.feed import Commit, Feed
from fluxd.store.handover import Batch, Part, Submission, Task
from fluxd.store.places import HOUR_S, LATE, LATE_TABLE, SERIES_BITS, open_hour, place_of
from fluxd.store.rows import in_order, pack_hours, write_parts

log = logging.getLogger(__name__)

T = TypeVar("T")

# How long a request waits for its turn, and then for its commit: less than the 10 s that the
# contract gives a 503.
PATIENCE_S = 4.0
COMMIT_S = 5.0

# While the last transaction has failed, or a stop is due, the lock is waited for no longer than
# this: those who wait behind would wait for each before them.
BRIEF_MS = 200

# Datapoints in one commit: about 50 ms of inserting, so that nobody waits long for the others.
GROUP_ROWS = 50_000

# How soon a key that another process has added or revoked is noticed (the contract says 200 ms).
POLL_S = 0.1

# Commit numbers are reserved in the table by the ten thousand: a start need not search the
# datapoints for the last one, nor a commit write a counter.
RESERVED = 10_000


class Writer:
    """Owns the write connection.

    `submit` and `run` may be called from any thread. They return when their work is on stable
    storage, and raise UnavailableError when it could not be stored.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        catalog: Catalog,
        feed: Feed,
        first_seq: int,
        on_change: Callable[[apsw.Connection], None],
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._feed = feed
        self._on_change = on_change
        self._queue: queue.SimpleQueue[Submission | Task[Any] | None] = queue.SimpleQueue()
        self._claims = threading.Lock()
        self._closed = False
        self._hurry = False
        self._busy_ms = WRITER_BUSY_MS
        connection.set_busy_timeout(WRITER_BUSY_MS)
        self._seq = self._reserved = first_seq
        self._data_version = connection.pragma("data_version")
        self.faults = FaultLog()
        self.refusing: str | None = None  # why no datapoints are taken, whatever a commit says
        self.refuse_new: Callable[[int], str | None] = lambda _metrics: None  # why not so many
        # The oldest hour whose table takes datapoints: what the late table has is never shadowed.
        self.open_hour = last_late_hour(connection) + 1
        self.written: dict[str, int] = {}  # by table of the recent tier: the last commit to it
        self.commits = 0
        self.datapoints = 0
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
        self._thread.start()

    # ---- the callers' side

    def submit(self, batch: Batch) -> list[int]:
        """Store a request's datapoints, all or none.

        Returns the positions of the elements that were refused because their metric is new and
        the key's quota is full.
        """
        submission = Submission(batch)
        self._hand_over(submission)
        return submission.rejected

    def run(self, function: Callable[[apsw.Connection], T]) -> T:
        """Call `function(connection)` in a transaction of its own and return its result."""
        task = Task(function)
        self._hand_over(task)
        return cast("T", task.result)

    def probe(self) -> None:
        """Write something small where the last transaction failed, to see whether that is over."""
        if self.faults.present is not None:
            self.run(_probe)

    def checkpoint(self) -> None:
        """Move what is left in the log into the file, so that the next commit begins it anew."""
        self._hand_over(Task(_checkpoint, bare=True))

    def _hand_over(self, work: Submission | Task[Any]) -> None:
        if self._closed:
            raise UnavailableError("the daemon is stopping")
        if self.refusing is not None and isinstance(work, Submission):
            raise UnavailableError(self.refusing)
        self._queue.put(work)
        work.await_turn(self._claims, patience_s=PATIENCE_S, commit_s=COMMIT_S)

    def hurry(self) -> None:
        """Wait no longer than BRIEF_MS for the lock from now on: the daemon is stopping."""
        self._hurry = True

    def close(self) -> None:
        """Finish what was handed over, then end the thread and close the connection."""
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def last_seq(self) -> int:
        """The number of the last commit with datapoints."""
        return self._seq

    # ---- the writer's side

    def _loop(self) -> None:
        stopping = False
        while not stopping:
            with contextlib.suppress(queue.Empty):
                waiting = [self._queue.get(timeout=POLL_S)]
                while not self._queue.empty():
                    waiting.append(self._queue.get_nowait())
                stopping = None in waiting
                self._work([work for work in waiting if work is not None])
            self._notice_changes()

    def _work(self, waiting: list[Submission | Task[Any]]) -> None:
        """Do all of `waiting`; whatever happens, nobody is left waiting and the thread goes on."""
        with self._claims:
            for work in waiting:
                work.claimed = not work.given_up
        try:
            self._do(waiting)
        except Exception as error:
            log.exception("the writer failed, it goes on")
            told = self.faults.translate(error).message
            for work in waiting:
                if work.claimed and not work.finished:
                    work.finish(UnavailableError(told))

    def _do(self, waiting: list[Submission | Task[Any]]) -> None:
        self._set_patience()
        group: list[Submission] = []
        rows = 0
        for work in waiting:
            if not work.claimed:
                continue
            if isinstance(work, Task):
                self._run_task(work)
                self._set_patience()
                continue
            group.append(work)
            rows += work.batch.rows
            if rows >= GROUP_ROWS:
                self._commit(group)
                self._set_patience()
                group, rows = [], 0
        if group:
            self._commit(group)

    def _run_task(self, task: Task[Any]) -> None:
        written = self._connection.total_changes()
        try:
            with contextlib.nullcontext() if task.bare else transaction(self._connection):
                task.result = task.function(self._connection)
        except apsw.ConstraintError as error:
            task.finish(error)
        except apsw.Error as error:
            task.finish(self.faults.translate(error))
        except Exception as error:  # noqa: BLE001  # the function's own failure is its caller's
            task.finish(error)
        else:
            if self._connection.total_changes() > written:  # reading shows nothing of a full disk
                self.faults.clear()
            task.finish()

    def _commit(self, group: list[Submission]) -> None:
        seq = self._seq + 1
        arrivals = Arrivals(self._catalog)
        try:
            with transaction(self._connection):
                self._reserve(seq)
                group, parts = self._placed(group, arrivals)
                arrivals.write(self._connection)
                tables = write_parts(self._connection, parts, seq=seq)
        except Exception as error:  # noqa: BLE001  # whatever it is, the waiting requests are told
            self._reserved = self._seq  # a reservation in this transaction was rolled back with it
            told = self.faults.translate(error).message
            for submission in group:
                if not submission.finished:
                    submission.finish(UnavailableError(told))
            return
        self.faults.clear()
        if not group:
            return
        rows = sum(one.batch.rows - len(one.rejected) for one in group)
        self._seq = seq
        self._catalog.add(arrivals.rows())
        self._feed.put(Commit(seq, group[0].batch.now, rows, parts))
        self.written |= dict.fromkeys(tables, seq)
        for submission in group:
            submission.finish()
        self.commits += 1
        self.datapoints += rows

    def _set_patience(self) -> None:
        wanted = BRIEF_MS if self._hurry or self.faults.present is not None else WRITER_BUSY_MS
        if wanted != self._busy_ms:
            self._connection.set_busy_timeout(wanted)
            self._busy_ms = wanted

    def _reserve(self, seq: int) -> None:
        if seq > self._reserved:
            self._reserved = seq + RESERVED
            self._connection.execute(
                "INSERT INTO meta VALUES ('reserved_seq', ?1)"
                " ON CONFLICT DO UPDATE SET value = excluded.value",
                (str(self._reserved),),
            )

    def _placed(
        self, group: list[Submission], arrivals: Arrivals
    ) -> tuple[list[Submission], list[Part]]:
        """Give new metrics their ids; return the requests to be stored, and what they have.

        Nothing is routed to an hour that is closed by now, though a request may have waited
        meanwhile, or the clock was set back: an hour's table, once closed, never changes.
        """
        self.open_hour = max(self.open_hour, *(open_hour(one.batch.now) for one in group))
        if any(submission.batch.new for submission in group):
            self._catalog.refresh(self._connection)
        kept: list[Submission] = []
        parts: list[Part] = []
        for submission in group:
            parts += submission.batch.parts
            if submission.batch.new:
                try:
                    parts += self._place_new(submission, arrivals)
                except UnavailableError as error:  # it alone: the others' metrics are known
                    del parts[len(parts) - len(submission.batch.parts) :]
                    submission.finish(error)
                    continue
            kept.append(submission)
        routed = [
            Part(LATE, part.history, part.packed) if part.hour < self.open_hour else part
            for part in parts
        ]
        return kept, in_order(routed)

    def _place_new(self, submission: Submission, arrivals: Arrivals) -> list[Part]:
        """Give the request's new metrics ids while its key's quota lasts, in array order."""
        key, now = submission.batch.key, submission.batch.now
        wanted = arrivals.wanted((row.name for row in submission.batch.new), key)
        if wanted:
            refusing = self.refuse_new(len(self._catalog) + len(arrivals) + wanted)
            if refusing is not None:
                raise UnavailableError(refusing)
        new: dict[int, float] = {}
        old: dict[int, float] = {}
        for row in submission.batch.new:
            series = arrivals.id_for(row.name, key, now)
            if series is None:
                submission.rejected.append(row.position)
                continue
            (old if row.history else new)[place_of(row.timestamp, series)] = row.value
        return [
            *pack_hours(new, self.open_hour, history=False),
            *pack_hours(old, self.open_hour, history=True),
        ]

    def _notice_changes(self) -> None:
        """Reload what another process may have changed: `data_version` moves when one commits."""
        try:
            version = self._connection.pragma("data_version")
            if version != self._data_version:
                self._on_change(self._connection)
                self._data_version = version
        except apsw.Error as error:
            self.faults.translate(error)


def _probe(connection: apsw.Connection) -> None:
    connection.execute(
        "INSERT INTO meta VALUES ('probed', '0')"
        " ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1"
    )


def _checkpoint(connection: apsw.Connection) -> None:
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def last_late_hour(connection: apsw.Connection) -> int:
    """Return the latest hour (since 1970) that the late table has datapoints of, -1 for none."""
    row: Any = connection.execute(f"SELECT max(place) FROM {LATE_TABLE}").fetchone()
    return -1 if row[0] is None else (row[0] >> SERIES_BITS) // HOUR_S


def reserved_seq(connection: apsw.Connection) -> int:
    """Return a number that no commit so far has reached."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'reserved_seq'").fetchone()
    return int(row[0]) if row else 0
