"""One step of the detector: what it looks at, how it judges, what it learns, in this order."""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import extremes, forecast, novelty, profile, spacing, tail
from fluxd.core.detect.layout import (
    PARTS,
    RECENT,
    THRESHOLD,
    WARMUP,
    Floats,
    Ints,
    Singles,
    Vitals,
)
from fluxd.core.detect.rounds import BLOCK, Block, Rows
from fluxd.core.detect.state import State
from fluxd.core.detect.verdicts import Remark, Verdicts

WEIGHT = 0.7  # of the forecast part; the rest is novelty's
ALONE = 0.8  # of its rarity counts where the forecast part has to make the case alone
DOUBT, BELL_DOUBT = 0.3, 0.03  # no claim rarer than this / rows seen; the latter if bell-shaped
SCORE_PER_RARITY = 0.1
REMARKABLE = 10.0 ** (-THRESHOLD / SCORE_PER_RARITY)  # chance per row
LEAST_CHANCE = 1e-5  # the band is never wider than that of this chance
SLOW_ROWS, SLOW_DAYS = 200.0, 2.0  # memory of level, spread and errors: the longer of the two
ERROR_LIMIT, LEVEL_LIMIT, SHORT_LIMIT = 6.0, 6.0, 50.0  # mean errors (spreads) one row counts for
TRUSTED = 3.0  # mean errors up to which a row fully teaches the regression
HERE = 0.3  # share of the time of day in the yardstick of an error
SPREAD_FLOOR, LEVEL_FLOOR, LEAST_FLOOR = 0.05, 1e-9, 1e-12
TINY = 1e-60


@dataclass(slots=True)
class Look:
    """One row each of several metrics, before anything is learnt from it."""

    value: Floats  # relative to the origin, like everything here
    magnitude: Floats  # of the level itself
    floor: Floats  # distances below it are never remarkable
    season: profile.Season
    phi: Floats  # the regression's inputs
    target: Floats  # what it should have said
    expected: Floats
    error: Floats  # distance of the value from the expected one
    stretch: Floats  # how much larger than overall errors are at this time of day
    sight: novelty.Sight
    distance: Floats  # (parts, metrics): how far off by each question
    light: Floats  # (parts, metrics): see `tail.bell`


def look(v: Vitals, state: State, pairs: Singles, rows: Rows) -> Look:
    """Ask the two questions."""
    value = rows.values - v.origin
    magnitude = np.abs(v.level + v.origin)
    least = LEVEL_FLOOR * magnitude + LEAST_FLOOR
    floor = SPREAD_FLOOR * v.spread + least
    scale = v.spread + least
    season = profile.look(v, state, rows)
    phi = forecast.inputs(v, season, scale)
    guess = forecast.predict(v, phi, scale, rows)
    target = (value - v.level) / scale
    error = np.abs(target - guess) * scale
    usual = v.error + floor
    stretch = 1.0 + HERE * (season.error - v.error) / usual
    sight = novelty.look(v, pairs)
    distance = np.empty((PARTS, value.size))
    np.divide(error, stretch, out=distance[0])
    distance[1] = novelty.surprise(sight)
    return Look(
        value=value,
        magnitude=magnitude,
        floor=floor,
        season=season,
        phi=phi,
        target=target,
        expected=guess * scale + v.level,
        error=error,
        stretch=stretch,
        sight=sight,
        distance=distance,
        light=tail.bell(v, floor, rows),
    )


def learn(v: Vitals, state: State, pairs: Singles, rows: Rows, seen: Look) -> None:
    """Learn from the row; every error is limited first, lest an anomaly spoil the baseline."""
    value, floor = seen.value, seen.floor
    novelty.learn(v, state, pairs, rows, seen.sight, seen.magnitude)
    tail.learn(v, seen.distance, floor, seen.light, rows)
    daily = spacing.rows_a_day(v)
    trust = np.minimum((TRUSTED * v.error + floor) / np.maximum(seen.error, TINY), 1.0)
    trust *= trust
    off = np.abs(value - seen.season.day)
    change, short = value - v.level, value - v.short
    error = np.minimum(seen.error, ERROR_LIMIT * v.error + floor)
    near = np.minimum(off, ERROR_LIMIT * v.season_error + floor)
    moved = _within(change, LEVEL_LIMIT * v.spread + LEAST_FLOOR)
    moved_short = _within(short, SHORT_LIMIT * v.spread + floor)
    if rows.youngest < forecast.YOUNG:
        young = rows.counts < forecast.YOUNG
        np.copyto(trust, 1.0, where=young)
        np.copyto(error, seen.error, where=young)
        np.copyto(near, off, where=young)
        np.copyto(moved, change, where=young)
        np.copyto(moved_short, short, where=young)
    forecast.learn(v, seen.phi, seen.target, trust, rows, daily)
    profile.learn(state, seen.season, value, error, profile.LIMIT * v.season_error + floor, daily)
    rate = 1.0 / np.minimum(
        np.maximum(rows.n - (RECENT - 2.0), 1.0), np.maximum(SLOW_ROWS, SLOW_DAYS * daily)
    )
    v.level += rate * moved
    v.spread += rate * (np.abs(moved) - v.spread)
    v.error += rate * (error - v.error)
    v.season_error += rate * (near - v.season_error)
    v.short += moved_short / forecast.SHORT_ROWS
    extremes.learn(v, state, rows)


def _within(change: Floats, limit: Floats) -> Floats:
    return np.minimum(np.maximum(change, -limit), limit)


