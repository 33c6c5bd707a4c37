"""All that fluxd knows of every series: detector state, open anomalies, counts, latest bands."""

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluxd.core.anomalies import Anomaly, Stretches
from fluxd.core.bands import Bands
from fluxd.core.detect import WARMUP, Bank
from fluxd.core.tally import Tally

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_LENGTHS = struct.Struct("<3q")


@dataclass(frozen=True, slots=True)
class MetricStatus:
    """What is known of one metric; times in Unix seconds, None where not known yet.

    `ready_in` is the number of seconds until the first verdict may be expected (None: there is one
    already, or too little is known), `progress` the same as a sentence.
    """

    interval: float | None
    datapoints: int
    first: int | None
    last: int | None
    state: str
    ready_in: int | None
    progress: str


class Knowledge:
    """Learns datapoints in the order in which they were committed; one thread, any may read."""

    def __init__(self) -> None:
        self.bank = Bank()
        self.stretches = Stretches()
        self.tally = Tally()
        self.bands = Bands()

    def grow(self, count: int) -> None:
        """Make slots [0, count) exist."""
        self.bank.grow(count)
        self.tally.grow(count)

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
            return MetricStatus(None, 0, None, None, "learning", None, progress_text(0, None, now))
        count = int(self.bank.counts[slot])
        interval = self.bank.interval(slot)
        ready_in = None
        if count < WARMUP and interval is not None:
            # Relative to the last datapoint: the verdict comes with the hundredth.
            due = int(self.bank.marks[slot]) + (WARMUP - count) * interval
            ready_in = max(0, round(due - now))
        return MetricStatus(
            interval,
            count + int(self.tally.late[slot]),
            int(self.tally.first[slot]) or None,
            int(self.bank.marks[slot]) or None,
            "learning" if count < WARMUP else "analysed",
            ready_in,
            progress_text(count, ready_in, now),
        )

    def rebuild(self, slot: int, state: bytes, *, added: int, first: int) -> None:
        """Put another bank's state of one slot (as it dumped it) in place of this slot's.

        `added` datapoints were stored beside those counted so far, the first of all at `first` (s).
        An anomaly that is open goes on.
        """
        total = int(self.bank.counts[slot]) + int(self.tally.late[slot]) + added
        self.bank.load(slot, state)
        # What is counted and was not learnt: it came too late, or is not stored any more.
        self.tally.late[slot] = total - int(self.bank.counts[slot])
        earlier = int(self.tally.first[slot])
        self.tally.first[slot] = min(earlier, first) if earlier else first

    def retire(self, slot: int) -> Anomaly | None:
        """Forget all but how many datapoints a slot had; return its anomaly, if it was open."""
        self.tally.late[slot] += self.bank.counts[slot]
        self.bank.forget(np.array([slot]))
        return self.stretches.end(slot)

    def forget(self, slots: Ints) -> None:
        """Make slots as if they had never been."""
        self.bank.forget(slots)
        self.tally.forget(slots)
        self.bands.forget(slots)
        for slot in slots.tolist():
            self.stretches.end(slot)

    def dump(self, start: int, stop: int) -> bytes:
        """Return the state of slots [start, stop), the bands apart."""
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
        self.bank.load(start, parts[0])
        self.stretches.load(start, parts[1])
        self.tally.load(start, parts[2])


def progress_text(count: int, ready_in: int | None, now: int) -> str:
    """Say how far a metric is.

    >>> progress_text(7, 5580, 1_700_000_000)
    '7/100 datapoints, first verdict about 23:46 UTC'
    """
    if count >= WARMUP:
        return f"{count} datapoints analysed"
    text = f"{count}/{WARMUP} datapoints"
    if ready_in is None:
        return text
    due = now + ready_in
    clock = f"{due // 3600 % 24:02}:{due // 60 % 60:02} UTC"
    if due // 86400 != now // 86400:
        days = due // 86400 - now // 86400
        clock += f" in {days} day{'s' if days > 1 else ''}"
    return f"{text}, first verdict about {clock}"
