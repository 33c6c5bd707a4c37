"""Metrics that leave: the silent ones retire, the deleted ones go with all that is stored of them.

    retire   once nothing raw is kept of a metric, it leaves the analysis and frees its place in the
             quota of its key; its rollups and anomalies stay, and it comes back when it is sent
    expire   once its rollups are gone too, it is deleted
    purge    a deleted metric's rows go, then its state in the detector, then its id is free

Everything happens on the thread of the analysis, in short steps; a metric's state and its row in
`series` change in one transaction.
"""

import functools
import logging
import time
from collections.abc import Callable, Iterator

import numpy as np

from fluxd.core.retention import DAY_S, HOUR_S, Retention
from fluxd.jobs.analysis import Analysis
from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies
from fluxd.store.connection import Connection
from fluxd.store.series import (
    Purge,
    delete_ids,
    deleted_ids,
    has_raw,
    has_rollups,
    last_seen,
    remove_series,
    restore_series,
    retire_series,
)
from fluxd.store.states import SLICE

log = logging.getLogger(__name__)

# One call works for about so long, with transactions of about so long.
BUDGET_S = 0.05
TRANSACTION_S = 0.015

# Requests that were read before a metric was deleted have long been answered after this.
GRACE_S = 60

# Metrics purged together.
PURGED = 256

# Retired metrics looked at together.
RETIRED = 500

# Names in a line of the log.
NAMES = 10

_LATER = True  # what a step yields that must wait for the analysis

SaveSlice = Callable[[int, int, Callable[[Connection], None]], None]


class _BackAgainError(Exception):
    """A datapoint has come of a metric that was to be retired."""


