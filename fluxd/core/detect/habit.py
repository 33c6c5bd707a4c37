"""What this metric does at this time every day: the job at six in the morning, and its absence.

A day has SPELLS; of each the highest and lowest value of the last three days are kept. What was
reached on most of them is usual there. A job too short for the day profile's mean shows here on its
third day.
"""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect.layout import CLOSED, DAY_S, HABIT_DAYS, SPELLS, Floats, Ints, Vitals
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State

SPELL_S = DAY_S // SPELLS
NEAR = 0.17  # share of a spell next to another one in which the other's habits hold, too
LEAST_DAYS = 2  # before anything is usual
WHOLE, ENOUGH = 0.8, 0.4  # share of a spell's rows to miss something in it; to learn from it
MOST_DAYS = 255


@dataclass(slots=True)
class Missed:
    """What did not come today: at which rows, by how much, and the value that is usual."""

    at: Ints
    distance: Floats
    value: Floats


def usual(state: State, rows: Rows) -> tuple[Floats, Floats]:
    """Return the lowest and highest value that is usual now; nothing is (inf, -inf) at first."""
    second = rows.local % DAY_S
    here = second // SPELL_S
    part = (second - here * SPELL_S) / SPELL_S
    low, high = _middle(state, rows.slots, here)
    for share, step in ((part, SPELLS - 1), (1.0 - part, 1)):
        at = (share < NEAR).nonzero()[0]
        if at.size:
            beside = _middle(state, rows.slots[at], (here[at] + step) % SPELLS)
            low[at] = np.minimum(low[at], beside[0])
            high[at] = np.maximum(high[at], beside[1])
    return low, high


def _middle(state: State, slots: Ints, spell: Ints) -> tuple[Floats, Floats]:
    """Return what was undercut and exceeded on most of the last days; of two, on both."""
    days = state.habit_days[slots, spell]
    known = days >= LEAST_DAYS
    some = np.count_nonzero(known)
    if not some:
        return np.full(slots.size, np.inf), np.full(slots.size, -np.inf)
    a, b, c, d, e, f = state.habits[slots, spell].T.astype(np.float64)
    low, high = _median(d, e, f), _median(a, b, c)
    two = days == LEAST_DAYS
    if np.count_nonzero(two):
        np.copyto(low, np.maximum(d, e), where=two)
        np.copyto(high, np.minimum(a, b), where=two)
    if some < days.size:
        np.copyto(low, np.inf, where=~known)
        np.copyto(high, -np.inf, where=~known)
    return low, high


def _median(a: Floats, b: Floats, c: Floats) -> Floats:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def turn(v: Vitals, state: State, rows: Rows, daily: Floats) -> Missed:
    """Begin a new spell where this row is of one; return what was missed before.

    What is missed is a value that stood out in the spell before last on each of the last days, and
    was not reached today, nor in the spells beside it.
    """
    number = rows.local // SPELL_S
    at = (number != v.spell).nonzero()[0]
    if not at.size:
        return Missed(at, np.empty(0), np.empty(0))
    whole = daily[at] * (SPELL_S / DAY_S)
    slots, latest = rows.slots[at], v.spell[at].astype(np.int64)
    started = v.spell_rows[0, at] > 0.0
    missed = _missed(v, state, at, slots, latest, WHOLE * whole)
    missed.distance[~started | (number[at] != latest + 1)] = 0.0
    _keep(v, state, at, slots, latest, ENOUGH * whole)
    steps = np.where(started, np.clip(number[at] - latest, 1, CLOSED), CLOSED)
    for _ in range(int(steps.max())):
        some = at[steps > 0]
        for field, blank in ((v.spell_high, -np.inf), (v.spell_low, np.inf), (v.spell_rows, 0.0)):
            field[1:, some] = field[:-1, some].copy()
            field[0, some] = blank
        steps -= 1
    v.spell[at] = number[at]
    return missed


def _missed(v: Vitals, state: State, at: Ints, slots: Ints, latest: Ints, least: Floats) -> Missed:
    """Judge the spell before the latest one, which is over now, too."""
    spell = (latest - 1) % SPELLS
    kept = state.habits[slots, spell].astype(np.float64).T
    beside = [state.habits[slots, (spell + k) % SPELLS].astype(np.float64).T for k in (-2, 2)]
    days = [state.habit_days[slots, (spell + k) % SPELLS] for k in (-2, 0, 2)]
    known = np.minimum(np.minimum(days[0], days[1]), days[2]) >= HABIT_DAYS
    known &= (v.spell_rows[:3, at] >= least).all(axis=0) & (v.shift[at] == 0.0)
    high, low = kept[:HABIT_DAYS].min(axis=0), kept[HABIT_DAYS:].max(axis=0)
    around = np.maximum(*(side[:HABIT_DAYS].max(axis=0) for side in beside))
    below = np.minimum(*(side[HABIT_DAYS:].min(axis=0) for side in beside))
    reached = v.spell_high[:3, at].max(axis=0)
    sunk = v.spell_low[:3, at].min(axis=0)
    up = np.minimum(high - reached, high - around)
    down = np.minimum(sunk - low, below - low)
    most = np.where(known, np.maximum(np.maximum(up, down), 0.0), 0.0)
    return Missed(at, most, np.where(up >= down, high, low))


def _keep(v: Vitals, state: State, at: Ints, slots: Ints, latest: Ints, least: Floats) -> None:
    """Make the oldest of the closed spells part of its habits."""
    ripe = (v.spell_rows[CLOSED - 1, at] >= np.maximum(least, 1.0)).nonzero()[0]
    if not ripe.size:
        return
    slots, spell = slots[ripe], (latest[ripe] - (CLOSED - 1)) % SPELLS
    kept = state.habits[slots, spell]
    kept[:, 1:HABIT_DAYS] = kept[:, : HABIT_DAYS - 1].copy()
    kept[:, 0] = v.spell_high[CLOSED - 1, at[ripe]]
    kept[:, HABIT_DAYS + 1 :] = kept[:, HABIT_DAYS:-1].copy()
    kept[:, HABIT_DAYS] = v.spell_low[CLOSED - 1, at[ripe]]
    state.habits[slots, spell] = kept
    days = state.habit_days[slots, spell]
    state.habit_days[slots, spell] = np.minimum(days, MOST_DAYS - 1) + 1


def learn(v: Vitals, value: Floats) -> None:
    """Take a row into the latest spell."""
    np.maximum(v.spell_high[0], value, out=v.spell_high[0])
    np.minimum(v.spell_low[0], value, out=v.spell_low[0])
    v.spell_rows[0] += 1.0


def start(v: Vitals) -> None:
    """Set the vitals of metrics that have no row yet."""
    v.spell[:] = -1.0
    v.spell_high[:] = -np.inf
    v.spell_low[:] = np.inf
    v.spell_rows[:] = 0.0


def forget(state: State, slots: Ints) -> None:
    """Begin anew: the metric has another level now."""
    state.habit_days[slots] = 0
