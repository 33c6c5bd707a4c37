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
Shorts: TypeAlias = npt.NDArray[np.uint16]
Bytes: TypeAlias = npt.NDArray[np.uint8]

VERSION = 7
"""Of the formula and of this layout; a state of another version can't be continued."""

LN10 = float(np.log(10.0))
TINY = 1e-60  # what nothing is divided by
WARMUP = 100
"""Datapoints before the first verdict."""

THRESHOLD = 0.31
"""A score at or above it is an anomaly; ten times the score is -log10 of the chance per minute."""

DAY_S, WEEK_S = 86_400, 604_800
DAY_BINS, WEEK_BINS = 144, 168  # ten minutes; one hour
INPUTS = 5  # of the regression: 1, last value, short mean, time of day, time of week
TRIANGLE = INPUTS * (INPUTS + 1) // 2
PARTS = 5  # forecast, novelty, season, long novelty, unrest
FORECAST, NOVELTY, SEASON, LONG_NOVELTY, UNREST = range(PARTS)
WINDOW = 3  # rows in each of the two means that novelty compares
LONG_WINDOW = 24  # the same of long novelty
RECENT = 2 * WINDOW
RING = 2 * LONG_WINDOW
MEMORIES = 32
SPELLS = 36  # of a day, 40 minutes each, for habits
HABIT_DAYS = 3  # of which the middle is what is usual
CLOSED = 4  # spells that are kept before they become part of the habits
SPACINGS = 8
KEPT_DAYS = 28

VALUE_LIMIT = 1e30
"""Larger values count as this one: the squares of what is built on it stay finite."""

VITALS: dict[str, int] = {
    "origin": 1,  # every value below is relative to it, so that float32 keeps its digits
    "recent": RECENT,  # the last values themselves, newest first
    "slow": 5,  # what moves at the slow rate; its rows have names of their own, see SLOW
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
    "cube": 1,  # mean of the third powers of the forecast's, signed: how skew they are
    "radius": 2,  # a pair of means further than this from all remembered ones is new
    "step": 1,  # mean distance from row to row
    "spacings": SPACINGS,  # the last time differences, newest first, s
    "interval": 1,  # s; 0 while unknown
    "votes": 1,  # spacings' medians that agreed with the interval, less those that did not
    "today": 1,  # day number of the latest row
    "low": 1,  # today's lowest value
    "high": 1,
    "unrest": 1,  # mean error of about five rows
    "far": 1,  # bursts of the forecast's error far beyond its edge, of late
    "ongoing": 1,  # rows since an anomaly began that has not left the season's edge
    "trace": 1,  # mean rarity of the rows before, half of it that of the last one
    "base": 1,  # mean of what the season said in the last half hour or so
    "offset": 1,  # mean distance from it
    "away": 1,  # rows in a row beyond what the regression can see, signed
    "away_mean": 1,
    "stay": 1,  # rows in a row on one side of the season, signed
    "stay_mean": 1,
    "shift": 1,  # by which the season is off for hours, on probation: no part of the profiles yet
    "shifted": 1,  # since when, Unix s
    "lean": 1,  # mean distance of the last hour from what is usual in this hour of the week
    "leaning": 1,  # the most that is usual
    "leant": 1,  # rows in a row that it was more
    "held": 1,  # rows in a row that repeated the value before
    "held_most": 1,
    "held_mean": 1,
    "changes": 1,  # of the value
    "spell": 1,  # number of the latest spell; it and those before it follow, newest first
    "spell_high": CLOSED,
    "spell_low": CLOSED,
    "spell_rows": CLOSED,
    "hour": 1,  # number of the latest hour
    "hour_mean": 1,
    "hour_rows": 1,
    "climb": 1,  # hours in a row that the mean rose (fell: negative)
    "climb_from": 1,  # mean of the hour before the first of them
    "climb_most": 1,  # the largest step from one of them to the next
    "climb_told": 1,  # whether it has been told that it will hit
    "last_hour": 1,  # mean of the hour before
    "range_low": 1,  # of the hours' means before the climb
    "range_high": 1,
    "least": 1,  # value ever
    "most": 1,
    "record_low": 1,  # value so far that was no anomaly, and highest: see `records`
    "record_high": 1,
    "record_run": 1,  # rows in a row clearly beyond them, signed
    "record_moves": 1,  # how many of these were another value than the one before
    "record_peak": 1,  # of these the farthest
    "skipped": 1,  # rows that were forgotten when the metric turned out to be a counter, or not
    "counter": 1,  # 1 if its rate is analysed
    "total": 1,  # last value of a counter as it came
    "rises": 1,  # rows that were more than the one before, less those that were less
    "falls": 1,
    "gap": 1,  # longest spacing that is usual, s
    "strays": 1,  # share of spacings that do not agree with the interval
    "long_now": 1,  # sum of the last LONG_WINDOW rows, relative to the origin
    "long_before": 1,  # of those before them
}

