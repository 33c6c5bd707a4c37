"""Cutting a pile of rows into rounds: in one round every metric has at most one row."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fluxd.core.detect.layout import Bools, Floats, Ints

BLOCK = 1500  # metrics advanced together; their numbers stay in a core's cache


@dataclass(slots=True)
class Rows:
    """One row each of several metrics, and how many each metric has had before.

    `counts` leaves out the rows that a metric forgot when it turned out to be a counter; `seen` is
    all of them, which the warm-up goes by.
    """

    slots: Ints
    timestamps: Ints
    local: Ints  # the timestamps on the clock that daily patterns follow
    values: Floats
    counts: Ints
    seen: Ints
    n: Floats  # the counts again, for arithmetic
    youngest: int  # the least of the counts
    oldest: int  # the most rows seen


@dataclass(slots=True)
class Block:
    """Some metrics and their rows, those with most rows first.

    Round r has a row of the first `sizes[sizes > r].size` of them: row `order[starts + r]`.
    """

    slots: Ints
    starts: Ints
    sizes: Ints
    order: Ints

    def rounds(self) -> Iterator[Ints]:
        """Give for each round the indices of its rows; they belong to the first metrics."""
        width = self.slots.size
        for r in range(int(self.sizes[0])):
            while self.sizes[width - 1] <= r:
                width -= 1
            yield self.order[self.starts[:width] + r]


def blocks(slots: Ints, rows: Ints) -> Iterator[Block]:
    """Group `rows` (indices into `slots`, in the order of analysis) by slot."""
    if not rows.size:
        return
    order = rows[np.argsort(slots[rows], kind="stable")]
    starts, sizes = _groups(slots[order])
    most_first = np.argsort(-sizes, kind="stable")
    starts, sizes = starts[most_first], sizes[most_first]
    for at in range(0, starts.size, BLOCK):
        part = slice(at, at + BLOCK)
        yield Block(slots[order[starts[part]]], starts[part], sizes[part], order)


def _groups(ordered: Ints) -> tuple[Ints, Ints]:
    """Return start and length of each run of equal numbers."""
    starts = (np.concatenate(([True], ordered[1:] != ordered[:-1]))).nonzero()[0]
    return starts, np.diff(np.append(starts, ordered.size))


def advancing(slots: Ints, timestamps: Ints, marks: Ints, fresh: Bools) -> Ints:
    """Return the rows that are later than their slot's mark and than its rows before them.

    `marks` and `fresh` (no mark yet) have one entry per row.
    """
    rows = (fresh | (timestamps > marks)).nonzero()[0]
    order = rows[np.argsort(slots[rows], kind="stable")]
    same = slots[order[1:]] == slots[order[:-1]]
    if not (same & (timestamps[order[1:]] <= timestamps[order[:-1]])).any():
        return rows
    # Rank of the time within all; the running maximum within the slot is its latest row so far.
    rank = np.unique(timestamps[order], return_inverse=True)[1]
    group = np.concatenate(([0], np.cumsum(~same)))
    key = group * (int(rank.max()) + 1) + rank
    latest = np.maximum.accumulate(key)
    kept = np.concatenate(([True], key[1:] > latest[:-1]))
    return np.sort(order[kept])
