"""All that fluxd knows of every series: detector state, open anomalies, counts, latest bands."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from fluxd.core.anomalies import Anomaly, Stretches
from fluxd.core.arrivals import Arrivals
from fluxd.core.bands import Bands
from fluxd.core.budget import BUDGET
from fluxd.core.detect import THRESHOLD, UTC, WARMUP, Bank, LocalTime
from fluxd.core.states import (
    MetricStatus,
    Seen,
    State,
    progress_text,
    ready_in_s,
    state_of,
)
from fluxd.core.tally import Tally

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LENGTHS = struct.Struct("<3q")


class Knowledge:
    """Learns datapoints in the order in which they were committed; one thread, any may read."""

    def __init__(
        self, threshold: float = THRESHOLD, local: LocalTime = UTC, budget: int = BUDGET
    ) -> None:
        """Take the score of an anomaly, the clock of daily patterns, and anomalies per week."""
        self.bank = Bank(threshold, local)
        self.stretches = Stretches(budget)
        self.tally = Tally()
        self.arrivals = Arrivals()
        self.bands = Bands()
        self._moves = 0  # odd while the bank's state is being changed

    @contextmanager
    def _moving(self) -> Iterator[None]:
        self._moves += 1
        try:
            yield
        finally:
            self._moves += 1

    def snapshot(self, slot: int) -> bytes | None:
        """Return one slot's detector state between two datapoints, for any thread.

        None while the analysis is changing some metric's: ask again a few milliseconds later.
        """
        moves = self._moves
        if moves % 2:
            return None
        state = self.bank.dump(slot, slot + 1)
        return state if self._moves == moves else None

    def grow(self, count: int) -> None:
        """Make slots [0, count) exist."""
        self.arrivals.grow(count)  # first: who reads goes by the bank's size
        self.tally.grow(count)
        self.bank.grow(count)

    def learn(
        self, slots: Ints, timestamps: Ints, values: Floats, history: Bools
    ) -> tuple[list[Anomaly], Bools]:
        """Take datapoints in, any number per slot, in order.

        Returns the anomalies that began or changed, and which datapoints were analysed. The others
        came too late: they are not newer than what was analysed of their metric before. Count
        those that are no overwrites with `count_late`.
        """
        if len(slots) == 0:
            return [], np.zeros(0, np.bool_)
        self.grow(int(slots.max()) + 1)
        with self._moving():
            verdicts = self.bank.advance(slots, timestamps, values)
        changed = self.stretches.follow(self.bank, slots, timestamps, values, history, verdicts)
        done = verdicts.analysed
        self.tally.add(slots[done], timestamps[done], late=False)
        known = done & np.isfinite(verdicts.expected)
        if known.any():
            self.bands.add(
                slots[known],
                timestamps[known],
                verdicts.expected[known],
                verdicts.lower[known],
                verdicts.upper[known],
                verdicts.score[known],
            )
        return changed, done

    def count_late(self, slots: Ints, timestamps: Ints) -> None:
        """Count datapoints that were stored too late to be analysed."""
        self.tally.add(slots, timestamps, late=True)

    def status(self, slot: int, now: int) -> MetricStatus:
        """Describe a metric; a slot never seen has no datapoints."""
        if slot >= len(self.bank):
            return MetricStatus(None, 0, None, None, "learning", None, f"0/{WARMUP} datapoints")
        traits, seen = self.bank.traits(slot), self.seen(slot, now)
        state = state_of(traits, seen)
        return MetricStatus(
            traits.interval,
            seen.analysed + int(self.tally.late[slot]),
            int(self.tally.first[slot]) or None,
            seen.last,
            state,
            ready_in_s(traits, seen, now) if state == "learning" else None,
            progress_text(state, traits, seen, now),
        )

    def state(self, slot: int, now: int) -> State:
        """Return what state a metric is in, as `status` says."""
        if slot >= len(self.bank):
            return "learning"
        return state_of(self.bank.traits(slot), self.seen(slot, now))

    def seen(self, slot: int, now: int) -> Seen:
        """Return what was seen of a metric; of one that never came live by its timestamps."""
        last = int(self.bank.marks[slot])
        arrived = int(self.arrivals.arrived[slot])
        came = arrived or last
        return Seen(
            int(self.bank.counts[slot]),
            last or None,
            float(self.arrivals.listening.heard_of(came, now)),
            float(self.arrivals.usual[slot]),
            float(arrived - int(self.arrivals.since[slot])),
        )

    def expect_rebuild(self, slots: Ints, datapoints: Ints, firsts: Ints, lasts: Ints) -> None:
        """Note what is known of metrics whose state can't be continued, until they are learnt anew.

        How many datapoints each has, the first and the last timestamp (s); aligned arrays.
        """
        self.tally.late[slots] = datapoints
        self.tally.first[slots] = firsts
        self.bank.marks[slots] = lasts

    def rebuild(self, slot: int, state: bytes, *, added: int, first: int) -> None:
        """Put another bank's state of one slot (as it dumped it) in place of this slot's.

        `added` datapoints were stored beside those counted so far, the first of all at `first` (s).
        An anomaly that is open goes on.
        """
        total = int(self.bank.counts[slot]) + int(self.tally.late[slot]) + added
        with self._moving():
            self.bank.load(slot, state)
        # What is counted and was not learnt: it came too late, or is not stored any more. A count
        # from before a crash may be too low.
        self.tally.late[slot] = max(0, total - int(self.bank.counts[slot]))
        earlier = int(self.tally.first[slot])
        self.tally.first[slot] = min(earlier, first) if earlier else first

    def retire(self, slot: int) -> Anomaly | None:
        """Forget all but how many datapoints a slot had; return its anomaly, if it was open."""
        self.tally.late[slot] += self.bank.counts[slot]
        with self._moving():
            self.bank.forget(np.array([slot]))
        self.arrivals.forget(np.array([slot]))
        return self.stretches.forget(slot)

    def forget(self, slots: Ints) -> None:
        """Make slots as if they had never been."""
        with self._moving():
            self.bank.forget(slots)
        self.tally.forget(slots)
        self.arrivals.forget(slots)
        self.bands.forget(slots)
        for slot in slots.tolist():
            self.stretches.forget(slot)

    def dump(self, start: int, stop: int) -> bytes:
        """Return the state of slots [start, stop), bands and arrivals apart."""
        parts = [
            self.bank.dump(start, stop),
            self.stretches.dump(start, stop),
            self.tally.dump(start, stop),
        ]
        return _LENGTHS.pack(*map(len, parts)) + b"".join(parts)

    def load(self, start: int, body: bytes) -> None:
        """Take back what `dump` returned. Raises ValueError for another version's."""
        if len(body) < _LENGTHS.size:
            raise ValueError("saved state is too short")
        at = _LENGTHS.size
        parts = []
        for length in _LENGTHS.unpack_from(body):
            parts.append(body[at : at + length])
            at += length
        with self._moving():
            self.bank.load(start, parts[0])
        self.arrivals.grow(len(self.bank))
        self.stretches.load(start, parts[1])
        self.tally.load(start, parts[2])
