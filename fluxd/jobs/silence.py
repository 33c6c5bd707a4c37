"""Stops: which metrics are silent for too long.

Silence is measured by when datapoints came, and while fluxd could take them: see `core.arrivals`
and `core.listening`. What is told of it is in `jobs.stops`.
"""

import functools
import math

import numpy as np

from fluxd.core.silence import (
    LEAST_DATAPOINTS,
    LONGEST_GRACE_S,
    has_habits,
    limit_s,
    overdue,
    usual_gap_s,
)
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.listening import Listener
from fluxd.jobs.stops import Silent, StopTeller
from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies

# Metrics looked at in one call: 20 µs each, what is told of them included.
MOST = 2_500

# When those are looked at again of which too little is known, s.
AGAIN_S = 600


class SilenceWatch:
    """The job; on the thread of the analysis, and of the listener's turns."""

    def __init__(self, store: Store, analysis: Analysis, listener: Listener) -> None:
        self._store = store
        self._analysis = analysis
        self._listener = listener
        self._arrivals = analysis.knowledge.arrivals
        self._teller = StopTeller(store, analysis)

    # ---- the job

    def run(self, now: int) -> bool:
        """Tell what has stopped or come back; return whether more is to be looked at."""
        if self._analysis.redoing:
            self._listener.wait(now)
            return False
        self._listener.save()
        self._teller.take_back(now)
        # What was received up to then is known.
        return self._look(now - math.ceil(self._analysis.lag_s(now)))

    def _look(self, now: int) -> bool:
        arrivals, bank = self._arrivals, self._analysis.knowledge.bank
        count = len(bank)
        arrived, usual = arrivals.arrived[:count], arrivals.usual[:count]
        # What never came live, and is known from history, can be stale, too.
        seen = np.where(arrived > 0, arrived, bank.marks)
        slots = overdue(seen, usual, arrivals.told[:count], arrivals.look[:count], now)
        some = slots[:MOST]
        heard = arrivals.listening.heard(seen[some], now)
        ripe: list[Silent] = []
        were_stale = arrivals.stale[some]
        for slot, silent_s in zip(some.tolist(), heard.tolist(), strict=True):
            found, look = self._judge(slot, silent_s, now)
            arrivals.look[slot] = look
            if found is not None:
                ripe.append(found)
        self._end_anomalies(some[arrivals.stale[some] & ~were_stale].tolist())
        if ripe:
            self._teller.tell(ripe, now)
        return len(slots) > MOST

    def _end_anomalies(self, slots: list[int]) -> None:
        """Store what is anomalous of metrics that fell silent as over with their last datapoint.

        Nobody can know that it lasts. If they come back and it does, the analysis stores it so.
        """
        stretches = self._analysis.knowledge.stretches
        ended = [one for one in map(stretches.ended, slots) if one is not None]
        if not ended:
            return
        try:
            self._store.writer.run(functools.partial(write_anomalies, anomalies=ended))
        except BaseException:
            self._arrivals.stale[slots] = False  # for the next turn to find them anew
            self._arrivals.look[slots] = 0
            raise
        for one in ended:
            stretches.silence(one.slot)

    def _judge(self, slot: int, silent_s: int, now: int) -> tuple[Silent | None, int]:
        """Return the metric if its stop is to be told now, and when it is worth another look."""
        arrivals, bank = self._arrivals, self._analysis.knowledge.bank
        traits, datapoints = bank.traits(slot), int(bank.counts[slot])
        if traits.interval is None or datapoints < LEAST_DATAPOINTS:
            return None, now + AGAIN_S
        usual, arrived = float(arrivals.usual[slot]), int(arrivals.arrived[slot])
        seen_s = arrived - int(arrivals.since[slot])
        gap = usual_gap_s(usual, traits.longest_gap, seen_s)
        limit = limit_s(traits.interval, gap, irregular=traits.irregular)
        if silent_s <= limit:
            return None, now + max(1, math.floor(limit - silent_s))
        arrivals.stale[slot] = True
        habits = arrived > 0 and has_habits(datapoints, seen_s, usual)
        if traits.irregular or not habits or not self._store.catalog.is_live(slot):
            return None, now + max(AGAIN_S, int(limit))
        chance = self._listener.since + int(min(limit, LONGEST_GRACE_S))
        if now < chance:
            return None, chance
        mark = int(bank.marks[slot])
        return Silent(slot, arrived, mark, traits.interval, limit), now
