"""What is usual at this time of day and of the week.

The day has ten-minute bins, the week hours, whatever the interval: a metric that reports hourly
simply visits fewer of them. Bins are by clock time, so a gap needs no repair.
"""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect.layout import (
    DAY_BINS,
    DAY_S,
    WEEK_BINS,
    WEEK_S,
    Bools,
    Floats,
    Ints,
    Vitals,
)
from fluxd.core.detect.state import State

DAY_BIN_S, WEEK_BIN_S = DAY_S // DAY_BINS, WEEK_S // WEEK_BINS
DAY_PACE, WEEK_PACE = 0.2, 0.3  # share by which one visit of a known bin moves it


@dataclass(slots=True)
class Season:
    """What the profiles say about one row each of several metrics, relative to their origins."""

    day: Floats  # value at this time of day; the short mean where nothing is known
    week: Floats  # at this hour of the week; `day` where nothing is known
    error: Floats  # mean error of the forecast at this time of day; overall where unknown
    day_at: Ints  # index of the bin's value in the flat array
    day_value: Floats
    day_error: Floats
    day_visits: Floats
    week_at: Ints
    week_value: Floats
    week_visits: Floats


def look(v: Vitals, state: State, slots: Ints, timestamps: Ints) -> Season:
    """Read the profiles, the day's linear between the two nearest bin centres."""
    second = timestamps % DAY_S
    here = second // DAY_BIN_S
    part = (second - here * DAY_BIN_S) / DAY_BIN_S
    left = part < 0.5
    there = (here + np.where(left, DAY_BINS - 1, 1)) % DAY_BINS
    share = np.where(left, 0.5 + part, 1.5 - part)
    flat, base = state.day.reshape(-1), slots * DAY_BINS
    day_at, other = (base + here) * 3, (base + there) * 3
    value = flat.take(day_at).astype(np.float64)
    error = flat.take(day_at + 1).astype(np.float64)
    visits = flat.take(day_at + 2).astype(np.float64)
    beside, seen_beside = flat.take(other).astype(np.float64), flat.take(other + 2) > 0.0
    between = np.where(seen_beside, value * share + beside * (1.0 - share), value)
    day = np.where(visits > 0.0, between, v.short)
    flat = state.week.reshape(-1)
    week_at = (slots * WEEK_BINS + timestamps % WEEK_S // WEEK_BIN_S) * 2
    week_value = flat.take(week_at).astype(np.float64)
    week_visits = flat.take(week_at + 1).astype(np.float64)
    return Season(
        day=day,
        week=np.where(week_visits > 0.0, week_value, day),
        error=np.where(visits > 2.0, error, v.error),
        day_at=day_at,
        day_value=value,
        day_error=error,
        day_visits=visits,
        week_at=week_at,
        week_value=week_value,
        week_visits=week_visits,
    )


def learn(
    v: Vitals, state: State, season: Season, value: Floats, error: Floats, floor: Floats
) -> None:
    """Move the bins of this row; once a bin is known, only so far at a time.

    `error` is the forecast's, already limited. A bin moves by the mean of its first visits, then
    at a pace per day (week), whatever the number of rows in a visit.
    """
    limit = 4.0 * v.season_error + floor
    interval = np.maximum(v.interval, 1.0)
    per_visit = np.maximum(DAY_BIN_S / interval, 1.0)
    pace = np.maximum(1.0 / (season.day_visits + 1.0), DAY_PACE / per_visit)
    known = season.day_visits > 2.0 * per_visit
    moved = _moved(season.day_value, value, pace, limit, known)
    flat = state.day.reshape(-1)
    flat[season.day_at] = moved
    flat[season.day_at + 1] = season.day_error + pace * (error - season.day_error)
    flat[season.day_at + 2] = season.day_visits + 1.0
    per_visit = np.maximum(WEEK_BIN_S / interval, 1.0)
    pace = np.maximum(1.0 / (season.week_visits + 1.0), WEEK_PACE / per_visit)
    known = season.week_visits > per_visit
    flat = state.week.reshape(-1)
    flat[season.week_at] = _moved(season.week_value, value, pace, limit, known)
    flat[season.week_at + 1] = season.week_visits + 1.0


def _moved(old: Floats, value: Floats, pace: Floats, limit: Floats, known: Bools) -> Floats:
    change = value - old
    limited = np.minimum(np.maximum(change, -limit), limit)
    return old + pace * np.where(known, limited, change)
