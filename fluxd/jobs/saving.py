"""What the daemon keeps in memory, written down: detector state, summaries, ledgers."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fluxd.core.detect import VERSION
from fluxd.jobs.analysis import Analysis
from fluxd.store import Store
from fluxd.store.ingestion_tests import write_ingestion_tests
from fluxd.store.metrics import Summary, write_summaries
from fluxd.store.rejections import write_rejections
from fluxd.store.states import SLICE, SavedState, finish_round, write_state

# State costs this much of the disk's writing per datapoint; what is not saved is replayed after a
# crash, an hour at the most.
BYTES_PER_DATAPOINT = 64
ROUND_S = 3600

# Summaries written a second on average: 100,000 metrics are renewed every few minutes.
SUMMARIES_PER_S = 400
SUMMARY_BATCH = 2_000


class StateSaver:
    """Saves detector state slice by slice, in rounds.

    A round begins when the datapoints since the last one are worth its bytes, or after an hour.
    When it ends, every slice is known to reflect all commits up to the round's beginning.
    """

    def __init__(self, store: Store, analysis: Analysis) -> None:
        self._store = store
        self._analysis = analysis
        self._waiting: list[int] = []
        self._round_seq: int | None = None
        self._round_began = -math.inf
        self.saved_seq = 0

    def save(self, now: int) -> None:
        """Save one slice, if a round is on or due."""
        analysis = self._analysis
        if not analysis.settled:
            return
        if self._round_seq is None:
            if math.isinf(self._round_began):
                self._round_began = now
            if not self._due(now):
                return
            self._begin(now)
        if self._waiting:
            self._save_slice(self._waiting.pop(), now)
        if not self._waiting:
            self._finish()

    def save_all(self, now: int, more: Callable[[], bool]) -> None:
        """Save every slice that has changed, while `more()` says that there is time."""
        if not self._analysis.settled:
            return
        self._begin(now)
        while self._waiting:
            if not more():
                return
            self._save_slice(self._waiting.pop(), now)
        self._finish()

    def _due(self, now: int) -> bool:
        analysis = self._analysis
        changed = int(analysis.dirty.sum())
        if not changed:
            return False
        cost = changed * SLICE * analysis.knowledge.bank.bytes_per_metric
        worth = analysis.unsaved_rows * BYTES_PER_DATAPOINT
        return worth >= cost or now - self._round_began >= ROUND_S

    def _begin(self, now: int) -> None:
        self._waiting = np.flatnonzero(self._analysis.dirty).tolist()
        self._round_seq = self._analysis.analysed_seq
        self._round_began = now
        self._analysis.unsaved_rows = 0

    def _finish(self) -> None:
        seq = self._round_seq or 0
        self._store.writer.run(lambda connection: finish_round(connection, seq, VERSION))
        self.saved_seq = seq
        self._round_seq = None

    def _save_slice(self, index: int, now: int) -> None:
        analysis = self._analysis
        start = index * SLICE
        stop = min(start + SLICE, len(analysis.knowledge.bank))
        body = analysis.knowledge.dump(start, stop)
        state = SavedState(index, analysis.analysed_seq, VERSION, body)
        analysis.dirty[index] = False
        try:
            self._store.writer.run(lambda connection: write_state(connection, state, now=now))
        except BaseException:
            analysis.dirty[index] = True
            self._waiting.append(index)
            raise


class SummarySaver:
    """Keeps the table behind the view `metrics` up to date, at a bounded rate of writing."""

    def __init__(self, store: Store, analysis: Analysis) -> None:
        self._store = store
        self._analysis = analysis
        self._written: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._allowed = float(SUMMARY_BATCH)
        self._last_run: int | None = None
        self._at = 0

    def save(self, now: int) -> None:
        """Write the summaries of metrics whose count has changed, as many as the rate allows."""
        self._earn(now)
        knowledge = self._analysis.knowledge
        counts = knowledge.bank.counts + knowledge.tally.late[: len(knowledge.bank)]
        if len(counts) > len(self._written):
            self._written = np.concatenate(
                [self._written, np.zeros(len(counts) - len(self._written), np.int64)]
            )
        changed = np.flatnonzero(counts != self._written)
        # Go round, so that busy metrics in front do not starve the others.
        changed = np.roll(changed, -int(np.searchsorted(changed, self._at)))[: int(self._allowed)]
        if not len(changed):
            return
        summaries = []
        for slot in changed.tolist():
            status = knowledge.status(slot, now)
            summaries.append(
                Summary(
                    slot,
                    status.interval,
                    status.datapoints,
                    status.first or 0,
                    status.last or 0,
                    status.state,
                )
            )
        self._store.writer.run(lambda connection: write_summaries(connection, summaries))
        self._written[changed] = counts[changed]
        self._allowed -= len(changed)
        self._at = int(changed[-1]) + 1

    def _earn(self, now: int) -> None:
        if self._last_run is not None:
            earned = max(0, now - self._last_run) * SUMMARIES_PER_S
            self._allowed = min(SUMMARY_BATCH, self._allowed + earned)
        self._last_run = now


def save_ledgers(store: Store, now: int) -> None:
    """Write the rejection ledger and the ingestion tests, if they have changed."""
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
