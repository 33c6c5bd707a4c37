"""The arrays over all metrics: growing them, saving a range of slots, taking it back."""

import struct

import numpy as np
import numpy.typing as npt

from fluxd.core.detect.layout import (
    ARRAYS,
    FINGERPRINT,
    VERSION,
    Bytes,
    Floats,
    Ints,
    Shorts,
    Singles,
)

MAGIC = b"fluxdet\0"
HEADER = struct.Struct("<8sIIQ")  # magic, version, fingerprint of the layout, number of slots
SMALLEST = 64  # slots


class State:
    """One array per entry of `ARRAYS`, first axis = slot; zeros until the slot's first row.

    Zeros come from untouched pages of the operating system, so slots that never get a row cost
    almost no memory, and doubling costs one copy of what is in use.
    """

    counts: Ints
    marks: Ints
    firsts: Ints
    vitals: Floats
    day: Singles
    day_rows: Shorts
    week: Singles
    week_rows: Shorts
    pairs: Singles
    used: "npt.NDArray[np.int32]"
    hits: Bytes
    ring: Singles
    habits: Singles
    habit_days: Bytes
    days: Singles

    bytes_per_metric = sum(
        int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        for shape, kind in ARRAYS.values()
    )

    def __init__(self) -> None:
        self.size = 0
        self.capacity = 0
        self._allocate(SMALLEST)

    def grow(self, count: int) -> None:
        """Make slots 0 to count - 1 exist; never shrinks."""
        if count > self.capacity:
            self._allocate(max(count, 2 * self.capacity))
        self.size = max(self.size, count)

    def _allocate(self, capacity: int) -> None:
        for name, (shape, kind) in ARRAYS.items():
            larger = np.zeros((capacity, *shape), kind)
            if self.size:
                larger[: self.size] = getattr(self, name)[: self.size]
            setattr(self, name, larger)  # the old one is freed before the next is made
        self.capacity = capacity

    def dump(self, start: int, stop: int) -> bytes:
        """Return the state of slots start to stop - 1, as exact bytes of this machine."""
        if not 0 <= start <= stop <= self.size:
            raise ValueError(f"slots {start} to {stop} of {self.size}")
        parts = [HEADER.pack(MAGIC, VERSION, FINGERPRINT, stop - start)]
        parts += [getattr(self, name)[start:stop].tobytes() for name in ARRAYS]
        return b"".join(parts)

    def load(self, start: int, blob: bytes) -> None:
        """Take back what `dump` gave, at slots from start on.

        Raises ValueError for anything that this version did not write, before changing anything.
        """
        if start < 0 or len(blob) < HEADER.size:
            raise ValueError("not a saved detector state")
        magic, version, fingerprint, count = HEADER.unpack_from(blob)
        if magic != MAGIC:
            raise ValueError("not a saved detector state")
        if (version, fingerprint) != (VERSION, FINGERPRINT):
            raise ValueError(f"detector state of version {version}, this is version {VERSION}")
        if len(blob) != HEADER.size + count * self.bytes_per_metric:
            raise ValueError("saved detector state of a wrong size")
        self.grow(start + count)
        # A blank slot's zeros are not written: its pages stay untouched.
        used = (np.frombuffer(blob, np.int64, count, HEADER.size)).nonzero()[0]
        self.forget(start + (self.counts[start : start + count]).nonzero()[0])
        at = HEADER.size
        for name, (shape, kind) in ARRAYS.items():
            items = count * int(np.prod(shape, dtype=np.int64))
            part = np.frombuffer(blob, kind, items, at)
            getattr(self, name)[start + used] = part.reshape(count, *shape)[used]
            at += part.nbytes

    def forget(self, slots: Ints) -> None:
        """Make slots as if they had never had a row."""
        for name in ARRAYS:
            getattr(self, name)[slots] = 0
