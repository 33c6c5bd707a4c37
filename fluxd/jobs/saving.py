"""What the daemon keeps in memory, written down: detector state, bands, summaries, ledgers."""

import functools
import time
from collections import deque
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fluxd.core.detect import VERSION, WARMUP
from fluxd.core.states import STATES
from fluxd.jobs.analysis import Analysis
from fluxd.store import Store
from fluxd.store import bands as stored_bands
from fluxd.store.connection import Connection
from fluxd.store.ingestion_tests import write_ingestion_tests
from fluxd.store.keys import write_seen
from fluxd.store.metrics import summary_of, write_summaries
from fluxd.store.places import open_hour
from fluxd.store.rejections import write_rejections
from fluxd.store.states import (
    SLICE,
    SavedState,
    finish_round,
    pack_state,
    states_seq,
    write_state,
)
from fluxd.store.stops import write_arrival_times

# State costs this much of the disk's writing per datapoint; what is not saved is replayed after a
# crash, an hour at the most.
BYTES_PER_DATAPOINT = 64

# An hour's table can be sealed once a round has begun after the last commit to it: this much later
# than the hour is closed for the table, so that clocks and analysis are sure to be past it.
AFTER_CLOSE_S = 15

# A call begins no further slice after so long; one takes 40 to 50 ms. 100,000 metrics are 391
# slices: a round takes a minute and a half and a fifth of a core.
BUDGET_S = 0.04

BAND_S = 14 * 86_400

# Summaries are renewed this often, and so many of them: 10 bytes of writing per datapoint.
SWEEP_S = 30
ROWS_PER_DATAPOINT = 0.1
LEAST_ROWS = 30
SUMMARY_BATCH = 2_000

Ints = npt.NDArray[np.int64]


