"""Expected, lower, upper and score of the latest datapoints, until they are stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fluxd.core.detect import THRESHOLD

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Rows: TypeAlias = npt.NDArray[np.void]

# The singles on both sides of the threshold.
_NEAREST = np.float32(THRESHOLD)
LEAST_ANOMALOUS = (
    _NEAREST if float(_NEAREST) >= THRESHOLD else np.nextafter(_NEAREST, np.float32(1))
)
MOST_USUAL = np.nextafter(LEAST_ANOMALOUS, np.float32(0))

# 25 bytes. The sides are distances from the expected value: single precision of the limits
# themselves would be coarser than a narrow band around a large number.
ROW = np.dtype(
    [
        ("slot", "u1"),  # within its group
        ("time", "<u4"),  # s, until the year 2106
        ("expected", "<f8"),
        ("below", "<f4"),
        ("above", "<f4"),
        ("score", "<f4"),
    ]
)
LAST_TIME = (1 << 32) - 1

GROUP_BITS = 8
GROUP = 1 << GROUP_BITS  # slots whose rows are kept, stored and forgotten together

# 26 kB: half a leaf per group is empty on average, 50 bytes a slot.
LEAF_ROWS = 1_024

# State is saved, and the rows with it, after 70 datapoints per metric or an hour: 80 rows a slot
# (2 kB) are an hour of one datapoint a minute and a third. The least is what imports fill in a
# second or two, 50 MB.
ROWS_PER_SLOT = 80
LEAST_ROWS = 2_000_000


@dataclass(frozen=True, slots=True)
class Band:
    """Aligned arrays of one metric."""

    timestamps: Ints
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.timestamps)

    def between(self, since: int, until: int) -> "Band":
        """Return the rows in [since, until] (s)."""
        return self.pick((self.timestamps >= since) & (self.timestamps <= until))

    def latest(self) -> "Band":
        """Return the rows by time, of those of one second the last."""
        return self.pick(_latest(self.timestamps))

    def pick(self, rows: slice | npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> "Band":
        """Return some rows."""
        return Band(
            self.timestamps[rows],
            self.expected[rows],
            self.lower[rows],
            self.upper[rows],
            self.score[rows],
        )


def join(parts: Sequence[Band]) -> Band:
    """Return the rows of all parts, one after another."""
    if not parts:
        none = np.empty(0)
        return Band(np.empty(0, np.int64), none, none, none, none)
    return Band(
        np.concatenate([part.timestamps for part in parts]),
        np.concatenate([part.expected for part in parts]),
        np.concatenate([part.lower for part in parts]),
        np.concatenate([part.upper for part in parts]),
        np.concatenate([part.score for part in parts]),
    )


class _Group:
    """The rows of GROUP slots in the order of their coming.

    They fill one leaf after another, and what is filled never changes: whoever holds `view` (the
    leaves, and how many rows the last one has) may read it while more are added.
    """

    __slots__ = ("rows", "view")

    def __init__(self) -> None:
        self.view: tuple[tuple[Rows, ...], int] = (), 0
        self.rows = 0

    def append(self, rows: Rows, leaf_rows: int) -> None:
        leaves, used = self.view
        at = 0
        while at < len(rows):
            if not leaves or used == len(leaves[-1]):
                leaves, used = (*leaves, np.empty(leaf_rows, ROW)), 0
            part = rows[at : at + len(leaves[-1]) - used]
            leaves[-1][used : used + len(part)] = part
            used += len(part)
            at += len(part)
        self.rows += len(rows)
        self.view = leaves, used

    def read(self) -> tuple[Rows, ...]:
        leaves, used = self.view
        return (*leaves[:-1], leaves[-1][:used]) if leaves else ()

    def close(self) -> tuple[Rows, ...]:
        """Let what comes begin a new leaf; return those that there are."""
        leaves, used = self.view
        if leaves and used < len(leaves[-1]):
            leaves = (*leaves[:-1], leaves[-1][:used].copy())
            self.view = leaves, used
        return leaves

    def replace(self, leaves: tuple[Rows, ...]) -> None:
        """Have other full leaves."""
        leaves = tuple(leaf for leaf in leaves if len(leaf))
        self.rows = sum(map(len, leaves))
        self.view = leaves, len(leaves[-1]) if leaves else 0


@dataclass(frozen=True, slots=True)
class Taken:
    """The rows that slots [start, stop) had at some moment; `leaves` by their group."""

    start: int
    stop: int
    leaves: dict[int, tuple[Rows, ...]]

    def bands(self) -> Iterator[tuple[int, Band]]:
        """Yield each slot that has rows with its band: timestamps ascend and none is twice."""
        for number, leaves in self.leaves.items():
            rows = _rows(leaves)
            slots = rows["slot"].astype(np.int64) + (number << GROUP_BITS)
            order = _latest(slots << 32 | rows["time"])
            order = order[(slots[order] >= self.start) & (slots[order] < self.stop)]
            slots, band = slots[order], _band(rows[order])
            for first, end in _runs(slots):
                yield int(slots[first]), band.pick(slice(first, end))


class Bands:
    """A bounded store of bands. One thread adds, takes and drops, any may read.

    Rows stay until they are dropped, so that a reader who looks here first and then into the store
    misses none. Where there is no room, the oldest of the fullest group give way.
    """

    def __init__(
        self,
        least_rows: int = LEAST_ROWS,
        *,
        rows_per_slot: int = ROWS_PER_SLOT,
        leaf_rows: int = LEAF_ROWS,
    ) -> None:
        self.since = 0  # earlier datapoints are not worth keeping
        self._groups: list[_Group] = []
        self._least_rows = least_rows
        self._rows_per_group = rows_per_slot * GROUP
        self._leaf_rows = leaf_rows
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def add(
        self,
        slots: Ints,
        timestamps: Ints,
        expected: Floats,
        lower: Floats,
        upper: Floats,
        score: Floats,
    ) -> None:
        """Keep the bands of analysed datapoints; arrays of one length.

        Costs 0.1 µs a row and 1.5 µs for each group that has any.
        """
        kept = np.flatnonzero((timestamps >= self.since) & (timestamps <= LAST_TIME))
        if not len(kept):
            return
        kept = kept[np.argsort(slots[kept] >> GROUP_BITS, kind="stable")]
        slots, expected = slots[kept], expected[kept]
        rows = np.empty(len(kept), ROW)
        rows["slot"] = slots & (GROUP - 1)
        rows["time"] = timestamps[kept]
        rows["expected"] = expected
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32 a side is infinite
            rows["below"] = expected - lower[kept]
            rows["above"] = upper[kept] - expected
        rows["score"] = _single(score[kept])
        self._append(slots >> GROUP_BITS, rows)

    def _append(self, numbers: Ints, rows: Rows) -> None:
        """Add rows that are sorted by the number of their group."""
        while len(self._groups) <= numbers[-1]:
            self._groups.append(_Group())
        for start, stop in _runs(numbers):
            self._groups[numbers[start]].append(rows[start:stop], self._leaf_rows)
        self._rows += len(rows)
        room = max(self._least_rows, self._rows_per_group * len(self._groups))
        while self._rows > room:
            self._give_way()

    def _give_way(self) -> None:
        fullest = max(self._groups, key=lambda group: group.rows)
        leaves = fullest.close()
        fullest.replace(leaves[1:])
        self._rows -= len(leaves[0])

    def full(self, rows: int) -> list[int]:
        """Return the first slot of each group that has so many rows, the fullest first."""
        found = [(group.rows, number) for number, group in enumerate(self._groups)]
        return [
            number << GROUP_BITS for held, number in sorted(found, reverse=True) if held >= rows
        ]

    def read(self, slot: int, since: int, until: int) -> Band:
        """Return the bands of a metric's datapoints in [since, until] (s), as they were analysed.

        Looks at every row of the group: 0.3 ms with an hour of one datapoint a minute.
        """
        number = slot >> GROUP_BITS
        leaves = self._groups[number].read() if number < len(self._groups) else ()
        own = [leaf[leaf["slot"] == slot & (GROUP - 1)] for leaf in leaves]
        return _band(_rows(own)).between(since, until)

    def take(self, start: int, stop: int) -> Taken:
        """Return the rows of slots [start, stop); they stay until `drop`."""
        numbers = range(start >> GROUP_BITS, -(-stop >> GROUP_BITS))
        groups = self._groups[numbers.start : numbers.stop]
        leaves = [group.close() for group in groups]
        return Taken(start, stop, dict(zip(numbers, leaves, strict=False)))

    def drop(self, taken: Taken) -> None:
        """Forget exactly the rows that were taken."""
        for number, leaves in taken.leaves.items():
            group = self._groups[number]
            before, old = group.rows, set(map(id, leaves))
            base = number << GROUP_BITS
            group.replace(
                tuple(
                    _outside(leaf, taken.start - base, taken.stop - base)
                    if id(leaf) in old
                    else leaf
                    for leaf in group.close()
                )
            )
            self._rows += group.rows - before

    def forget(self, slots: Ints) -> None:
        """Drop all rows of some slots."""
        for number in np.unique(slots >> GROUP_BITS).tolist():
            if number < len(self._groups):
                group = self._groups[number]
                before, own = group.rows, slots[slots >> GROUP_BITS == number] & (GROUP - 1)
                group.replace(tuple(leaf[~np.isin(leaf["slot"], own)] for leaf in group.close()))
                self._rows += group.rows - before


def _outside(leaf: Rows, start: int, stop: int) -> Rows:
    """Return the rows whose slot within the group is not in [start, stop)."""
    if start <= 0 and stop >= GROUP:
        return leaf[:0]
    return leaf[(leaf["slot"] < start) | (leaf["slot"] >= stop)]


def _latest(keys: Ints) -> npt.NDArray[np.intp]:
    """Return the positions that bring the keys into order, of those of one key the last."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    last = np.ones(len(keys), np.bool_)
    last[:-1] = keys[1:] != keys[:-1]
    return np.compress(last, order)


def _runs(keys: Ints) -> Iterator[tuple[int, int]]:
    """Yield the ranges of equal keys that stand side by side."""
    edges = [0, *(np.flatnonzero(np.diff(keys)) + 1).tolist(), len(keys)]
    return pairwise(edges) if len(keys) else iter(())


def _rows(leaves: Iterable[Rows]) -> Rows:
    return np.concatenate([np.empty(0, ROW), *leaves])


def _single(score: Floats) -> npt.NDArray[np.float32]:
    """Return scores in single precision, each on its side of the threshold."""
    return np.where(
        score >= THRESHOLD,
        np.maximum(score.astype(np.float32), LEAST_ANOMALOUS),
        np.minimum(score.astype(np.float32), MOST_USUAL),
    )


def _band(rows: Rows) -> Band:
    expected = rows["expected"].astype(np.float64)
    return Band(
        rows["time"].astype(np.int64),
        expected,
        expected - rows["below"],
        expected + rows["above"],
        rows["score"].astype(np.float64),
    )
