"""The detector: the state of all metrics, advanced row by row, vectorised over the metrics.

Two questions are asked of every datapoint. How far is it from the value expected here and now
(`forecast`), and has this metric ever looked like this (`novelty`)? Each answer is a distance, and
each distance becomes a chance by the metric's own history of such distances (`tail`), so that one
threshold serves every metric. The score is a mean of the two rarities.

Metrics never mix and every operation is elementwise, so a verdict is bit for bit the same alone,
among thousands, and however the rows are cut into calls.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fluxd.core.detect import extremes, forecast, novelty, profile, rounds, spacing, tail
from fluxd.core.detect.layout import (
    DAY_S,
    PARTS,
    RECENT,
    THRESHOLD,
    VALUE_LIMIT,
    WARMUP,
    Bools,
    Floats,
    Ints,
    Vitals,
)
from fluxd.core.detect.state import State

WEIGHT = 0.7  # of the forecast part; the rest is novelty's
DOUBT = 0.3  # no claim rarer than DOUBT / rows seen
SCORE_PER_RARITY = 0.1
SLOW_ROWS, SLOW_DAYS = 200.0, 2.0  # memory of level, spread and errors: the longer of the two
ERROR_LIMIT, LEVEL_LIMIT, SHORT_LIMIT = 6.0, 6.0, 50.0  # mean errors (spreads) one row counts for
HERE = 0.3  # share of the time of day in the yardstick of an error
REMARKABLE = 10.0 ** (-THRESHOLD / SCORE_PER_RARITY)  # chance per row
LEAST_CHANCE = 1e-5  # the band is never wider than that of this chance
SAFE = 1e-30


@dataclass(slots=True)
class Remark:
    """What the sentence about one remarkable row needs, as known when it was analysed."""

    forecast_rarity: float  # -log10 of the chance of such an error
    novelty_rarity: float
    interval: float  # s
    datapoints: int  # analysed before it
    since: int  # timestamp of the first of them
    days: list[tuple[int, float, float]]  # day number, lowest, highest; newest first


@dataclass(slots=True)
class Verdicts:
    """One entry per row given: `score` is 0 and the band NaN during the warm-up.

    Rows that were not analysed have NaN throughout. `remarks` has the rows at or over THRESHOLD.
    """

    analysed: Bools
    score: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    remarks: dict[int, Remark] = field(default_factory=dict)

    @classmethod
    def blank(cls, rows: int) -> "Verdicts":
        """Verdicts of rows that were not analysed."""
        nans = np.full((4, rows), np.nan)
        return cls(np.zeros(rows, np.bool_), nans[0], nans[1], nans[2], nans[3])


class Bank:
    """Streaming detector of any number of metrics; a metric is known by its slot, from 0 on.

    >>> bank = Bank()
    >>> bank.grow(1)
    >>> times = 60 * np.arange(1, 301)
    >>> values = np.sin(times) + 10.0
    >>> values[-1] = 30.0
    >>> verdicts = bank.advance(np.zeros(300, np.int64), times, values)
    >>> [int(row) for row in np.flatnonzero(verdicts.score >= THRESHOLD)]
    [299]
    """

    bytes_per_metric = State.bytes_per_metric

    def __init__(self) -> None:
        self._state = State()

    def __len__(self) -> int:
        return self._state.size

    @property
    def counts(self) -> Ints:
        """Datapoints analysed, per slot."""
        return self._state.counts[: len(self)]

    @property
    def marks(self) -> Ints:
        """Last timestamp analysed, per slot; 0 = none."""
        return self._state.marks[: len(self)]

    @property
    def firsts(self) -> Ints:
        """First timestamp analysed, per slot; 0 = none."""
        return self._state.firsts[: len(self)]

    @property
    def intervals(self) -> Floats:
        """Usual spacing in seconds, per slot; NaN while unknown."""
        interval = Vitals(self._state.vitals[: len(self)].T).interval
        return np.where(interval > 0.0, interval, np.nan)

    def grow(self, count: int) -> None:
        """Make slots 0 to count - 1 exist; never shrinks."""
        self._state.grow(count)

    def dump(self, start: int, stop: int) -> bytes:
        """Return the state of slots start to stop - 1, exactly."""
        return self._state.dump(start, stop)

    def load(self, start: int, blob: bytes) -> None:
        """Take back what `dump` gave; ValueError for another version's or a damaged one."""
        self._state.load(start, blob)

    def advance(
        self,
        slots: npt.ArrayLike,
        timestamps: npt.ArrayLike,
        values: npt.ArrayLike,
    ) -> Verdicts:
        """Analyse rows in the given order, any number per slot.

        `slots` and `timestamps` are int64, `values` finite float64, all of shape (n,). A row at or
        before its slot's last analysed timestamp changes nothing.
        """
        slot = np.ascontiguousarray(slots, np.int64)
        at = np.ascontiguousarray(timestamps, np.int64)
        value = np.ascontiguousarray(values, np.float64)
        value = np.minimum(np.maximum(value, -VALUE_LIMIT), VALUE_LIMIT)
        verdicts = Verdicts.blank(slot.size)
        known = self._state.counts[slot] > 0
        rows = rounds.advancing(slot, at, self._state.marks[slot], ~known)
        verdicts.analysed[rows] = True
        with np.errstate(under="ignore"):  # what is too small to matter may become 0
            for block in rounds.blocks(slot, rows):
                _Desk(self._state, block, verdicts).work(at, value)
        return verdicts


