"""Learning imported history: a metric's stored datapoints, all anew, in the order of time.

Beside the detector that goes on with what is sent, a shadow learns what is stored. When it has
nothing more to read and the other has seen everything that the shadow has, the shadow's state takes
the place of the metric's own, in one transaction with the request's deletion. A metric's verdicts
are from then on those of `fluxd replay` over the same datapoints.

Many metrics are learnt side by side: a round of the detector costs 0.8 ms, however few they are.
"""

import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from fluxd.core.anomalies import Anomaly, Lasting, Stretches
from fluxd.core.detect import Bank
from fluxd.core.knowledge import Floats, Ints
from fluxd.core.silence import limit_s
from fluxd.jobs.analysis import Analysis
from fluxd.store import Store
from fluxd.store.connection import Connection
from fluxd.store.datapoints import read_datapoints
from fluxd.store.metrics import Summary, summary_of, write_summaries
from fluxd.store.places import LATEST, WEEK_S
from fluxd.store.rebuilds import (
    Rebuild,
    end_lasting,
    finish_rebuild,
    read_lasting,
    take_rebuilds,
    waiting_rebuilds,
    write_rebuilt_anomalies,
)
from fluxd.store.series import revive_series
from fluxd.store.states import SLICE

log = logging.getLogger(__name__)

# The analysis gets its turn after so long.
BUDGET_S = 0.09

# What a round and a datapoint of it cost, of many metrics side by side.
ROUND_S, ROW_S = 0.000_8, 0.000_002

# Metrics learnt side by side (about 3 µs a datapoint; fewer cost more each), and
# datapoints of theirs in memory: at 16 bytes 96 MB.
COURSES = 1_024
BUFFER_ROWS = 6_000_000
LEAST_ROWS = 3_600

# Datapoints of a metric that came while the shadow learnt, up to which it catches up in one go.
CATCH_UP_ROWS = 30

# Anomalies written in one transaction.
ANOMALIES = 200

SaveSlice = Callable[[int, int, Callable[[Connection], None]], None]

_NOTHING: tuple[Ints, Floats] = (np.empty(0, np.int64), np.empty(0, np.float64))


class _RequestedAnewError(Exception):
    """There was another import of the series meanwhile."""

    def __init__(self, series: int) -> None:
        super().__init__(series)
        self.series = series


@dataclass(slots=True)
class _Course:
    """One metric's way through its datapoints: `slot` is its place in the shadow."""

    rebuild: Rebuild
    slot: int
    first: int | None = None  # timestamp learnt, s
    last: int = 0  # likewise
    count: int = 0
    at: int = 0  # what is read next
    rows: tuple[Ints, Floats] = _NOTHING  # read, not yet learnt
    ended: bool = False  # all is read
    barrier: int | None = None  # the commit that the analysis must have reached
    found: dict[int, Anomaly] = field(default_factory=dict)

    @property
    def series(self) -> int:
        return self.rebuild.series

    @property
    def hungry(self) -> bool:
        """Whether it wants rows."""
        return not len(self.rows[0]) and not self.ended

    @property
    def over(self) -> bool:
        """Whether it has learnt all that it has read, and there was no more."""
        return self.ended and not len(self.rows[0])

    def take(self, count: int) -> tuple[Ints, Floats]:
        timestamps, values = self.rows
        self.rows = timestamps[count:], values[count:]
        return timestamps[:count], values[:count]


