"""Expected, lower, upper and score of the latest datapoints, for charts."""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Two hours of 20,000 metrics at one datapoint a minute; 24 bytes each, so 58 MB when full.
MAX_ROWS = 2_400_000


@dataclass(frozen=True, slots=True)
class Band:
    """Aligned arrays of one metric, in the order of analysis."""

    timestamps: Ints
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats


class Bands:
    """A bounded store of bands; the oldest give way. One thread adds, any may read.

    Kept in chunks as they were analysed, each sorted by slot, so that reading a metric costs one
    binary search a chunk.
    """

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._lock = threading.Lock()
        self._chunks: deque[tuple[Ints, Ints, npt.NDArray[np.float32]]] = deque()
        self._rows = 0
        self._max_rows = max_rows

    def add(
        self,
        slots: Ints,
        timestamps: Ints,
        expected: Floats,
        lower: Floats,
        upper: Floats,
        score: Floats,
    ) -> None:
        """Keep the bands of analysed datapoints; arrays of one length."""
        order = np.argsort(slots, kind="stable")
        with np.errstate(over="ignore"):  # beyond float32 a chart shows infinity
            numbers = np.stack([expected, lower, upper, score]).astype(np.float32)[:, order]
        with self._lock:
            self._chunks.append((slots[order], timestamps[order], numbers))
            self._rows += len(order)
            while self._rows > self._max_rows and len(self._chunks) > 1:
                self._rows -= len(self._chunks.popleft()[0])

    def read(self, slot: int, since: int, until: int) -> Band:
        """Return the bands of a metric's datapoints in [since, until] (s)."""
        with self._lock:
            chunks = list(self._chunks)
        parts_t: list[Ints] = [np.empty(0, np.int64)]
        parts: list[npt.NDArray[np.float32]] = [np.empty((4, 0), np.float32)]
        for slots, timestamps, numbers in chunks:
            start, stop = np.searchsorted(slots, [slot, slot + 1])
            if start < stop:
                parts_t.append(timestamps[start:stop])
                parts.append(numbers[:, start:stop])
        times = np.concatenate(parts_t)
        inside = (times >= since) & (times <= until)
        expected, lower, upper, score = np.concatenate(parts, axis=1)[:, inside].astype(np.float64)
        return Band(times[inside], expected, lower, upper, score)
