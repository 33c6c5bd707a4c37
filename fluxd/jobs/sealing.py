"""Keeping the store small: hours are sealed, merged to days and weeks, and old ones pruned.

    seal     an hour's table that is closed and reflected by the saved detector state becomes
             blocks, slice by slice of its series, and is then emptied as a whole
    late     what came after its hour is merged into the block that it belongs to
    close    hours become days, days weeks; a day's rollups are written when it is closed
    prune    blocks, rollups and anomalies beyond their retention go, space is given back

Everything is a chain of reads and short transactions that can be cut anywhere: what the recent tier
has shadows what a block has, so blocks may be written long before their rows go.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterator

from fluxd.core.retention import Retention
from fluxd.store import Store
from fluxd.store import prune as pruning
from fluxd.store import seal as sealing
from fluxd.store.connection import Connection
from fluxd.store.history import CLOSE_S, MAX_VALUES, Row, Stored, recent_changes, row_of
from fluxd.store.places import DAY_S, HOUR_S, HOUR_TABLES, LATE_TABLE, WEEK_S, open_hour, place_of
from fluxd.store.rollups import pack_day, roll_up, write_days

log = logging.getLogger(__name__)

# One call of the job works for about so long; the scheduler's thread is needed for analysis.
BUDGET_S = 0.06

# Series taken at once, about 30 ms of work; and series written in one transaction, 25 ms.
SLICES = {HOUR_S: 256, DAY_S: 32, WEEK_S: 4}
GROUPS = {DAY_S: 256, WEEK_S: 32}

# Up to which second the days (weeks) are closed: names in the table `meta`.
CURSORS = {DAY_S: "closed_day", WEEK_S: "closed_week"}

# Datapoints of a series and day that are rolled up: one a second.
MAX_ROLLED_UP = 86_400

# Late datapoints moved in one transaction.
LATE_ROWS = 4_000
LATE_S = 0.02

PRUNE_EVERY_S = 3_600


class Changed(Exception):  # noqa: N818  # no error: the step is done again later
    """Something else has written meanwhile."""


class Sealer:
    """The job. `saved_seq()` is the commit up to which detector state is saved."""

    def __init__(
        self,
        store: Store,
        saved_seq: Callable[[], int],
        retention: Retention,
        *,
        budget_s: float = BUDGET_S,
    ) -> None:
        self._store = store
        self._saved_seq = saved_seq
        self._retention = retention
        self._budget_s = budget_s
        self._work: Iterator[None] | None = None
        self._needed: dict[str, int] = {}  # by table: the saved commit that it waits for
        self._pruned_at = 0
        self._cycle = 0  # pages that the last hour's table had
        self.sealed = 0  # datapoints, since the start
        self.merged = 0  # blocks of days and weeks written

    def run(self, now: int) -> bool:
        """Do some steps; return whether more are waiting."""
        if self._work is None:
            self._work = self._all(now)
        work, self._work = self._work, None  # after an exception it begins anew
        end = time.monotonic() + self._budget_s
        try:
            for _ in work:
                if time.monotonic() >= end:
                    self._work = work
                    return True
        except Changed:
            return True
        return False

    def _all(self, now: int) -> Iterator[None]:
        yield from self._seal_hours(now)
        yield from self._seal_late(now)
        yield from self._close(now)
        if now - self._pruned_at >= PRUNE_EVERY_S or now < self._pruned_at:
            yield from self._prune(now)
            self._pruned_at = now

    # ---- hours

    def _seal_hours(self, now: int) -> Iterator[None]:
        still_open = max(open_hour(now), self._store.writer.open_hour)
        for table in HOUR_TABLES:
            hours = self._hours_of(table)
            if hours and hours[-1] < still_open:
                yield from self._seal_hour(table, now)

    def _hours_of(self, table: str) -> list[int]:
        with self._store.read() as reader:
            return sealing.hours_of(reader, table)

    def _seal_hour(self, table: str, now: int) -> Iterator[None]:
        """Write the blocks of what a table has, then empty it, unless it has changed meanwhile."""
        saved = self._saved_seq()
        last_written = self._store.writer.written.get(table, 0)
        if max(last_written, self._needed.get(table, 0)) > saved:
            return
        with self._store.read() as reader:
            overwrites = recent_changes(reader)
            seconds = sealing.seconds_of(reader, table)
            rows = sealing.count_rows(reader, table)
        done = 0
        for start in range(0, self._store.catalog.next_id, SLICES[HOUR_S]):
            with self._store.read() as reader:
                places, values, last = sealing.read_slice(
                    reader, table, seconds, start, start + SLICES[HOUR_S]
                )
            if last > saved:
                self._needed[table] = last
                return
            self._write_hours(list(sealing.hour_blocks(places, values)), now)
            done += len(places)
            yield
        if done != rows:
            log.warning("%s has %d rows, %d of them sealed: once more", table, rows, done)
            raise Changed

        def empty(connection: Connection) -> int:
            written = self._store.writer.written.get(table, 0)
            if written != last_written or recent_changes(connection) != overwrites:
                raise Changed
            return sealing.empty(connection, table)

        self._cycle = self._store.writer.run(empty)
        self.sealed += done
        yield

    def _write_hours(self, found: list[tuple[int, Stored]], now: int) -> None:
        rows = [row_of(series, block, now=now) for series, block in found]
        levels = self._retention.levels()
        self._store.writer.run(
            lambda connection: sealing.write_hours(connection, found, rows, now=now, levels=levels)
        )

    def _data_version(self) -> int:
        """Return the number that changes when another process has written."""
        version: int = self._store.writer.run(lambda connection: connection.pragma("data_version"))
        return version

    # ---- late datapoints

    def _seal_late(self, now: int) -> Iterator[None]:
        if not self._hours_of(LATE_TABLE):
            return
        saved = self._saved_seq()
        held = {hour for table in HOUR_TABLES for hour in self._hours_of(table)}
        with self._store.read() as reader:
            waiting = sealing.late_work(reader, saved, held)
        waiting.reverse()
        levels = self._retention.levels()

        def move_some(connection: Connection) -> None:
            end = time.monotonic() + LATE_S
            while waiting:
                if sealing.seal_late(
                    connection, waiting[-1], saved, held, limit=LATE_ROWS, now=now, levels=levels
                ):
                    waiting.pop()
                if time.monotonic() >= end:
                    return

        while waiting:
            self._store.writer.run(move_some)
            yield

    # ---- days and weeks

    def _close(self, now: int) -> Iterator[None]:
        # Late datapoints apart, all before this second is sealed.
        open_hours = [hour for table in HOUR_TABLES for hour in self._hours_of(table)]
        until = min([now - CLOSE_S, *(hour * HOUR_S for hour in open_hours)])
        yield from self._close_spans(DAY_S, until)
        if WEEK_S in self._retention.levels():
            with self._store.read() as reader:
                days_closed = sealing.read_cursor(reader, CURSORS[DAY_S]) or 0
            yield from self._close_spans(WEEK_S, days_closed)

    def _close_spans(self, length: int, until: int) -> Iterator[None]:
        """Close each day (or week) with blocks that ends by `until` (s), the oldest first."""
        cursor = CURSORS[length]
        with self._store.read() as reader:
            closed = sealing.read_cursor(reader, cursor) or 0
            labels = sealing.labels_of(reader, closed, until)
        for label in sorted({label // length * length for label in labels}):
            if label + length > until:
                break
            yield from self._close_span(label, length)
            self._store.writer.run(
                functools.partial(sealing.write_cursor, name=cursor, second=label + length)
            )
            yield

    def _close_span(self, label: int, length: int) -> Iterator[None]:
        """Merge the smaller blocks in a span into those of `length` (s); roll a day up."""
        version = self._data_version()  # before anything is read: what is imported meanwhile shows
        with self._store.read() as reader:
            inside = sealing.labels_of(reader, label, label + length)
            if not sealing.has_smaller(reader, inside, length):
                return
        merge = length in self._retention.levels()
        # Rollups are made of all datapoints of a day, however many.
        most = MAX_ROLLED_UP if length == DAY_S else MAX_VALUES
        for first in range(0, self._store.catalog.next_id, GROUPS[length]):
            span = _Span(length, version, merge=merge)
            for start in range(first, first + GROUPS[length], SLICES[length]):
                with self._store.read() as reader:
                    found = sealing.read_smaller(
                        reader, inside, start, start + SLICES[length], length, most=most
                    )
                if found:
                    span.add(label, found)
                    yield
            if not span.empty:
                self._store.writer.run(span.write)
                self.merged += len(span.rows)
                yield

    # ---- pruning

    def _prune(self, now: int) -> Iterator[None]:
        run, keep = self._store.writer.run, self._retention
        with self._store.read() as reader:  # a day that is not closed has no rollups yet
            closed = sealing.read_cursor(reader, CURSORS[DAY_S]) or 0
        before = min(keep.raw_before(now), closed)
        after: int | None = -1
        while after is not None:
            after = run(functools.partial(pruning.prune_blocks, after=after, before=before))
            yield
        rollups = functools.partial(pruning.prune_rollups, before=keep.rollup_before(now))
        anomalies = functools.partial(pruning.prune_anomalies, before=keep.rollup_before(now))
        space = functools.partial(pruning.give_back, cycle=self._cycle)
        for step in (rollups, anomalies, space):
            while run(step):
                yield


class _Span:
    """What is made of the smaller blocks of some series, to be written at once.

    Neighbours share pages, so the more series at once, the less is written.
    """

    def __init__(self, length: int, version: int, *, merge: bool) -> None:
        self._length = length
        self._version = version
        self._merge = merge
        self._days: list[tuple[int, int, bytes]] = []
        self._places: list[int] = []
        self.rows: list[Row] = []

    @property
    def empty(self) -> bool:
        return not self.rows and not self._days

    def add(self, label: int, found: dict[int, sealing.Smaller]) -> None:
        for series, smaller in found.items():
            datapoints = smaller.timestamps, smaller.values
            if self._merge and len(smaller.values) <= MAX_VALUES:
                block = Stored(label, self._length, *datapoints)
                self.rows.append(row_of(series, block, now=smaller.stored))
                self._places += smaller.places
            if self._length == DAY_S:
                day = pack_day(label, roll_up(*datapoints))
                self._days.append((place_of(label, series), *day))

    def write(self, connection: Connection) -> None:
        """Write it, unless what was read is no longer there, or another process has written."""
        if connection.pragma("data_version") != self._version:
            raise Changed
        if not sealing.replace_smaller(connection, self._places, self.rows):
            raise Changed
        write_days(connection, self._days)