class Rebuilder:
    """The job. `save_slice(index, now, also)` saves a slice of the detector's state.

    It has to run on the thread of the analysis.
    """

    def __init__(self, store: Store, analysis: Analysis, save_slice: SaveSlice) -> None:
        self._store = store
        self._analysis = analysis
        self._save_slice = save_slice
        knowledge = analysis.knowledge
        self._bank = Bank(knowledge.bank.threshold, knowledge.bank.local)
        self._bank.grow(COURSES)
        self._stretches = Stretches(knowledge.stretches.budget)
        self._courses: dict[int, _Course] = {}  # by slot
        self._done = 0
        self.datapoints = 0  # learnt since the start

    def step(self, now: int) -> bool:
        """Go on for about BUDGET_S; return whether more can be done at once."""
        self._take_up(now)
        if self._finish(now):
            return True
        hungry = [course for course in self._courses.values() if course.hungry]
        if hungry:
            self._read(hungry)
            return True
        learning = [course for course in self._courses.values() if len(course.rows[0])]
        if learning:
            self._learn(learning, max(1, int(BUDGET_S / (ROUND_S + ROW_S * len(learning)))))
        return bool(learning)

    def _take_up(self, now: int) -> None:
        """Leave what is deleted; begin with what was requested, as far as there is room."""
        for course in list(self._courses.values()):
            if not self._is_there(course.series):
                self._leave(course)
        room = COURSES - len(self._courses)
        if not room:
            return
        present = {course.series for course in self._courses.values()}
        with self._store.read() as reader:
            waiting = waiting_rebuilds(reader, now, room, present)
        ids = [one.series for one in waiting if self._is_there(one.series)]
        if not ids:
            return
        free = (slot for slot in range(COURSES) if slot not in self._courses)
        taken = self._store.writer.run(functools.partial(take_rebuilds, ids=ids))
        for rebuild, slot in zip(taken, list(free), strict=False):
            self._courses[slot] = _Course(rebuild, slot)

    def _is_there(self, series: int) -> bool:
        """Whether the catalog has the series: it may not yet, or no more."""
        catalog = self._store.catalog
        return catalog.is_live(series) or catalog.is_retired(series)

    # ---- learning

    def _read(self, hungry: Iterable[_Course]) -> None:
        """Read for those that have nothing left, as many as there is time for."""
        limit = max(LEAST_ROWS, BUFFER_ROWS // len(self._courses))
        end = time.monotonic() + BUDGET_S
        for course in hungry:
            self._read_more(course, limit)
            if time.monotonic() >= end:
                return

    def _read_more(self, course: _Course, limit: int) -> None:
        """Read the rest of a week; where it has nothing, find the next that has."""
        with self._store.read() as reader:
            read = functools.partial(read_datapoints, reader, course.series)
            while course.hungry:
                end = (course.at // WEEK_S + 1) * WEEK_S - 1
                course.rows = read(course.at, end, limit)
                count = len(course.rows[0])
                if count == limit:
                    course.at = int(course.rows[0][-1]) + 1
                elif count:
                    course.at = end + 1
                else:
                    following, _ = read(end + 1, LATEST, 1)
                    course.ended = not len(following)
                    course.at = end + 1 if course.ended else int(following[0])

    def _learn(self, courses: list[_Course], rounds: int) -> None:
        """Have the shadow learn up to `rounds` datapoints of each."""
        parts = [course.take(rounds) for course in courses]
        sizes = [len(timestamps) for timestamps, _ in parts]
        slots = np.repeat(np.array([course.slot for course in courses], np.int64), sizes)
        timestamps = np.concatenate([part[0] for part in parts])
        values = np.concatenate([part[1] for part in parts])
        verdicts = self._bank.advance(slots, timestamps, values)
        history = np.ones(len(slots), np.bool_)
        for anomaly in self._stretches.follow(
            self._bank, slots, timestamps, values, history, verdicts
        ):
            self._courses[anomaly.slot].found[anomaly.started] = anomaly
        for course, (times, _) in zip(courses, parts, strict=True):
            course.first = int(times[0]) if course.first is None else course.first
            course.last = int(times[-1])
            course.count += len(times)
        self.datapoints += len(slots)
        known = np.isfinite(verdicts.expected)
        series = np.repeat(np.array([course.series for course in courses], np.int64), sizes)
        if known.any():
            self._analysis.knowledge.bands.add(
                series[known],
                timestamps[known],
                verdicts.expected[known],
                verdicts.lower[known],
                verdicts.upper[known],
                verdicts.score[known],
            )

    # ---- taking the place

    def _finish(self, now: int) -> bool:
        """Put those of one slice in their places that are ready; return whether there were any."""
        over = [course for course in self._courses.values() if course.over]
        if any(course.barrier is None for course in over):
            barrier = self._store.writer.run(lambda _: self._store.writer.last_seq)
            for course in over:
                course.barrier = barrier if course.barrier is None else course.barrier
        if not self._analysis.settled:
            return False
        reached = self._analysis.analysed_seq
        ready = [one for one in over if one.barrier is not None and one.barrier <= reached]
        if not ready:
            return False
        index = min(course.series for course in ready) // SLICE
        ready = self._catch_up([course for course in ready if course.series // SLICE == index])
        if ready:
            self._swap(index, ready, now)
        if not self._courses and self._done:
            log.info("the history of %d metrics is learnt", self._done)
            self._done = 0
        return True

    def _catch_up(self, ready: list[_Course]) -> list[_Course]:
        """Learn what was analysed meanwhile; return those that have learnt all of it."""
        behind: list[_Course] = []
        far: set[int] = set()
        marks = self._analysis.knowledge.bank.marks
        for course in ready:
            mark = int(marks[course.series]) if course.series < len(marks) else 0
            if mark <= course.last:
                continue
            with self._store.read() as reader:
                course.rows = read_datapoints(
                    reader, course.series, course.last + 1, mark, CATCH_UP_ROWS + 1
                )
            if len(course.rows[0]) > CATCH_UP_ROWS:
                course.rows, course.ended, course.barrier = _NOTHING, False, None
                course.at = course.last + 1
                far.add(course.slot)
            elif len(course.rows[0]):
                behind.append(course)
        if behind:
            self._learn(behind, CATCH_UP_ROWS)
        return [course for course in ready if course.slot not in far]

    def _swap(self, index: int, courses: list[_Course], now: int) -> None:
        """Give metrics of one slice their new state, and save it; all or nothing."""
        self._write_anomalies(courses, now)
        orphans = self._read_orphans(courses)
        knowledge = self._analysis.knowledge
        self._analysis.grow(max(course.series for course in courses) + 1)
        before = {one.series: knowledge.dump(one.series, one.series + 1) for one in courses}
        for course in courses:
            if course.first is not None:
                state = self._bank.dump(course.slot, course.slot + 1)
                knowledge.rebuild(
                    course.series, state, added=course.rebuild.added, first=course.first
                )
                known = self._stretches.dump(course.slot, course.slot + 1)
                knowledge.stretches.adopt(course.series, known, orphans.get(course.series))
        self._analysis.dirty[index] = True
        try:
            self._save_slice(index, now, functools.partial(self._settle, courses, orphans, now))
        except BaseException as error:
            for series, body in before.items():
                knowledge.load(series, body)
            if not isinstance(error, _RequestedAnewError):
                raise
            self._leave(next(one for one in courses if one.series == error.series))
            return
        for course in courses:
            self._leave(course)
        self._done += len(courses)

    def _settle(
        self,
        courses: list[_Course],
        orphans: dict[int, Lasting],
        now: int,
        connection: Connection,
    ) -> None:
        """Note in the store that the state which is being saved has learnt all of it."""
        summaries: list[Summary] = []
        for course in courses:
            if not finish_rebuild(connection, course.rebuild):
                raise _RequestedAnewError(course.series)
            if course.series in orphans and not self._lasts(course, now):
                end_lasting(connection, course.series, course.last)
            back = revive_series(connection, course.series, now=now)
            if back is not None:
                self._store.catalog.add([back])
            status = self._analysis.knowledge.status(course.series, now)
            summaries.append(summary_of(course.series, status))
        write_summaries(connection, summaries)

    def _write_anomalies(self, courses: list[_Course], now: int) -> None:
        """Store what the shadow has found, before its state is: found again, it is left out.

        What history ends in lasts where more datapoints may be expected, as it would had they been
        sent; else it ends with them, or a file of last year would be odd for ever.
        """
        for course in courses:
            look = self._stretches.lasting if self._lasts(course, now) else self._stretches.ended
            still_open = look(course.slot)
            if still_open is not None:
                course.found[still_open.started] = still_open
        found = [
            dataclasses.replace(anomaly, slot=course.series)
            for course in courses
            for anomaly in course.found.values()
        ]
        for at in range(0, len(found), ANOMALIES):
            some = found[at : at + ANOMALIES]
            self._store.writer.run(functools.partial(write_rebuilt_anomalies, anomalies=some))
        for course in courses:
            course.found.clear()

    def _read_orphans(self, courses: list[_Course]) -> dict[int, Lasting]:
        """Return what lasts by what is stored alone, by series: as another version left it.

        It goes on where the shadow finds that something lasts, and nobody is told anew.
        """
        alone = [one for one in courses if not self._analysis.knowledge.stretches.lasts(one.series)]
        with self._store.read() as reader:
            found = {one.series: read_lasting(reader, one.series) for one in alone}
        return {series: lasting for series, lasting in found.items() if lasting is not None}

    def _lasts(self, course: _Course, now: int) -> bool:
        """Whether the shadow has something open, and more is to come.

        That is so where the last datapoint is so young that nobody would miss the next yet.
        """
        if not self._stretches.lasts(course.slot):
            return False
        traits = self._bank.traits(course.slot)
        if traits.interval is None:
            return False
        limit = limit_s(traits.interval, traits.longest_gap, irregular=traits.irregular)
        return now - course.last <= limit

    def _leave(self, course: _Course) -> None:
        """Have room for another; one that is still requested begins anew."""
        self._bank.forget(np.array([course.slot]))
        self._stretches.forget(course.slot)
        del self._courses[course.slot]
