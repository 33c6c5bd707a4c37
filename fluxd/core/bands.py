"""Expected, lower, upper and score of the latest datapoints, for charts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Two hours of 20,000 metrics at one datapoint a minute; 32 bytes each, so 77 MB when full.
MAX_ROWS = 2_400_000

# Chunks are merged up to this size, so that there are a few dozen of them, however they came.
CHUNK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Band:
    """Aligned arrays of one metric, in the order of analysis."""

    timestamps: Ints
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Rows sorted by slot, within one by their coming; numbers has shape (4, rows)."""

    slots: Ints
    timestamps: Ints
    numbers: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.slots)


class Bands:
    """A bounded store of bands; the oldest give way. One thread adds, any may read.

    Chunks never change and the list of them is replaced as a whole, so readers take no lock.
    Reading a metric costs one binary search a chunk.
    """

    def __init__(self, max_rows: int = MAX_ROWS, *, chunk_rows: int = CHUNK_ROWS) -> None:
        self._chunks: list[_Chunk] = []
        self._max_rows = max_rows
        self._chunk_rows = chunk_rows

    def __len__(self) -> int:
        return sum(map(len, self._chunks))

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
        with np.errstate(over="ignore"):  # beyond float32 a chart shows infinity
            numbers = np.stack([expected, lower, upper, score]).astype(np.float32)
        chunks = [*self._chunks, _sorted(slots, timestamps, numbers)]
        # Merging equals keeps the work per row logarithmic.
        while (
            len(chunks) > 1
            and len(chunks[-2]) <= 2 * len(chunks[-1])
            and len(chunks[-2]) + len(chunks[-1]) <= self._chunk_rows
        ):
            newer, older = chunks.pop(), chunks.pop()
            chunks.append(
                _sorted(
                    np.concatenate([older.slots, newer.slots]),
                    np.concatenate([older.timestamps, newer.timestamps]),
                    np.concatenate([older.numbers, newer.numbers], axis=1),
                )
            )
        rows = sum(map(len, chunks))
        while rows > self._max_rows and len(chunks) > 1:
            rows -= len(chunks.pop(0))
        self._chunks = chunks

    def read(self, slot: int, since: int, until: int) -> Band:
        """Return the bands of a metric's datapoints in [since, until] (s)."""
        times: list[Ints] = [np.empty(0, np.int64)]
        parts: list[npt.NDArray[np.float32]] = [np.empty((4, 0), np.float32)]
        for chunk in self._chunks:
            start, stop = np.searchsorted(chunk.slots, [slot, slot + 1])
            if start < stop:
                times.append(chunk.timestamps[start:stop])
                parts.append(chunk.numbers[:, start:stop])
        timestamps = np.concatenate(times)
        inside = (timestamps >= since) & (timestamps <= until)
        expected, lower, upper, score = np.concatenate(parts, axis=1)[:, inside].astype(np.float64)
        return Band(timestamps[inside], expected, lower, upper, score)


def _sorted(slots: Ints, timestamps: Ints, numbers: npt.NDArray[np.float32]) -> _Chunk:
    order = np.argsort(slots, kind="stable")
    return _Chunk(slots[order], timestamps[order], numbers[:, order])
