"""The lowest and highest value of each of the last days, for "lowest in 21 days"."""

import numpy as np

from fluxd.core.detect.layout import DAY_S, KEPT_DAYS, Ints, Vitals
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State


def learn(v: Vitals, state: State, rows: Rows) -> None:
    """Take one row per metric; a day that is over goes into the metric's ring of days."""
    day = rows.timestamps // DAY_S
    turned = (day != v.today).nonzero()[0]
    if turned.size:
        _turn(v, state, rows, turned, day)
    np.minimum(v.low, rows.values, out=v.low)
    np.maximum(v.high, rows.values, out=v.high)


def _turn(v: Vitals, state: State, rows: Rows, turned: Ints, day: Ints) -> None:
    whose, which = rows.slots[turned], v.today[turned]
    place = which.astype(np.int64) % KEPT_DAYS
    state.days[whose, place, 0] = which
    state.days[whose, place, 1] = v.low[turned]
    state.days[whose, place, 2] = v.high[turned]
    v.today[turned] = day[turned]
    v.low[turned] = v.high[turned] = rows.values[turned]


def history(v: Vitals, state: State, slot: int, row: int) -> list[tuple[int, float, float]]:
    """Return (day number, lowest, highest) of the days known before, newest first."""
    today = int(v.today[row])
    days = [(today, float(v.low[row]), float(v.high[row]))]
    kept = [(int(d), float(low), float(high)) for d, low, high in state.days[slot] if d]
    days += sorted((d for d in kept if today - KEPT_DAYS < d[0] < today), reverse=True)
    return days