class Forgetter:
    """The job. `save_slice(index, now, also)` saves a slice of the detector's state."""

    def __init__(
        self,
        store: Store,
        analysis: Analysis,
        save_slice: SaveSlice,
        retention: Retention,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._analysis = analysis
        self._save_slice = save_slice
        self._retention = retention
        self._clock = clock
        self._work: Iterator[bool] | None = None
        self._noticed: dict[int, int] = {}  # when a deleted series was first seen to be
        self._looked_at: int | None = None

    def run(self, now: int) -> bool:
        """Do some steps; return whether more can be done at once."""
        work, self._work = self._work or self._all(now), None  # after an exception it begins anew
        end = self._clock() + BUDGET_S
        for later in work:
            if later or self._clock() >= end:
                self._work = work
                return not later
        return False

    def _all(self, now: int) -> Iterator[bool]:
        yield from self._purge(now)
        if self._looked_at is not None and 0 <= now - self._looked_at < HOUR_S:
            return
        self._restore()
        yield from self._retire(now)
        yield from self._expire(now)
        self._looked_at = now

    # ---- deleted

    def _purge(self, now: int) -> Iterator[bool]:
        with self._store.read() as reader:
            gone = deleted_ids(reader)
        self._noticed = {series: self._noticed.get(series, now) for series in gone}
        ripe = sorted(one for one, at in self._noticed.items() if not 0 <= now - at < GRACE_S)
        for at in range(0, len(ripe), PURGED):
            yield from self._purge_some(ripe[at : at + PURGED], now)
        if ripe:
            log.info("%d deleted metrics are purged", len(ripe))

    def _purge_some(self, ids: list[int], now: int) -> Iterator[bool]:
        """Delete the rows of series, blank their state, and give their ids back, in this order."""
        run, knowledge = self._store.writer.run, self._analysis.knowledge
        barrier: int = run(lambda _: self._store.writer.last_seq)
        while not (self._analysis.settled and self._analysis.analysed_seq >= barrier):
            yield _LATER
        knowledge.bands.forget(np.array(ids))  # else they would be stored with the next state
        purge = Purge(ids)
        while not run(functools.partial(purge.step, more=self._timer())):
            yield not _LATER
        for index in sorted({series // SLICE for series in ids}):
            while not self._analysis.settled:
                yield _LATER
            self._bury(index, [series for series in ids if series // SLICE == index], now)
            yield not _LATER

    def _timer(self) -> Callable[[], bool]:
        end = self._clock() + TRANSACTION_S
        return lambda: self._clock() < end

    def _bury(self, index: int, ids: list[int], now: int) -> None:
        analysis = self._analysis
        analysis.grow(max(ids) + 1)
        analysis.knowledge.forget(np.array(ids))
        analysis.dirty[index] = True
        self._save_slice(index, now, functools.partial(remove_series, ids=ids))
        # Only now, for if the transaction had failed the rows would still be there.
        self._store.writer.run(lambda _: self._store.catalog.release(ids))
        for series in ids:
            del self._noticed[series]

    # ---- silent

    def _retire(self, now: int) -> Iterator[bool]:
        """Look at all metrics that were silent for long; retire those of which nothing is kept."""
        before = now - max(self._retention.raw_s, DAY_S)
        marks = self._analysis.knowledge.bank.marks
        silent = [s for s in np.flatnonzero(marks < before).tolist() if self._is_live(s)]
        names: list[str] = []
        for index in sorted({series // SLICE for series in silent}):
            candidates: list[int] = []
            for series in (series for series in silent if series // SLICE == index):
                if not self._has_raw(series):
                    candidates.append(series)
                yield not _LATER
            if candidates:
                while not self._analysis.settled:
                    yield _LATER
                names += self._retire_some(index, candidates, before, now)
                yield not _LATER
        if names:
            more = f" and {len(names) - NAMES:,} more" if len(names) > NAMES else ""
            log.info(
                "silent for so long that no datapoint is kept, out of the analysis and of their"
                " keys' quotas: %s%s",
                ", ".join(names[:NAMES]),
                more,
            )

    def _is_live(self, series: int) -> bool:
        return self._store.catalog.is_live(series)

    def _has_raw(self, series: int) -> bool:
        seen = bool(self._analysis.knowledge.bank.marks[series])
        with self._store.read() as reader:
            return has_raw(reader, series, silent=seen)

    def _retire_some(self, index: int, ids: list[int], before: int, now: int) -> list[str]:
        """Retire metrics of one slice and return their names; none if any of them has come back."""
        knowledge = self._analysis.knowledge
        marks = knowledge.bank.marks
        ids = [one for one in ids if self._is_live(one) and marks[one] < before]
        names = [self._store.catalog.name_of(series) for series in ids]
        states = {series: knowledge.dump(series, series + 1) for series in ids}
        ended = [found for found in map(knowledge.retire, ids) if found is not None]
        self._analysis.dirty[index] = True

        def write(connection: Connection) -> None:
            if any(has_raw(connection, series, silent=True) for series in ids):
                raise _BackAgainError
            write_anomalies(connection, ended)
            retire_series(connection, ids, now=now)
            self._store.catalog.retire(ids)

        try:
            self._save_slice(index, now, write)
        except BaseException as error:
            for series, body in states.items():
                knowledge.load(series, body)
            if not isinstance(error, _BackAgainError):
                raise
            return []
        return names

    def _restore(self) -> None:
        """Bring those back that a datapoint has reached on its way while they were retired."""
        counts = self._analysis.knowledge.bank.counts
        retired = np.array(self._store.catalog.retired_ids(), np.int64)
        retired = retired[retired < len(counts)]
        back = retired[counts[retired] > 0].tolist()
        if back:

            def restore(connection: Connection) -> None:
                self._store.catalog.add(restore_series(connection, back))

            self._store.writer.run(restore)

    def _expire(self, now: int) -> Iterator[bool]:
        """Delete retired metrics of which no rollup is left."""
        before = self._retention.rollup_before(now)
        retired = self._store.catalog.retired_ids()
        for at in range(0, len(retired), RETIRED):
            some = retired[at : at + RETIRED]
            with self._store.read() as reader:
                expired = [
                    series
                    for series, last in last_seen(reader, some).items()
                    if last < before
                    and not has_rollups(reader, series)
                    and not has_raw(reader, series, silent=True)
                ]
            if expired:
                self._store.writer.run(functools.partial(delete_ids, ids=expired, now=now))
                self._store.writer.run(self._store.catalog.refresh)
            yield not _LATER
