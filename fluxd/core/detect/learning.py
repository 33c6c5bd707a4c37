"""What is learnt from a row; every error is limited first, lest an anomaly spoil the baseline."""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import (
    cadence,
    course,
    extremes,
    forecast,
    habit,
    novelty,
    profile,
    settling,
    tail,
)
from fluxd.core.detect.judging import lasting
from fluxd.core.detect.layout import RECENT, TINY, Bools, Floats, Singles, Vitals
from fluxd.core.detect.looking import LEAST_FLOOR, Look
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State

SLOW_ROWS, SLOW_DAYS = 200.0, 2.0  # memory of level, spread and errors: the longer of the two
ERROR_LIMIT, LEVEL_LIMIT, SHORT_LIMIT = 6.0, 6.0, 50.0  # mean errors (spreads) one row counts for
# Rows after which what lasts teaches nothing of errors; for an hour, or so many rows.
LASTING_ROWS, SPARED_ROWS = 3.0, 36.0
FREE_ROWS, EASE = 8, 2.0  # that are not limited; by so much more while the metric is young
TRUSTED = 3.0  # mean errors up to which a row fully teaches the regression


@dataclass(slots=True)
class _Lesson:
    """What one row says of each of several metrics, limited lest one row say too much."""

    trust: Floats  # that its error is the metric's own and not an anomaly's: 0 to 1
    error: Floats
    near: Floats  # distance from the season of days
    near_week: Floats  # from the season of weeks
    moved: Floats  # from the level
    moved_short: Floats  # from the last few rows


def learn(
    v: Vitals,
    state: State,
    pairs: Singles,
    rows: Rows,
    seen: Look,
    daily: Floats,
    told: Bools,
) -> None:
    """Take one row each of several metrics; `told` is which are anomalous."""
    value, floor, season = seen.value, seen.floor, seen.season
    novelty.learn(v, state, pairs, rows, seen.sights, seen.magnitude)
    # What lasts says nothing of how far off this metric usually is, and what is far from the level
    # on a day that has no yesterday nothing of its level and times of day, either.
    strayed = seen.strayed & lasting(v, 0.0)
    spared = strayed | lasting(v, LASTING_ROWS, SPARED_ROWS)
    weight = season.weight * ~spared
    tail.learn(v, seen.distance, seen.side, floor, seen.light, rows, daily, weight)
    lesson = _lesson(v, rows, seen, strayed)
    forecast.learn(v, seen.phi, seen.target, lesson.trust * season.weight, rows, daily)
    limit = profile.LIMIT * v.season_error + floor
    profile.learn(state, season, value, lesson.error, limit, daily, told & ~season.visited)
    known = np.maximum(rows.n - (RECENT - 2.0), 1.0)
    memory = np.maximum(SLOW_ROWS, SLOW_DAYS * daily)
    rate = ~strayed / np.minimum(known, memory)
    course.learn(v, season, value, seen.span, v.error + floor)
    v.level += rate * lesson.moved
    v.spread += rate * (np.abs(lesson.moved) - v.spread)
    rate = cadence.pace(known, memory, daily, season.weight) * ~strayed
    v.error += rate * (lesson.error - v.error)
    v.season_error += rate * (lesson.near - v.season_error)
    near_week = np.where(season.repeated, lesson.near_week, lesson.near)
    v.week_error += rate * (near_week - v.week_error)
    v.short += lesson.moved_short / forecast.SHORT_ROWS
    settling.learn(v, state, season, value, floor, rows, daily)
    habit.learn(v, value)
    extremes.learn(v, state, rows)


def _lesson(v: Vitals, rows: Rows, seen: Look, strayed: Bools) -> _Lesson:
    """Limit what a row says by what the metric is known for, if it is known for anything yet."""
    value, floor, season = seen.value, seen.floor, seen.season
    young = (rows.counts < forecast.YOUNG) | (v.changes < forecast.YOUNG)
    ease = np.where(young, EASE, 1.0)
    trust = np.minimum((TRUSTED * ease * v.error + floor) / np.maximum(seen.error, TINY), 1.0)
    off, off_week = np.abs(value - season.day), np.abs(value - season.week)
    change, short = value - v.level, value - v.short
    limit = ERROR_LIMIT * ease * v.season_error + floor
    lesson = _Lesson(
        trust=trust * trust * ~strayed,
        error=np.minimum(seen.error, ERROR_LIMIT * ease * v.error + floor),
        near=np.minimum(off, limit),
        near_week=np.minimum(off_week, limit),
        moved=_within(change, LEVEL_LIMIT * ease * v.spread + LEAST_FLOOR),
        moved_short=_within(short, SHORT_LIMIT * v.spread + floor),
    )
    # What was constant for long has nothing to forget but its constancy.
    awakes = (rows.counts >= forecast.YOUNG) & (v.changes < forecast.YOUNG)
    free = awakes | (rows.counts < FREE_ROWS) | (v.changes < FREE_ROWS)
    if np.count_nonzero(free):  # no scale yet to limit anything by
        np.copyto(lesson.trust, 1.0, where=free)
        for limited, whole in (
            (lesson.error, seen.error),
            (lesson.near, off),
            (lesson.near_week, off_week),
            (lesson.moved, change),
            (lesson.moved_short, short),
        ):
            np.copyto(limited, whole, where=free)
    return lesson


def _within(change: Floats, limit: Floats) -> Floats:
    return np.minimum(np.maximum(change, -limit), limit)
