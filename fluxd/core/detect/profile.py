"""What is usual at this time of day and of the week.

The day has ten-minute bins, the week hours, whatever the interval: a metric that reports hourly
simply visits fewer of them. Bins are by clock time, so a gap needs no repair.
"""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import cadence
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
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State

DAY_BIN_S, WEEK_BIN_S = DAY_S // DAY_BINS, WEEK_S // WEEK_BINS
HOURS = 24.0
DAY_PACE, WEEK_PACE = 0.2, 0.3  # share by which one visit of a known bin moves it
DAY_KNOWN, WEEK_KNOWN = 2.0, 1.0  # visits after which one row may move a bin only so far
ERROR_KNOWN = 2.0  # rows after which a bin's mean error counts
CENTRE = 0.5
LIMIT = 4.0  # mean errors of the profile that one row counts for at most
MOST_ROWS = 65_535.0
WEEK_VISITED = 0.5  # of an hour's rows: a bin that was visited in an earlier week
WEEK_REVISITED = 1.2  # the same, and in this one
WEEK_BETTER = 0.7  # of the day profile's error, from which on the week's is taken


@dataclass(slots=True)
class Season:
    """What the profiles say about one row each of several metrics, relative to their origins."""

    day: Floats  # value at this time of day; the short mean where nothing is known
    week: Floats  # at this hour of the week; `day` where nothing is known
    base: Floats  # of the two the one that has been right more
    weekly: Bools  # whether that is the week's
    repeated: Bools  # whether the week's bin was visited in an earlier week
    weight: Floats  # of the row in what is learnt of errors: see `cadence`
    known: Bools  # whether the base rests on earlier days
    visited: Bools  # whether there was an earlier day at all
    error: Floats  # mean error of the forecast at this time of day; overall where unknown
    day_at: Ints  # where the bin is in the flat array of rows, and half of where its value is
    day_bin: tuple[Floats, Floats, Floats]  # value, error, rows
    week_at: Ints
    week_bin: tuple[Floats, Floats]  # value, rows
    shift: Floats  # on probation, which is no part of the day's bins
    week_shift: Floats  # the same of the week's


def look(v: Vitals, state: State, rows: Rows, daily: Floats) -> Season:
    """Read the profiles, the day's linear between the two nearest bin centres."""
    second = rows.local % DAY_S
    here = second // DAY_BIN_S
    part = (second - here * DAY_BIN_S) / DAY_BIN_S
    left = part < CENTRE
    there = (here + np.where(left, DAY_BINS - 1, 1)) % DAY_BINS
    flat, base = state.day.reshape(-1), rows.slots * DAY_BINS
    at, other = base + here, base + there
    value, error = (flat.take(2 * at + k).astype(np.float64) for k in range(2))
    counts = state.day_rows.reshape(-1)
    seen = counts.take(at).astype(np.float64)
    beside = flat.take(2 * other).astype(np.float64) - value
    far = np.where(left, CENTRE - part, part - CENTRE)  # share of the way to the neighbour
    far *= counts.take(other) > 0
    span = rows.timestamps - state.firsts[rows.slots]
    # On the first day a bin knows but the rows just before, which is not what it will stand for.
    found = (seen > 0.0) & (span >= DAY_S)
    day = np.where(found, value + beside * far + v.shift, v.short)
    week_at = rows.slots * WEEK_BINS + rows.local % WEEK_S // WEEK_BIN_S
    week_value = state.week.reshape(-1).take(week_at).astype(np.float64)
    week_seen = state.week_rows.reshape(-1).take(week_at).astype(np.float64)
    hourly = np.maximum(daily / HOURS, 1.0)
    old = span >= WEEK_S
    repeated = old & (week_seen >= WEEK_VISITED * hourly)
    # A bin that was not there before the shift has only known the new level.
    week_shift = v.shift * (old & (week_seen > WEEK_REVISITED * hourly))
    week = np.where(old & (week_seen > 0.0), week_value + week_shift, day)
    weekly = repeated & (v.week_error < WEEK_BETTER * v.season_error)
    visit = np.maximum(daily / DAY_BINS, 1.0)
    return Season(
        day=day,
        week=week,
        base=np.where(weekly, week, day),
        weekly=weekly,
        repeated=repeated,
        weight=cadence.weight(daily, found),
        known=weekly | (seen > DAY_KNOWN * visit),
        visited=weekly | (seen > visit),
        error=np.where(seen > ERROR_KNOWN, error, v.error),
        day_at=at,
        day_bin=(value, error, seen),
        week_at=week_at,
        week_bin=(week_value, week_seen),
        shift=v.shift,
        week_shift=week_shift,
    )


def learn(
    state: State,
    season: Season,
    value: Floats,
    error: Floats,
    limit: Floats,
    daily: Floats,
    spared: Bools,
) -> None:
    """Move the bins of this row; once a bin is known, by `limit` at a time.

    `error` is the forecast's, already limited, and `daily` how many rows a day brings; `spared` is
    where nothing is to be learnt. A bin moves
    by the mean of its first visits, then at a pace per day (week), however many rows a visit has.
    """
    old, old_error, seen = season.day_bin
    visit = np.maximum(daily / DAY_BINS, 1.0)
    pace = np.maximum(1.0 / (seen + 1.0), DAY_PACE / visit) * ~spared
    limits = np.where(seen > DAY_KNOWN * visit, limit, np.inf)
    flat = state.day.reshape(-1)
    flat[2 * season.day_at] = old + pace * _limited(value - season.shift - old, limits)
    flat[2 * season.day_at + 1] = old_error + pace * (error - old_error)
    state.day_rows.reshape(-1)[season.day_at] = np.minimum(seen + ~spared, MOST_ROWS)
    old, seen = season.week_bin
    visit = np.maximum(daily / HOURS, 1.0)
    pace = np.maximum(1.0 / (seen + 1.0), WEEK_PACE / visit) * ~spared
    limits = np.where(seen > WEEK_KNOWN * visit, limit, np.inf)
    state.week.reshape(-1)[season.week_at] = old + pace * _limited(
        value - season.week_shift - old, limits
    )
    state.week_rows.reshape(-1)[season.week_at] = np.minimum(seen + ~spared, MOST_ROWS)


def _limited(change: Floats, limit: Floats) -> Floats:
    return np.minimum(np.maximum(change, -limit), limit)
