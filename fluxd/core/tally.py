"""How many datapoints each series has, counting those that came too late to be analysed."""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


class Tally:
    """Per slot: late datapoints that were stored, and the first timestamp of any (0: none yet).

    The detector counts what it analyses; together they are what the store holds.
    """

    def __init__(self) -> None:
        self.late: Ints = np.zeros(0, np.int64)
        self.first: Ints = np.zeros(0, np.int64)

    def grow(self, count: int) -> None:
        """Make slots [0, count) exist."""
        if count > len(self.late):
            size = max(count, 2 * len(self.late))
            self.late = np.concatenate([self.late, np.zeros(size - len(self.late), np.int64)])
            self.first = np.concatenate([self.first, np.zeros(size - len(self.first), np.int64)])

    def add(self, slots: Ints, timestamps: Ints, *, late: bool) -> None:
        """Count stored datapoints; any number per slot."""
        if late:
            np.add.at(self.late, slots, 1)
        some, at = np.unique(slots, return_inverse=True)
        lowest = np.full(len(some), np.iinfo(np.int64).max)
        np.minimum.at(lowest, at, timestamps)
        known = self.first[some]
        # At once, for others read it meanwhile.
        self.first[some] = np.where(known == 0, lowest, np.minimum(known, lowest))

    def forget(self, slots: Ints) -> None:
        """Make slots as if nothing had been stored of them."""
        self.late[slots] = 0
        self.first[slots] = 0

    def dump(self, start: int, stop: int) -> bytes:
        """Return the state of slots [start, stop)."""
        return self.late[start:stop].tobytes() + self.first[start:stop].tobytes()

    def load(self, start: int, body: bytes) -> None:
        """Take back what `dump` returned."""
        late, first = np.frombuffer(body, np.int64).reshape(2, -1)
        self.grow(start + len(late))
        self.late[start : start + len(late)] = late
        self.first[start : start + len(first)] = first
