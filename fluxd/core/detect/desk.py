"""One step of the detector: what it looks at, how it judges, what it learns, in this order."""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import (
    counting,
    course,
    forecast,
    habit,
    judging,
    leak,
    learning,
    novelty,
    records,
    remarking,
    settling,
    spacing,
    steady,
    tail,
)
from fluxd.core.detect.layout import (
    RECENT,
    THRESHOLD,
    WARMUP,
    Bools,
    Floats,
    Ints,
    Vitals,
)
from fluxd.core.detect.localtime import LocalTime
from fluxd.core.detect.looking import Look, look
from fluxd.core.detect.rounds import BLOCK, Block, Rows
from fluxd.core.detect.state import State
from fluxd.core.detect.verdicts import Verdicts

GAP = 10.0  # intervals: after so long a pause the last rows say nothing any more


@dataclass(slots=True)
class Arrival:
    """What came, before it is known what is analysed of it."""

    values: Floats
    spacing: Floats  # s since the row before
    resets: Bools


class Desk:
    """Where one block's metrics are worked on: their state is fetched, advanced and put back.

    The buffers are made once: fresh ones of this size would come page by page from the system.
    """

    def __init__(self, state: State, threshold: float, local: LocalTime) -> None:
        self._state = state
        self._threshold = threshold
        self._local = local
        fields = state.vitals.shape[1]
        self._fetched = np.empty((BLOCK, fields))
        # An odd stride: rows a power of two apart would share few lines of the cache.
        self._turned = np.empty((fields, BLOCK | 1))
        self._fetched_pairs = np.empty((BLOCK, *state.pairs.shape[1:]), np.float32)

    def work(self, block: Block, timestamps: Ints, values: Floats, verdicts: Verdicts) -> None:
        """Advance every metric of the block by its rows, given those of the whole call."""
        self._fetch(block, verdicts)
        width, v = 0, Vitals(self._vitals)
        for at in block.rounds():
            if at.size != width:
                width = at.size
                v = Vitals(self._vitals[:, :width])
            self._advance(v, at, timestamps[at], values[at])
        state, slots = self._state, block.slots
        state.counts[slots] = self._counts
        state.marks[slots] = self._marks
        state.pairs[slots] = self._pairs
        fetched = self._fetched[: slots.size]
        np.copyto(fetched, self._vitals.T)
        state.vitals[slots] = fetched

    def _fetch(self, block: Block, verdicts: Verdicts) -> None:
        state, slots, count = self._state, block.slots, block.slots.size
        self._slots, self._verdicts = slots, verdicts
        self._counts, self._marks = state.counts[slots], state.marks[slots]
        self._pairs = self._fetched_pairs[:count]
        fetched, self._vitals = self._fetched[:count], self._turned[:, :count]
        # Slots are known to exist; "clip" spares `take` a copy that it makes to undo a failure.
        np.take(state.pairs, slots, axis=0, out=self._pairs, mode="clip")
        np.take(state.vitals, slots, axis=0, out=fetched, mode="clip")
        np.copyto(self._vitals, fetched.T)

    def _advance(self, v: Vitals, at: Ints, timestamps: Ints, values: Floats) -> None:
        width = at.size
        counts, marks, pairs = self._counts[:width], self._marks[:width], self._pairs[:width]
        arrival, rows = self._take(v, timestamps, values, counts, marks)
        spacing.learn(v, rows, marks)
        pause = self._remember(v, rows, arrival)
        if rows.youngest < RECENT:
            self._begin(rows)
        novelty.slide(v, self._state, rows, rows.values - v.origin, pause)
        daily = spacing.rows_a_day(v)
        steady.learn(v, rows, daily)
        seen = look(v, self._state, pairs, rows, daily)
        missed = habit.turn(v, self._state, rows, daily)
        tail.begin(v, seen.light, seen.seldom, rows)
        climbing = leak.turn(v, rows, seen.value, seen.span)
        record = records.turn(v, seen.value, seen.floor, rows, daily)
        if rows.oldest >= WARMUP:
            found = judging.news(v, seen, rows, missed, climbing, record)
            self._judge(v, at, rows, arrival, seen, found, daily)
        else:
            self._verdicts.score[at] = 0.0
        told = self._verdicts.score[at] >= THRESHOLD
        learning.learn(v, self._state, pairs, rows, seen, daily, told)
        counts += 1
        marks[:] = timestamps

    def _take(
        self, v: Vitals, timestamps: Ints, values: Floats, counts: Ints, marks: Ints
    ) -> tuple[Arrival, Rows]:
        """Turn totals into rates, and see which metrics begin anew as counters."""
        first = counts == 0
        if np.count_nonzero(first):
            v.skipped[first] = v.counter[first] = v.rises[first] = v.falls[first] = 0.0
            v.least[first], v.total[first] = np.inf, values[first]
        since = np.where(first, 0, timestamps - marks).astype(np.float64)
        change = counting.take(v, values, counts)
        anew = counting.turned(v, values, counts)
        np.copyto(v.skipped, counts.astype(np.float64), where=anew)
        analysed, resets = counting.rates(v, values, change, since)
        known = counts - v.skipped.astype(np.int64)
        # The warm-up of a metric that began anew as a counter includes what it forgot.
        seen = known + np.minimum(counts - known, counting.DECIDED)
        rows = Rows(
            slots=self._slots[: counts.size],
            timestamps=timestamps,
            local=self._local.local(timestamps),
            values=analysed,
            counts=known,
            seen=seen,
            n=known.astype(np.float64),
            youngest=int(known.min()),
            oldest=int(seen.max()),
        )
        return Arrival(values, since, resets), rows

    def _remember(self, v: Vitals, rows: Rows, arrival: Arrival) -> Bools:
        """Take the value among the last ones; return where the short memory begins anew."""
        v.recent[1:] = v.recent[:-1].copy()
        v.recent[0] = rows.values
        pause = (arrival.spacing > GAP * v.interval) & (v.interval > 0.0)
        at = pause.nonzero()[0]
        if at.size:
            v.recent[:, at] = rows.values[at]
            v.short[at] = rows.values[at] - v.origin[at]
        if rows.youngest < RECENT:
            pause |= (rows.counts == 0) | (rows.counts == RECENT - 1)
        return pause

    def _begin(self, rows: Rows) -> None:
        """Start metrics at their first row, and again once there are RECENT rows.

        The median of the first rows is the origin, so that one absurd first value costs nothing;
        what else the rows before taught is forgotten.
        """
        at = ((rows.counts == 0) | (rows.counts == RECENT - 1)).nonzero()[0]
        if not at.size:
            return
        block, slots, state = self._vitals[:, at], rows.slots[at], self._state
        v, first = Vitals(block), rows.counts[at] == 0
        v.recent[:, first] = v.recent[0, first]
        v.origin[:] = np.sort(v.recent, axis=0)[RECENT // 2]
        v.slow[:] = 0.0
        v.short[:] = v.unrest[:] = v.held[:] = v.held_most[:] = v.held_mean[:] = v.changes[:] = 0.0
        for part in (forecast, tail, novelty, settling, course, habit, leak, records):
            part.start(v)
        self._pairs[at] = novelty.FAR
        for name in ("day", "day_rows", "week", "week_rows", "used", "hits", "habit_days"):
            getattr(state, name)[slots] = 0
        # The lowest and highest values of its days, too, were totals.
        v.today[first] = 0.0
        state.days[slots[first]] = 0.0
        fresh = first & (self._counts[at] == 0)
        state.firsts[slots[fresh]] = rows.timestamps[at][fresh]
        self._vitals[:, at] = block

    def _judge(
        self,
        v: Vitals,
        at: Ints,
        rows: Rows,
        arrival: Arrival,
        seen: Look,
        found: judging.News,
        daily: Floats,
    ) -> None:
        judged = judging.judge(v, seen, found, rows, daily)
        table = np.array([judged.score, judged.expected, judged.lower, judged.upper])
        table[1:] += v.origin
        if rows.youngest < WARMUP:
            early = rows.seen < WARMUP
            table[0, early], table[1:, early] = 0.0, np.nan
        table[0, arrival.resets] = 0.0
        counters = (v.counter > 0.0).nonzero()[0]
        rates = table[1:, counters]
        if counters.size:
            seconds = np.maximum(arrival.spacing[counters], 1.0)
            base = v.total[counters] - rows.values[counters] * seconds
            table[1:, counters] = base + rates * seconds
            self._verdicts.base[at[counters]] = base
            self._verdicts.seconds[at[counters]] = seconds
        verdicts = self._verdicts
        verdicts.score[at], verdicts.expected[at] = table[0], table[1]
        verdicts.lower[at], verdicts.upper[at] = table[2], table[3]
        for i in (table[0] >= self._threshold).nonzero()[0].tolist():
            verdicts.remarks[int(at[i])] = remarking.remark(
                v, self._state, rows, seen, judged, found, self._local, i
            )
