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
    stretch: Floats  # how much larger than overall errors are at this time of day
    sights: tuple[novelty.Sight, novelty.Sight]
    distance: Floats  # (parts, metrics): how far off by each question
    light: Floats  # (parts, metrics): see `tail.bell`
    lowest: Floats  # that is usual at this time of day
    highest: Floats

    def habitual(self, margin: Floats) -> Bools:
        """Tell where the value is within what is usual at this time of day, or nearly so."""
        return (self.value <= self.highest + margin) & (self.value >= self.lowest - margin)


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
    off_season = np.abs(value - season.base)
    if np.count_nonzero(v.shift):  # on probation: the old level is normal, too
        home = np.abs(value - season.base + v.shift)
        back = (v.shift != 0.0) & season.known
        off_season = np.where(back, np.minimum(home, off_season), off_season)
        back &= home < error
        error = np.where(back, home, error)
        expected = np.where(back, season.base - v.shift, expected)
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
        stretch=stretch,
        sights=sights,
        distance=distance,
        light=tail.bell(v, floor, rows),
        lowest=lowest,
        highest=highest,
    )