class Desk:
    """Where one block's metrics are worked on: their state is fetched, advanced and put back.

    The buffers are made once: fresh ones of this size would come page by page from the system.
    """

    def __init__(self, state: State, threshold: float) -> None:
        self._state = state
        self._threshold = threshold
        fields = state.vitals.shape[1]
        self._fetched = np.empty((BLOCK, fields))
        # An odd stride: rows a power of two apart would share few lines of the cache.
        self._turned = np.empty((fields, BLOCK | 1))
        self._fetched_pairs = np.empty((BLOCK, *state.pairs.shape[1:]), np.float32)

    def work(self, block: Block, timestamps: Ints, values: Floats, verdicts: Verdicts) -> None:
        """Advance every metric of the block by its rows, given those of the whole call."""
        self._fetch(block, verdicts)
        width, v = 0, Vitals(self._vitals)
        for at in block.rounds():
            if at.size != width:
                width = at.size
                v = Vitals(self._vitals[:, :width])
            self._advance(v, at, timestamps[at], values[at])
        state, slots = self._state, block.slots
        state.counts[slots] = self._counts
        state.marks[slots] = self._marks
        state.pairs[slots] = self._pairs
        fetched = self._fetched[: slots.size]
        np.copyto(fetched, self._vitals.T)
        state.vitals[slots] = fetched

    def _fetch(self, block: Block, verdicts: Verdicts) -> None:
        state, slots, count = self._state, block.slots, block.slots.size
        self._slots, self._verdicts = slots, verdicts
        self._counts, self._marks = state.counts[slots], state.marks[slots]
        self._pairs = self._fetched_pairs[:count]
        fetched, self._vitals = self._fetched[:count], self._turned[:, :count]
        # Slots are known to exist; "clip" spares `take` a copy that it makes to undo a failure.
        np.take(state.pairs, slots, axis=0, out=self._pairs, mode="clip")
        np.take(state.vitals, slots, axis=0, out=fetched, mode="clip")
        np.copyto(self._vitals, fetched.T)

    def _advance(self, v: Vitals, at: Ints, timestamps: Ints, values: Floats) -> None:
        width = at.size
        counts, marks, pairs = self._counts[:width], self._marks[:width], self._pairs[:width]
        rows = Rows(
            slots=self._slots[:width],
            timestamps=timestamps,
            values=values,
            counts=counts,
            n=counts.astype(np.float64),
            youngest=int(counts.min()),
            oldest=int(counts.max()),
        )
        spacing.learn(v, rows, marks)
        v.recent[1:] = v.recent[:-1].copy()
        v.recent[0] = values
        if rows.youngest < RECENT:
            self._begin(rows)
        seen = look(v, self._state, pairs, rows)
        tail.begin(v, seen.light, rows)
        if rows.oldest >= WARMUP:
            self._judge(v, at, rows, seen)
        else:
            self._verdicts.score[at] = 0.0
        learn(v, self._state, pairs, rows, seen)
        counts += 1
        marks[:] = timestamps

    def _begin(self, rows: Rows) -> None:
        """Start metrics at their first row, and again once there are RECENT rows.

        The median of the first rows is the origin, so that one absurd first value costs nothing;
        what else the rows before taught is forgotten.
        """
        at = np.flatnonzero((rows.counts == 0) | (rows.counts == RECENT - 1))
        if not at.size:
            return
        block, slots, state = self._vitals[:, at], rows.slots[at], self._state
        v, first = Vitals(block), rows.counts[at] == 0
        v.recent[:, first] = v.recent[0, first]
        v.origin[:] = np.sort(v.recent, axis=0)[RECENT // 2]
        v.slow[:] = 0.0
        v.short[:] = 0.0
        forecast.start(v)
        tail.start(v)
        novelty.start(v)
        self._vitals[:, at] = block
        self._pairs[at] = novelty.FAR
        for array in (state.day, state.week, state.used, state.hits):
            array[slots] = 0
        state.firsts[slots[first]] = rows.timestamps[at][first]

    def _judge(self, v: Vitals, at: Ints, rows: Rows, seen: Look) -> None:
        rare = tail.rarity(v, seen.distance, seen.floor)
        doubt = (DOUBT + seen.light[0] * (BELL_DOUBT - DOUBT)) / (rows.n + 1.0)
        both = np.maximum(WEIGHT * rare[0] + (1.0 - WEIGHT) * rare[1], ALONE * rare[0])
        chance = np.exp(-tail.LN10 * both) + doubt
        score = np.minimum(np.maximum(-SCORE_PER_RARITY * np.log10(chance), 0.0), 1.0)
        remarkable = -np.log10(np.maximum(REMARKABLE - doubt, LEAST_CHANCE))
        half = tail.reach(v, 0, remarkable, seen.floor) * seen.stretch
        expected = seen.expected + v.origin
        table = np.array([score, expected, expected - half, expected + half])
        if rows.youngest < WARMUP:
            early = rows.counts < WARMUP
            table[0, early], table[1:, early] = 0.0, np.nan
        verdicts = self._verdicts
        verdicts.score[at], verdicts.expected[at] = table[0], table[1]
        verdicts.lower[at], verdicts.upper[at] = table[2], table[3]
        for i in np.flatnonzero(table[0] >= self._threshold).tolist():
            slot = int(rows.slots[i])
            verdicts.remarks[int(at[i])] = Remark(
                forecast_rarity=float(rare[0, i]),
                novelty_rarity=float(rare[1, i]),
                interval=float(v.interval[i]),
                datapoints=int(rows.counts[i]),
                since=int(self._state.firsts[slot]),
                days=extremes.history(v, self._state, slot, i),
            )
