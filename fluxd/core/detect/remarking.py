"""What is told of a remarkable row, as known when it was analysed."""

import numpy as np

from fluxd.core.detect import extremes
from fluxd.core.detect.judging import Judged, News
from fluxd.core.detect.layout import FORECAST, NOVELTY, Vitals
from fluxd.core.detect.localtime import LocalTime
from fluxd.core.detect.looking import Look
from fluxd.core.detect.nature import PATTERN
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.state import State
from fluxd.core.detect.verdicts import Cause, Remark, Rhythm


def remark(
    v: Vitals,
    state: State,
    rows: Rows,
    seen: Look,
    judged: Judged,
    found: News,
    local: LocalTime,
    i: int,
) -> Remark:
    """Describe row `i` of a round."""
    slot, counter = int(rows.slots[i]), bool(v.counter[i] > 0.0)
    expected, lower, upper = (
        float(part[i] + v.origin[i]) for part in (judged.expected, judged.lower, judged.upper)
    )
    value = float(rows.values[i])
    told = Remark(
        forecast_rarity=float(judged.rare[FORECAST, i]),
        novelty_rarity=float(judged.rare[NOVELTY, i]),
        interval=float(v.interval[i]),
        datapoints=int(rows.counts[i]),
        since=int(state.firsts[slot]),
        days=extremes.history(v, state, slot, i),
        cause="pattern" if lower <= value <= upper else "value",
        pattern=rhythm(v, seen, i),
        offset=local.offset(int(rows.timestamps[i])),
        rates=(value, expected, lower, upper) if counter else None,
    )
    # That it will hit a limit, or stands still, says more than that it is far off, too.
    more = found.stuck[i] or (found.leak is not None and i in found.leak.at)
    return told if judged.plain[i] and not more else _news(told, v, seen, found, i)


def _news(told: Remark, v: Vitals, seen: Look, found: News, i: int) -> Remark:
    """Say what is news of a row whatever its score."""
    cause: Cause = told.cause
    if found.leak is not None and (at := (found.leak.at == i).nonzero()[0]).size:
        cause, k = "trend", int(at[0])
        told.lasted, told.limit = float(found.leak.lasted[k]), float(found.leak.limit[k])
        told.due = float(found.leak.due[k])
    elif found.stuck[i]:
        cause = "flat"
        told.lasted = float(v.held[i] * v.interval[i])
        # It fades, but what was held at all was held for whole rows.
        told.usual = float(np.ceil(v.held_most[i]) * v.interval[i])
    elif found.missed[i] > 0.0:
        cause, told.usual = "missing", float(found.wanted[i] + v.origin[i])
    elif found.odd[i]:
        cause, told.lasted = "course", 3600.0
        told.usual = float(seen.season.week[i] + v.origin[i])
    told.cause = cause
    return told


def rhythm(v: Vitals, seen: Look, i: int) -> Rhythm:
    """Say which pattern the expected value rests on."""
    if seen.season.weekly[i]:
        return "week"
    if seen.season.known[i] and v.season_error[i] < PATTERN * v.spread[i]:
        return "day"
    return ""
