"""What one metric's state consists of: its arrays, their shapes, and the names of the numbers.

Everything a metric remembers is a fixed number of bytes, so the state of all metrics is a few
arrays whose first axis is the slot. Single numbers live side by side in one float64 row a metric
(`vitals`): one row is one run of memory to fetch, whatever the number of metrics.
"""

import zlib
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Singles: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]

VERSION = 1
"""Of the formula and of this layout; a state of another version can't be continued."""

WARMUP = 100
"""Datapoints before the first verdict."""

THRESHOLD = 0.31
"""A score at or above it is an anomaly; ten times the score is -log10 of the chance per row."""

DAY_S, WEEK_S = 86_400, 604_800
DAY_BINS, WEEK_BINS = 144, 168  # ten minutes; one hour
INPUTS = 5  # of the regression: 1, last value, short mean, time of day, time of week
TRIANGLE = INPUTS * (INPUTS + 1) // 2
PARTS = 2  # forecast, novelty
WINDOW = 3  # rows in each of the two means that novelty compares
RECENT = 2 * WINDOW
MEMORIES = 32
SPACINGS = 8
KEPT_DAYS = 28

VALUE_LIMIT = 1e30
"""Larger values count as this one: the squares of what is built on it stay finite."""

VITALS: dict[str, int] = {
    "origin": 1,  # every value below is relative to it, so that float32 keeps its digits
    "recent": RECENT,  # the last values themselves, newest first
    "slow": 4,  # what moves at the slow rate; its four rows have names of their own, see SLOW
    "short": 1,  # mean of about five rows
    "gram": TRIANGLE,  # normal equations of the regression, upper triangle by rows
    "moment": INPUTS,  # their right-hand side
    "weights": INPUTS,  # their last solution
    "edge": PARTS,  # 97 % quantile of each part's distance
    "tail": PARTS,  # Hill's index beyond it
    "bursts": PARTS,  # how many taught the index (with the prior's)
    "burst_peak": PARTS,
    "burst_start": PARTS,  # row number
    "run": PARTS,  # rows in a row beyond the edge
    "mean": PARTS,  # of each part's distances
    "square": PARTS,  # mean of their squares; with the mean it tells their shape
    "radius": 1,  # a pair of means further than this from all remembered ones is new
    "step": 1,  # mean distance from row to row
    "spacings": SPACINGS,  # the last time differences, newest first, s
    "interval": 1,  # s; 0 while unknown
    "votes": 1,  # spacings' medians that agreed with the interval, less those that did not
    "today": 1,  # day number of the latest row
    "low": 1,  # today's lowest value
    "high": 1,
}

ARRAYS: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
    "counts": ((), np.int64),
    "marks": ((), np.int64),
    "firsts": ((), np.int64),
    "vitals": ((sum(VITALS.values()),), np.float64),
    "day": ((DAY_BINS, 3), np.float32),  # value, error of the forecast, visits
    "week": ((WEEK_BINS, 2), np.float32),  # value, visits
    "pairs": ((2, MEMORIES), np.float32),  # mean of the last WINDOW rows, of those before
    "used": ((MEMORIES,), np.int32),  # row number (from 1) at which each was last met; 0: empty
    "hits": ((MEMORIES,), np.float32),
    "days": ((KEPT_DAYS, 3), np.float32),  # day number, lowest, highest
}

FINGERPRINT = zlib.crc32(repr((VERSION, VITALS, sorted(ARRAYS.items(), key=str))).encode())
"""Tells a state of another layout apart even where somebody forgot to raise VERSION."""


SLOW = (
    "level",  # mean
    "spread",  # mean distance from the level
    "error",  # mean error of the forecast
    "season_error",  # mean error of the day profile
)


class Vitals:
    """The named numbers of several metrics: views into one block of shape (fields, metrics).

    A name of width 1 is a row of shape (metrics,), others have shape (width, metrics). Assign with
    `v.level[:] = …`, which writes the block.
    """

    origin: Floats
    recent: Floats
    slow: Floats
    short: Floats
    level: Floats
    spread: Floats
    error: Floats
    season_error: Floats
    gram: Floats
    moment: Floats
    weights: Floats
    edge: Floats
    tail: Floats
    bursts: Floats
    burst_peak: Floats
    burst_start: Floats
    run: Floats
    mean: Floats
    square: Floats
    radius: Floats
    step: Floats
    spacings: Floats
    interval: Floats
    votes: Floats
    today: Floats
    low: Floats
    high: Floats

    def __init__(self, block: Floats) -> None:
        at = 0
        for name, width in VITALS.items():
            setattr(self, name, block[at] if width == 1 else block[at : at + width])
            at += width
        for row, name in enumerate(SLOW):
            setattr(self, name, self.slow[row])
