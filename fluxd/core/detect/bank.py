"""The detector: the state of all metrics, advanced row by row, vectorised over the metrics.

Two questions are asked of every datapoint. How far is it from the value expected here and now
(`forecast`), and has this metric ever looked like this (`novelty`)? Each answer is a distance, and
each distance becomes a chance by the metric's own history of such distances (`tail`), so that one
threshold serves every metric. The score is a mean of the two rarities (`desk`).

Metrics never mix and every operation is elementwise, so a verdict is bit for bit the same alone,
among thousands, and however the rows are cut into calls.
"""

import numpy as np
import numpy.typing as npt

from fluxd.core.detect import nature, rounds
from fluxd.core.detect.desk import Desk
from fluxd.core.detect.layout import THRESHOLD, VALUE_LIMIT, Ints, Vitals
from fluxd.core.detect.localtime import UTC, LocalTime
from fluxd.core.detect.state import State
from fluxd.core.detect.verdicts import Traits, Verdicts


class Bank:
    """Streaming detector of any number of metrics; a metric is known by its slot, from 0 on.

    >>> bank = Bank()
    >>> bank.grow(1)
    >>> times = 60 * np.arange(1, 1001)
    >>> values = np.sin(times) + 10.0
    >>> values[900] = 30.0
    >>> verdicts = bank.advance(np.zeros(1000, np.int64), times, values)
    >>> int((verdicts.score >= bank.threshold).argmax())
    900
    """

    bytes_per_metric = State.bytes_per_metric

    def __init__(self, threshold: float = THRESHOLD, local: LocalTime = UTC) -> None:
        """Take the score from which on a row is remarked, and the clock of daily patterns."""
        self._state = State()
        self._desk = Desk(self._state, threshold, local)
        self.threshold = threshold
        self.local = local

    def __len__(self) -> int:
        return self._state.size

    @property
    def counts(self) -> Ints:
        """Datapoints analysed, per slot."""
        return self._state.counts[: len(self)]

    @property
    def marks(self) -> Ints:
        """Last timestamp analysed, per slot; 0 = none."""
        return self._state.marks[: len(self)]

    @property
    def firsts(self) -> Ints:
        """First timestamp analysed, per slot; 0 = none."""
        return self._state.firsts[: len(self)]

    def interval(self, slot: int) -> float | None:
        """Return one metric's usual spacing in seconds, None while unknown."""
        interval = float(Vitals(self._state.vitals[slot : slot + 1].T).interval[0])
        return interval if interval > 0.0 else None

    def last(self, slot: int) -> float:
        """Return the last value of one metric, of a counter its total."""
        return float(Vitals(self._state.vitals[slot : slot + 1].T).total[0])

    def traits(self, slot: int) -> Traits:
        """Return what is known of one metric's nature."""
        state = self._state
        vitals = Vitals(state.vitals[slot : slot + 1].T.copy())
        known = int(state.counts[slot]), int(state.firsts[slot]), int(state.marks[slot])
        return nature.traits(vitals, *known)

    def grow(self, count: int) -> None:
        """Make slots 0 to count - 1 exist; never shrinks."""
        self._state.grow(count)

    def dump(self, start: int, stop: int) -> bytes:
        """Return the state of slots start to stop - 1, exactly."""
        return self._state.dump(start, stop)

    def load(self, start: int, blob: bytes) -> None:
        """Take back what `dump` gave; ValueError for another version's or a damaged one."""
        self._state.load(start, blob)

    def forget(self, slots: Ints) -> None:
        """Make slots as if they had never had a row."""
        self._state.forget(slots)

    def advance(
        self, slots: npt.ArrayLike, timestamps: npt.ArrayLike, values: npt.ArrayLike
    ) -> Verdicts:
        """Analyse rows in the given order, any number per slot.

        `slots` and `timestamps` are int64, `values` finite float64, all of shape (n,). A row at or
        before its slot's last analysed timestamp changes nothing.
        """
        slot = np.ascontiguousarray(slots, np.int64)
        at = np.ascontiguousarray(timestamps, np.int64)
        value = np.ascontiguousarray(values, np.float64)
        value = np.minimum(np.maximum(value, -VALUE_LIMIT), VALUE_LIMIT)
        state, verdicts = self._state, Verdicts.blank(slot.size)
        rows = rounds.advancing(slot, at, state.marks[slot], state.counts[slot] == 0)
        verdicts.analysed[rows] = True
        with np.errstate(under="ignore"):  # what is too small to matter may become 0
            for block in rounds.blocks(slot, rows):
                self._desk.work(block, at, value, verdicts)
        return verdicts
