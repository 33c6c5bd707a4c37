"""Analysis: each committed datapoint once, in the order of commits, and its anomalies stored."""

import functools
import itertools
import logging
from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fluxd.core.anomalies import Anomaly
from fluxd.core.budget import BUDGET
from fluxd.core.detect import THRESHOLD, UTC, VERSION, LocalTime
from fluxd.core.knowledge import Bools, Floats, Ints, Knowledge
from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies
from fluxd.store.datapoints import new_places, read_commits
from fluxd.store.feed import Commit
from fluxd.store.metrics import read_summaries
from fluxd.store.places import SERIES_BITS, SERIES_MASK
from fluxd.store.rebuilds import relearn_outdated
from fluxd.store.rows import unpack
from fluxd.store.states import SLICE, read_states, states_seq
from fluxd.store.stops import read_arrival_times

log = logging.getLogger(__name__)

# Datapoints taken at once: enough for the detector's vectors, few enough that other jobs get a turn
# after about 100 ms.
STEP_ROWS = 50_000

# The detector works in rounds of one datapoint per metric, 0.8 ms each however few metrics there
# are: a long history of one metric is cut, too.
STEP_ROUNDS = 120

Rows = tuple[Ints, Floats, Bools, Ints]  # places, values, history, seqs


class Analysis:
    """Knowledge of all series, and how far the commits have been taken into it."""

    def __init__(
        self,
        store: Store,
        *,
        threshold: float = THRESHOLD,
        local: LocalTime = UTC,
        budget: int = BUDGET,
    ) -> None:
        self.knowledge = Knowledge(threshold, local, budget)
        self.analysed_seq = 0
        self.datapoints = 0
        self.dirty: npt.NDArray[np.bool_] = np.zeros(0, np.bool_)  # by slice: changed since saved
        self.unsaved_rows = 0
        self._store = store
        self._unwritten: list[Anomaly] = []
        self._uncounted: list[tuple[Ints, Ints]] = []  # places and seqs that came too late
        self._pieces: deque[Rows] = deque()  # fetched, not yet learnt
        self._fetched_seq = 0
        self._slice_seqs = np.zeros(0, np.int64)
        self._redo_upto: int | None = None
        self._started = False  # what was committed before the start is taken in
        self._behind_since: int | None = None
        self._restore()

    # ---- start

    def _restore(self) -> None:
        outdated = self._store.writer.run(
            functools.partial(relearn_outdated, version=VERSION, seq=self._store.writer.last_seq)
        )
        with self._store.read() as reader:
            saved = read_states(reader, VERSION)
            floor = states_seq(reader, VERSION)
            arrivals = read_arrival_times(reader)
        slices = (self._store.catalog.next_id + SLICE - 1) // SLICE
        # A slice that was never saved had no datapoints up to the floor.
        self._slice_seqs = np.full(slices, floor, np.int64)
        self.grow(self._store.catalog.next_id)
        if outdated:
            log.info("another version of the detector wrote its state: all metrics are learnt anew")
            self._await_rebuilds()
        for state in saved:
            try:
                self.knowledge.load(state.slice * SLICE, state.body)
            except ValueError as error:
                log.warning("state %d is not usable, learning anew: %s", state.slice, error)
                self.knowledge.load(state.slice * SLICE, _blank())  # undo what was loaded of it
                self._slice_seqs[state.slice] = 0
                continue
            self._slice_seqs[state.slice] = max(state.seq, floor)
        self.analysed_seq = int(self._slice_seqs.min(initial=floor))
        for index, body in arrivals:
            try:
                self.knowledge.arrivals.load(index * SLICE, body)
            except ValueError as error:
                log.warning("when datapoints came is not known of slice %d: %s", index, error)

    def _await_rebuilds(self) -> None:
        """Count what is stored of each metric, which the detector has not learnt."""
        with self._store.read() as reader:
            summaries = [
                one for one in read_summaries(reader) if one.series < len(self.knowledge.bank)
            ]
        columns = [(one.series, one.datapoints, one.first, one.last) for one in summaries]
        if columns:
            self.knowledge.expect_rebuild(*np.array(columns, np.int64).T)

    def grow(self, count: int) -> None:
        """Make room for series with ids below `count`."""
        self.knowledge.grow(count)
        slices = (count + SLICE - 1) // SLICE
        if slices > len(self.dirty):
            grown = np.zeros(slices, np.bool_)
            grown[: len(self.dirty)] = self.dirty
            self.dirty = grown

    # ---- one step

    def step(self, now: int) -> bool:
        """Analyse what waits, up to STEP_ROWS datapoints; return whether more may wait.

        Raises UnavailableError when the store can't be read or anomalies can't be stored; the next
        step tries that again before anything else.
        """
        self._settle()
        if not self._pieces and not self._fetch(now):
            self._behind_since = None
            return False
        if self._pieces:
            # Taken out first: what the detector can't learn must not come again for ever.
            self._learn(*self._pieces.popleft())
        if not self._pieces:
            self.analysed_seq = self._fetched_seq
        self._settle()
        return True

    def _fetch(self, now: int) -> bool:
        """Fetch the next commits, in pieces of a bounded cost; return whether there were any."""
        commits = self._store.feed.take(STEP_ROWS) if self._redo_upto is None else []
        if not commits:
            return self._redo(now)
        self._behind_since = commits[0].time
        rows = _arrays_of(commits)
        self._note_arrivals(commits, *rows)
        self._pieces.extend(_cut(rows))
        self._fetched_seq = commits[-1].seq
        return True

    def _note_arrivals(
        self, commits: list[Commit], places: Ints, _values: Floats, history: Bools, seqs: Ints
    ) -> None:
        """Note when the metrics were heard of, the late and overwritten datapoints included."""
        times = {commit.seq: commit.time for commit in commits}
        ends = np.searchsorted(seqs, list(times), side="right")
        live, slots = ~history, places & SERIES_MASK
        begin = 0
        for now, end in itertools.groupby(
            zip(times.values(), ends, strict=True), lambda one: one[0]
        ):
            stop = int(max(at for _, at in end))
            self.knowledge.arrivals.note(slots[begin:stop][live[begin:stop]], now)
            begin = stop

    def lag_s(self, now: float) -> float:
        """Return how long ago the oldest datapoint not yet analysed was received, 0 if all are."""
        since = [t for t in (self._behind_since, self._store.feed.oldest) if t is not None]
        return max(0.0, now - min(since)) if since else 0.0

    def _redo(self, now: int) -> bool:
        """Take in commits that never were in the queue, from the table; return whether any were."""
        if self._redo_upto is None:
            self._redo_upto = self._store.feed.restart()
            if self._redo_upto is None:
                return False
            self._behind_since = self._behind_since or now
        with self._store.read() as reader:
            redo = next(read_commits(reader, self.analysed_seq, self._redo_upto), None)
        if redo is None:
            self._fetched_seq = max(self.analysed_seq, self._redo_upto)
            self._redo_upto = None
            self._started = True
            self._slice_seqs = np.zeros(0, np.int64)
            return True
        places, values, history, seqs = redo.places, redo.values, redo.history, redo.seqs
        if len(self._slice_seqs):
            slices = (places & SERIES_MASK) // SLICE
            saved = np.zeros(max(len(self._slice_seqs), int(slices.max()) + 1), np.int64)
            saved[: len(self._slice_seqs)] = self._slice_seqs
            fresh = seqs > saved[slices]
            places, seqs = places[fresh], seqs[fresh]
            values, history = values[fresh], history[fresh]
        live = ~history
        # Before the start they came about when they say; since then, some time up to now.
        came = np.full(int(live.sum()), now) if self._started else places[live] >> SERIES_BITS
        self.knowledge.arrivals.note_unseen(places[live] & SERIES_MASK, came, now)
        self._pieces.extend(_cut((places, values, history, seqs)))
        self._fetched_seq = int(redo.seqs[-1])
        return True

    def _learn(self, places: Ints, values: Floats, history: Bools, seqs: Ints) -> None:
        slots, timestamps = places & SERIES_MASK, places >> SERIES_BITS
        self.grow(int(slots.max()) + 1)
        changed, done = self.knowledge.learn(slots, timestamps, values, history)
        self._unwritten += changed
        self.dirty[slots // SLICE] = True
        self.unsaved_rows += len(slots)
        self.datapoints += int(done.sum())
        if not done.all():
            # Of a pair twice in one commit the first was analysed, so the second is no other one.
            late = ~done & ~np.isin(places, places[done])
            self._uncounted.append((places[late], seqs[late]))

    def _settle(self) -> None:
        """Bring the counts and the stored anomalies up to what was analysed."""
        while self._uncounted:
            self._count_late(*self._uncounted[0])
            del self._uncounted[0]
        if self._unwritten:
            changed = self._unwritten
            self._store.writer.run(lambda connection: write_anomalies(connection, changed))
            self._unwritten = []

    def _count_late(self, places: Ints, seqs: Ints) -> None:
        """Count the late datapoints that are no overwrites: their commit was the first to write."""
        with self._store.read() as reader:
            found = new_places(reader, places.tolist(), seqs.tolist())
        if found:
            fresh = np.array(sorted(found), np.int64)
            self.knowledge.count_late(fresh & SERIES_MASK, fresh >> SERIES_BITS)

    @property
    def redoing(self) -> bool:
        """Whether commits are being read from the table: when their datapoints came is unknown."""
        return self._redo_upto is not None

    @property
    def settled(self) -> bool:
        """Whether all that was found is stored, so that the state may be saved."""
        waiting = self._pieces or self._unwritten or self._uncounted
        return not waiting and self._redo_upto is None


def _blank() -> bytes:
    """Return the state of a slice that has learnt nothing."""
    knowledge = Knowledge()
    knowledge.grow(SLICE)
    return knowledge.dump(0, SLICE)


def _cut(rows: Rows) -> Iterator[Rows]:
    """Yield the rows in pieces with at most STEP_ROUNDS datapoints of any metric, in order."""
    places = rows[0]
    if len(places) == 0:
        return
    slots = places & SERIES_MASK
    order = np.argsort(slots, kind="stable")
    firsts = np.searchsorted(slots[order], slots[order])
    piece = np.empty(len(places), np.int64)
    piece[order] = (np.arange(len(places)) - firsts) // STEP_ROUNDS
    for number in range(int(piece.max()) + 1):
        inside = piece == number
        places, values, history, seqs = (column[inside] for column in rows)
        yield places, values, history, seqs


def _arrays_of(commits: list[Commit]) -> Rows:
    """Return places, values, history and seqs, ordered by commit and within one by place.

    The same order as a replay from the table has; where a commit wrote a pair twice, its first
    value comes first, as the table of overwritten values keeps it.
    """
    packs = [(part.packed, part.history, commit.seq) for commit in commits for part in commit.parts]
    parts = [unpack(part) for part, _, _ in packs]
    sizes = [len(part) for part in parts]
    places = np.array([place for part in parts for place in part], np.int64)
    values = np.array([value for part in parts for value in part.values()], np.float64)
    values += 0.0  # -0.0 becomes 0.0, as SQLite stores it and a replay reads it
    history = np.repeat([old for _, old, _ in packs], sizes)
    seqs = np.repeat(np.array([seq for _, _, seq in packs], np.int64), sizes)
    order = np.lexsort((places, seqs))
    return places[order], values[order], history[order], seqs[order]