class StateSaver:
    """Saves detector state and bands slice by slice, in rounds.

    A round begins when the datapoints since the last one are worth its bytes, and once an hour when
    the hour's table is closed. When it ends, every slice is known to reflect all commits up to the
    round's beginning, `saved_seq`.

    A slice's bands are written in the transaction of its state, so that a replay makes again
    exactly those that are not stored.
    """

    def __init__(
        self,
        store: Store,
        analysis: Analysis,
        *,
        band_s: int = BAND_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._analysis = analysis
        self._band_s = band_s
        self._clock = clock
        self._waiting: deque[int] = deque()
        self._round_seq: int | None = None
        self._open_hour: int | None = None
        self._wanted_seq = 0
        with store.read() as reader:
            self.saved_seq = states_seq(reader, VERSION)

    def save(self, now: int) -> bool:
        """Save some slices, if a round is on or due, or where their bands need too much memory.

        Returns whether a round is on: sealing waits for its end.
        """
        analysis = self._analysis
        analysis.knowledge.bands.since = now - self._band_s
        if not analysis.settled:
            return False
        end = self._clock() + BUDGET_S
        self._relieve(now, end)
        if self._round_seq is None:
            if not self._due(now):
                return False
            self._begin()
        while self._waiting and self._clock() < end:
            self._save_next(now)
        if not self._waiting:
            self._finish()
        return self._round_seq is not None

    def save_all(self, now: int, more: Callable[[], bool]) -> None:
        """Save every slice that has changed, while `more()` says that there is time."""
        if not self._analysis.settled:
            return
        self._begin()
        while self._waiting:
            if not more():
                return
            self._save_next(now)
        self._finish()

    def save_slice(
        self, index: int, now: int, also: Callable[[Connection], None] | None = None
    ) -> None:
        """Save one slice now, and what `also` writes in the same transaction.

        All that was analysed must be settled. Raises what `also` or the writer raises; the slice
        counts as changed then.
        """
        analysis = self._analysis
        start = index * SLICE
        stop = min(start + SLICE, len(analysis.knowledge.bank))
        body = analysis.knowledge.dump(start, stop)
        state = SavedState(index, analysis.analysed_seq, VERSION, body)
        packed = pack_state(body)
        taken = analysis.knowledge.bands.take(start, stop)
        rows = stored_bands.pack(taken.bands())
        arrivals = analysis.knowledge.arrivals.dump(start, stop)

        def write(connection: Connection) -> None:
            write_state(connection, state, now=now, packed=packed)
            stored_bands.write_bands(connection, rows, now=now)
            write_arrival_times(connection, index, arrivals)
            if also is not None:
                also(connection)

        analysis.dirty[index] = False
        try:
            self._store.writer.run(write)
        except BaseException:
            analysis.dirty[index] = True
            raise
        analysis.knowledge.bands.drop(taken)

    def _relieve(self, now: int, end: float) -> None:
        """Save slices whose bands alone are worth their state's bytes, the fullest first."""
        worth = self._slice_bytes // BYTES_PER_DATAPOINT
        for slot in self._analysis.knowledge.bands.full(worth):
            if self._clock() >= end:
                return
            self.save_slice(slot // SLICE, now)

    @property
    def _slice_bytes(self) -> int:
        return SLICE * self._analysis.knowledge.bank.bytes_per_metric

    def _due(self, now: int) -> bool:
        analysis = self._analysis
        hour = open_hour(now - AFTER_CLOSE_S)
        if hour != self._open_hour:
            self._open_hour, self._wanted_seq = hour, self._store.writer.last_seq
        if self.saved_seq < self._wanted_seq <= analysis.analysed_seq:
            return True
        cost = int(analysis.dirty.sum()) * self._slice_bytes
        worth = analysis.unsaved_rows * BYTES_PER_DATAPOINT
        return 0 < cost <= worth

    def _begin(self) -> None:
        # Ascending: so the bands of an hour are appended in the order of their table.
        self._waiting = deque(np.flatnonzero(self._analysis.dirty).tolist())
        self._round_seq = self._analysis.analysed_seq
        self._analysis.unsaved_rows = 0

    def _save_next(self, now: int) -> None:
        if self._analysis.dirty[self._waiting[0]]:  # or it was saved meanwhile
            self.save_slice(self._waiting[0], now)
        self._waiting.popleft()

    def _finish(self) -> None:
        seq = self._round_seq or 0
        self._store.writer.run(lambda connection: finish_round(connection, seq, VERSION))
        self.saved_seq = seq
        self._round_seq = None


class SummarySaver:
    """Keeps the table behind the view `metrics` up to date, at a bounded cost of writing.

    A metric's first summary, and those that say that it is analysed now, or stale or no more, are
    written at once; others in sweeps, for neighbours share pages and a page is written whole.
    100,000 metrics once a minute are renewed every ten minutes, a few hundred within one.
    """

    def __init__(self, store: Store, analysis: Analysis) -> None:
        self._store = store
        self._analysis = analysis
        self._written: Ints = np.zeros(0, np.int64)
        self._states: npt.NDArray[np.int8] = np.zeros(0, np.int8)  # places in STATES, as written
        self._were_stale: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._swept_at: int | None = None
        self._swept_count = 0
        self._next = 0

    def save(self, now: int) -> None:
        """Write some of the summaries of metrics whose count has changed."""
        counts = self._counts()
        news = (counts > 0) & (
            (self._written == 0)
            | ((self._written < WARMUP) & (counts >= WARMUP))
            | (self._were_stale != self._stale())
        )
        self._write(np.flatnonzero(news)[:SUMMARY_BATCH], counts, now)
        if self._swept_at is None or not 0 <= now - self._swept_at < SWEEP_S:
            self._sweep(counts, now)

    def save_all(self, now: int, more: Callable[[], bool]) -> None:
        """Write those of all metrics that have changed, while `more()` says that there is time."""
        self._swept_at = None
        self.save(now)
        while more() and (self._written != self._counts()).any():
            self._sweep(self._counts(), now)

    def _counts(self) -> Ints:
        """Return how many datapoints each metric has had, and make room to note that."""
        knowledge = self._analysis.knowledge
        counts = knowledge.bank.counts + knowledge.tally.late[: len(knowledge.bank)]
        missing = len(counts) - len(self._written)
        if missing > 0:
            self._written = np.concatenate([self._written, np.zeros(missing, np.int64)])
            self._states = np.concatenate([self._states, np.zeros(missing, np.int8)])
            self._were_stale = np.concatenate([self._were_stale, np.zeros(missing, np.bool_)])
        return counts

    def _stale(self) -> npt.NDArray[np.bool_]:
        """Return which metrics are silent for too long, as far as that was noticed."""
        return self._analysis.knowledge.arrivals.stale[: len(self._written)]

    def states(self) -> dict[str, int]:
        """Return how many metrics are in each state, as the view `metrics` has it."""
        written, states = self._written, self._states
        live = self._store.catalog.live_among(np.arange(len(states)))
        counts = np.bincount(states[live & (written[: len(states)] > 0)], minlength=len(STATES))
        found = dict(zip(STATES, counts.tolist(), strict=True))
        return found | {"retired": len(self._store.catalog.retired_ids())}

    def _sweep(self, counts: Ints, now: int) -> None:
        """Go on where the last sweep ended, so that busy metrics in front starve no others."""
        total = int(counts.sum())
        rows = int(ROWS_PER_DATAPOINT * max(0, total - self._swept_count)) + LEAST_ROWS
        changed = np.flatnonzero(counts != self._written)
        changed = np.roll(changed, -int(np.searchsorted(changed, self._next)))[:rows]
        self._write(changed, counts, now)
        self._swept_at, self._swept_count = now, total
        if len(changed):
            self._next = int(changed[-1]) + 1

    def _write(self, slots: Ints, counts: Ints, now: int) -> None:
        if not len(slots):
            return
        knowledge = self._analysis.knowledge
        # The row of a retired one stands as it was written then; of a deleted one there is none.
        summaries = [
            summary_of(slot, knowledge.status(slot, now))
            for slot in slots.tolist()
            if self._store.catalog.is_live(slot)
        ]
        self._store.writer.run(functools.partial(write_summaries, summaries=summaries))
        self._written[slots] = counts[slots]
        self._were_stale[slots] = self._stale()[slots]
        for summary in summaries:
            self._states[summary.series] = STATES.index(summary.state)


def save_ledgers(store: Store, now: int) -> None:
    """Write the rejection ledger, the ingestion tests and keys' last uses, if they have changed."""
    seen = store.keys.take_seen()
    if seen:
        store.writer.run(lambda connection: write_seen(connection, seen))
    rejections = store.rejections.take_changes()
    if rejections is not None:
        try:
            store.writer.run(lambda connection: write_rejections(connection, rejections))
        except BaseException:
            store.rejections.mark_changed()
            raise
    changes = store.ingestion_tests.take_changes(now)
    if changes is not None:
        tests, rewrite = changes
        try:
            store.writer.run(
                lambda connection: write_ingestion_tests(
                    connection, tests, now=now, rewrite=rewrite
                )
            )
        except BaseException:
            store.ingestion_tests.mark_changed()
            raise