class _Desk:
    """The state of one block's metrics, fetched once, advanced by its rounds, put back."""

    def __init__(self, state: State, block: rounds.Block, verdicts: Verdicts) -> None:
        self._state, self._block, self._verdicts = state, block, verdicts
        slots = block.slots
        self._counts = state.counts[slots]
        self._marks = state.marks[slots]
        self._pairs = state.pairs[slots]
        fetched = state.vitals[slots]
        # An odd stride: columns a power of two apart would share few lines of the cache.
        self._vitals = np.empty((fetched.shape[1], slots.size | 1))[:, : slots.size]
        np.copyto(self._vitals, fetched.T)

    def work(self, timestamps: Ints, values: Floats) -> None:
        """Advance every metric of the block by its rows."""
        width, v = 0, Vitals(self._vitals)
        for rows in self._block.rounds():
            if rows.size != width:
                width = rows.size
                v = Vitals(self._vitals[:, :width])
            self._advance(v, rows, timestamps[rows], values[rows])
        slots, state = self._block.slots, self._state
        state.counts[slots] = self._counts
        state.marks[slots] = self._marks
        state.pairs[slots] = self._pairs
        state.vitals[slots] = np.ascontiguousarray(self._vitals.T)

    def _advance(self, v: Vitals, rows: Ints, timestamps: Ints, values: Floats) -> None:
        width = rows.size
        counts, marks = self._counts[:width], self._marks[:width]
        slots, pairs = self._block.slots[:width], self._pairs[:width]
        spacing.learn(v, (timestamps - marks).astype(np.float64), counts)
        v.recent[1:] = v.recent[:-1].copy()
        v.recent[0] = values
        if counts.min() < RECENT:
            self._begin(counts, timestamps)

        value = values - v.origin
        magnitude = np.abs(v.level + v.origin)
        floor = 0.05 * v.spread + 1e-9 * magnitude + 1e-12  # never remarkable below this
        scale = v.spread + 1e-9 * magnitude + 1e-12
        season = profile.look(v, self._state, slots, timestamps)
        phi = forecast.inputs(v, season, scale)
        guess = forecast.predict(v, phi, scale, counts)
        target = (value - v.level) / scale
        error = np.abs(target - guess) * scale
        # An error counts for less at a time of day when errors are usually large.
        usual = v.error + floor
        here = HERE * season.error + (1.0 - HERE) * v.error + floor
        pair = novelty.present(v)
        found = novelty.look(pairs, *pair)
        distance = np.empty((PARTS, width))
        distance[0] = error * usual / here
        distance[1] = np.where(np.isfinite(found[0]), found[0], 0.0)

        if counts.max() >= WARMUP:
            expected = guess * scale + v.level + v.origin
            self._judge(v, rows, distance, floor, counts, expected, here / usual)
        else:
            self._verdicts.score[rows] = 0.0

        memory = novelty.Memory(self._state, slots, pairs)
        novelty.learn(v, memory, pair, found, magnitude, counts)
        tail.learn(v, distance, floor, counts)
        _learn(v, self._state, season, phi, value, target, error, floor, counts)
        extremes.learn(v, self._state, slots, timestamps, values)
        counts += 1
        marks[:] = timestamps

    def _begin(self, counts: Ints, timestamps: Ints) -> None:
        """Start metrics at their first row, and again once there are RECENT rows.

        The median of the first rows is the origin, so that one absurd first value costs nothing;
        what else the rows before taught is forgotten.
        """
        state, slots = self._state, self._block.slots
        rows = np.flatnonzero((counts == 0) | (counts == RECENT - 1))
        if not rows.size:
            return
        block = self._vitals[:, rows]
        v = Vitals(block)
        first = counts[rows] == 0
        v.recent[:, first] = v.recent[0, first]
        v.origin[:] = np.sort(v.recent, axis=0)[RECENT // 2]
        forecast.start(v)
        tail.start(v)
        novelty.start(v)
        self._vitals[:, rows] = block
        self._pairs[rows] = np.inf
        for array in (state.day, state.week, state.used, state.hits):
            array[slots[rows]] = 0
        state.firsts[slots[rows[first]]] = timestamps[rows[first]]

    def _judge(
        self,
        v: Vitals,
        rows: Ints,
        distance: Floats,
        floor: Floats,
        counts: Ints,
        expected: Floats,
        stretch: Floats,
    ) -> None:
        rare = tail.rarity(v, distance, floor)
        doubt = DOUBT / (counts + 1.0)
        chance = np.exp(-tail.LN10 * (WEIGHT * rare[0] + (1.0 - WEIGHT) * rare[1])) + doubt
        score = np.minimum(np.maximum(-SCORE_PER_RARITY * np.log10(chance), 0.0), 1.0)
        live = counts >= WARMUP
        remarkable = np.log10(1.0 / np.maximum(REMARKABLE - doubt, LEAST_CHANCE))
        half = tail.reach(v, 0, remarkable, floor) * stretch
        verdicts = self._verdicts
        verdicts.score[rows] = np.where(live, score, 0.0)
        verdicts.expected[rows] = np.where(live, expected, np.nan)
        verdicts.lower[rows] = np.where(live, expected - half, np.nan)
        verdicts.upper[rows] = np.where(live, expected + half, np.nan)
        for i in np.flatnonzero(live & (score >= THRESHOLD)).tolist():
            slot = int(self._block.slots[i])
            verdicts.remarks[int(rows[i])] = Remark(
                forecast_rarity=float(rare[0, i]),
                novelty_rarity=float(rare[1, i]),
                interval=float(v.interval[i]),
                datapoints=int(counts[i]),
                since=int(self._state.firsts[slot]),
                days=extremes.history(v, self._state, slot, i),
            )


def _learn(
    v: Vitals,
    state: State,
    season: profile.Season,
    phi: Floats,
    value: Floats,
    target: Floats,
    error: Floats,
    floor: Floats,
    counts: Ints,
) -> None:
    """Learn from one row per metric; every error is limited first, lest an anomaly spoil the rest."""
    young = counts < forecast.YOUNG
    age = np.maximum(counts - (RECENT - 2.0), 1.0)
    slow = 1.0 / np.maximum(SLOW_ROWS, SLOW_DAYS * DAY_S / np.maximum(v.interval, 1.0))
    rate = np.maximum(1.0 / age, slow)
    usual = 3.0 * v.error + floor
    trust = np.minimum(usual / np.maximum(error, SAFE), 1.0)
    trust = np.where(young, 1.0, trust * trust)
    forecast.learn(v, phi, target, trust, counts)
    limited = np.where(young, error, np.minimum(error, ERROR_LIMIT * v.error + floor))
    off = np.abs(value - season.day)
    off = np.where(young, off, np.minimum(off, ERROR_LIMIT * v.season_error + floor))
    profile.learn(v, state, season, value, limited, floor)
    v.error += rate * (limited - v.error)
    v.season_error += rate * (off - v.season_error)
    limit = LEVEL_LIMIT * v.spread + SAFE
    change = value - v.level
    change = np.where(young, change, np.minimum(np.maximum(change, -limit), limit))
    short = value - v.short
    limit = SHORT_LIMIT * v.spread + floor
    short = np.where(young, short, np.minimum(np.maximum(short, -limit), limit))
    v.level += rate * change
    v.spread += rate * (np.abs(change) - v.spread)
    v.short += short / forecast.SHORT_ROWS
