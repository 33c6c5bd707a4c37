"""What the detector sees of a row before anything is learnt from it."""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import forecast, habit, novelty, profile, steady, tail
from fluxd.core.detect.layout import (
    FORECAST,
    LONG_NOVELTY,
    NOVELTY,
    PARTS,
    SEASON,
    UNREST,
    Bools,
    Floats,
    Singles,
    Vitals,
)
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State

NEARLY = 0.35  # of how far out something usual is, by which a value may be further
LEFT = 1.2  # mean errors that the last few rows must be off the forecast to have left it
HERE = 0.3  # share of the time of day in the yardstick of an error
SPREAD_FLOOR, LEVEL_FLOOR, LEAST_FLOOR = 0.05, 1e-12, 1e-60
STRAYED, AWAY = 6.0, 3.0  # spreads from the level: an anomaly; what may only return from there
SCALED = 10.0  # least scales that a spread has to be, to be one
STEP = 4.0  # mean errors that the season must have changed by to be taken at its word
UNREST_ROWS, UNREST_LIMIT = 5.0, 12.0  # mean of the errors; mean errors that one counts for


@dataclass(slots=True)
class Look:
    """One row each of several metrics, before anything is learnt from it."""

    value: Floats  # relative to the origin, like everything here
    span: Floats  # s that the metric is known
    magnitude: Floats  # of the level itself
    floor: Floats  # distances below it are never remarkable
    season: profile.Season
    phi: Floats  # the regression's inputs
    target: Floats  # what it should have said
    expected: Floats
    error: Floats  # distance of the value from the expected one
    side: Floats  # 1 where it is more, -1 where it is less
    fresh: Floats  # the error; where the last few rows had left the forecast, from them if nearer
    homeward: Bools  # nearer to what is usual at this time than what was expected: it returns
    stretch: Floats  # how much larger than overall errors are at this time of day
    sights: tuple[novelty.Sight, novelty.Sight]
    distance: Floats  # (parts, metrics): how far off by each question
    light: Floats  # (parts, metrics): see `tail.bell`
    seldom: Bools  # it hardly ever changes: see `steady`
    strayed: Bools  # far from the level, on a day that has no yesterday to compare with
    lowest: Floats  # that is usual at this time of day
    highest: Floats

    def habitual(self, margin: Floats) -> Bools:
        """Tell where the value is within what is usual at this time of day, or nearly so."""
        above = np.maximum(NEARLY * (self.highest - self.expected), 0.0)
        below = np.maximum(NEARLY * (self.expected - self.lowest), 0.0)
        high = self.highest + np.minimum(margin, above)
        low = self.lowest - np.minimum(margin, below)
        return (self.value <= high) & (self.value >= low)


def look(v: Vitals, state: State, pairs: Singles, rows: Rows, daily: Floats) -> Look:
    """Ask the questions."""
    value = rows.values - v.origin
    magnitude = np.abs(v.level + v.origin)
    least = LEVEL_FLOOR * magnitude + LEAST_FLOOR
    floor = SPREAD_FLOOR * v.spread + least
    scale = v.spread + least
    season = profile.look(v, state, rows, daily)
    phi = forecast.inputs(v, season, scale)
    guess = forecast.predict(v, phi, scale, rows)
    target = (value - v.level) / scale
    plain = np.abs(target - guess) * scale
    usual = v.error + floor
    memory = np.minimum(rows.n + 1.0, UNREST_ROWS)
    v.unrest += (np.minimum(plain, UNREST_LIMIT * usual) - v.unrest) / memory
    expected = guess * scale + v.level
    by_season = _turned(v, season, rows, STEP * usual)
    by_season &= np.abs(value - season.base - v.offset) < plain
    if np.count_nonzero(by_season):
        expected = np.where(by_season, season.base + v.offset, expected)
    error, expected, usual_here = _on_probation(v, season, value, expected)
    off_season = np.abs(value - usual_here)
    off_season, strayed, homeward = _first_day(v, season, value, expected, off_season, least)
    homeward |= off_season < np.abs(expected - usual_here)
    left = np.abs(v.short - expected) > LEFT * v.error
    stretch = 1.0 + HERE * (season.error - v.error) / usual
    lowest, highest = habit.usual(state, rows)
    sights = novelty.look(v, pairs[:, novelty.SHORT]), novelty.look_long(v, pairs[:, novelty.LONG])
    distance = np.empty((PARTS, value.size))
    np.divide(error, stretch, out=distance[FORECAST])
    distance[NOVELTY] = novelty.surprise(sights[novelty.SHORT])
    distance[SEASON] = off_season
    distance[LONG_NOVELTY] = novelty.surprise(sights[novelty.LONG])
    distance[UNREST] = v.unrest
    return Look(
        value=value,
        span=(rows.timestamps - state.firsts[rows.slots]).astype(np.float64),
        magnitude=magnitude,
        floor=floor,
        season=season,
        phi=phi,
        target=target,
        expected=expected,
        error=error,
        side=np.copysign(1.0, value - expected),
        fresh=np.where(left, np.minimum(error, np.abs(value - v.short)), error),
        homeward=homeward,
        stretch=stretch,
        sights=sights,
        distance=distance,
        light=tail.bell(v, floor, rows),
        seldom=steady.seldom(v, rows.n),
        strayed=strayed,
        lowest=lowest,
        highest=highest,
    )


def _turned(v: Vitals, season: profile.Season, rows: Rows, step: Floats) -> Bools:
    """Tell where the season makes a step (at a weekend, say), of which the last rows don't know."""
    before = v.base if rows.youngest else np.where(rows.counts, v.base, season.base)
    made = season.known & (np.abs(season.base - before) > step)
    return made & (rows.counts >= forecast.YOUNG)


def _on_probation(
    v: Vitals, season: profile.Season, value: Floats, expected: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return error, expected value and the season's, of two levels the nearer one.

    While a new level is on probation, the old one is normal, too.
    """
    error = np.abs(value - expected)
    if not np.count_nonzero(v.shift):
        return error, expected, season.base
    old = season.base - v.shift
    home = np.abs(value - old)
    back = (v.shift != 0.0) & season.known
    usual = np.where(back & (home < np.abs(value - season.base)), old, season.base)
    back &= home < error
    return np.where(back, home, error), np.where(back, old, expected), usual


def _first_day(
    v: Vitals,
    season: profile.Season,
    value: Floats,
    expected: Floats,
    off_season: Floats,
    least: Floats,
) -> tuple[Floats, Bools, Bools]:
    """Measure a day that has no yesterday by the level so far, if the metric has one.

    Return the distance from the season, or from the level where the last rows are far from it and
    this one is nearer; where it is far from the level; and where it returns to it.
    """
    gone, far = np.abs(value - v.level), np.abs(expected - v.level)
    young = ~season.visited
    strange = young & (np.abs(v.short - v.level) > AWAY * v.spread)
    young &= v.spread > SCALED * least
    back: Bools = young & (far > AWAY * v.spread) & (gone < far)
    nearer = np.where(strange, np.minimum(off_season, gone), off_season)
    return nearer, young & (gone > STRAYED * v.spread), back