ARRAYS: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
    "counts": ((), np.int64),
    "marks": ((), np.int64),
    "firsts": ((), np.int64),
    "vitals": ((sum(VITALS.values()),), np.float64),
    "day": ((DAY_BINS, 2), np.float32),  # value, error of the forecast
    "day_rows": ((DAY_BINS,), np.uint16),  # that each bin has had
    "week": ((WEEK_BINS,), np.float32),
    "week_rows": ((WEEK_BINS,), np.uint16),
    "pairs": ((2, 2, MEMORIES), np.float32),  # per novelty: mean of the last rows, of those before
    "used": ((2, MEMORIES), np.int32),  # row number (from 1) at which each was last met; 0: empty
    "hits": ((2, MEMORIES), np.uint8),
    "ring": ((RING,), np.float32),  # the last values, relative to the origin
    "habits": ((SPELLS, 2 * HABIT_DAYS), np.float32),  # highest of the last days, lowest
    "habit_days": ((SPELLS,), np.uint8),
    "days": ((KEPT_DAYS, 3), np.float32),  # day number, lowest, highest
}

FINGERPRINT = zlib.crc32(repr((VERSION, VITALS, sorted(ARRAYS.items(), key=str))).encode())
"""Tells a state of another layout apart even where somebody forgot to raise VERSION."""


SLOW = (
    "level",  # mean
    "spread",  # mean distance from the level
    "error",  # mean error of the forecast
    "season_error",  # mean error of the day profile
    "week_error",  # mean error of the week profile
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
    cube: Floats
    radius: Floats
    step: Floats
    spacings: Floats
    interval: Floats
    votes: Floats
    today: Floats
    low: Floats
    high: Floats
    unrest: Floats
    far: Floats
    ongoing: Floats
    trace: Floats
    base: Floats
    offset: Floats
    away: Floats
    away_mean: Floats
    stay: Floats
    stay_mean: Floats
    shift: Floats
    shifted: Floats
    lean: Floats
    leaning: Floats
    leant: Floats
    held: Floats
    held_most: Floats
    held_mean: Floats
    changes: Floats
    spell: Floats
    spell_high: Floats
    spell_low: Floats
    spell_rows: Floats
    hour: Floats
    hour_mean: Floats
    hour_rows: Floats
    climb: Floats
    climb_from: Floats
    climb_most: Floats
    climb_told: Floats
    last_hour: Floats
    range_low: Floats
    range_high: Floats
    least: Floats
    most: Floats
    record_low: Floats
    record_high: Floats
    record_run: Floats
    record_moves: Floats
    record_peak: Floats
    skipped: Floats
    counter: Floats
    total: Floats
    rises: Floats
    falls: Floats
    gap: Floats
    strays: Floats
    long_now: Floats
    long_before: Floats
    level: Floats
    spread: Floats
    error: Floats
    season_error: Floats
    week_error: Floats

    def __init__(self, block: Floats) -> None:
        at = 0
        for name, width in VITALS.items():
            setattr(self, name, block[at] if width == 1 else block[at : at + width])
            at += width
        for row, name in enumerate(SLOW):
            setattr(self, name, self.slow[row])
