"""What the detector sees of a row before anything is learnt from it."""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import forecast, habit, novelty, profile, tail
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
    v.unrest += (np.minimum(plain, UNREST_LIMIT * usual) - v.unrest) / np.minimum(
        rows.n + 1.0, UNREST_ROWS
    )
    # Where the season makes a step here (a shift of hands, a weekend), the last rows don't know.
    turned = v.base.copy() if rows.youngest else np.where(rows.counts, v.base, season.base)
    by_season = np.abs(value - season.base - v.offset)
    stepped = season.known & (np.abs(season.base - turned) > STEP * usual) & (by_season < plain)
    stepped &= rows.counts >= forecast.YOUNG
    error, expected = plain, guess * scale + v.level
    if np.count_nonzero(stepped):
        error = np.where(stepped, by_season, plain)
        expected = np.where(stepped, season.base + v.offset, expected)
    usual_here = season.base
    if np.count_nonzero(v.shift):  # on probation: the old level is normal, too
        home = np.abs(value - season.base + v.shift)
        back = (v.shift != 0.0) & season.known
        nearer = back & (home < np.abs(value - season.base))
        usual_here = np.where(nearer, season.base - v.shift, season.base)
        back &= home < error
        error = np.where(back, home, error)
        expected = np.where(back, season.base - v.shift, expected)
    off_season = np.abs(value - usual_here)
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
        homeward=off_season < np.abs(expected - usual_here),
        stretch=stretch,
        sights=sights,
        distance=distance,
        light=tail.bell(v, floor, rows),
        lowest=lowest,
        highest=highest,
    )
