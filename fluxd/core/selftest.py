"""How well does the detector do here? Events of known size, put into copies of recent history.

Of each metric a copy learns all but the last part of its history. That part is then run over copies
with events and over one without. An event is found where its copy is reported and the other is not.
Sizes are in units of the metric's own noise, so that they mean the same on every metric.
"""

import random
import statistics
from dataclasses import dataclass, field

import numpy as np

from fluxd.core.detect import THRESHOLD, UTC, VERSION, WARMUP, Bank, LocalTime
from fluxd.core.detect.layout import DAY_S, Bools, Floats, Ints
from fluxd.core.stretch import JOIN_INTERVALS, JOIN_S

KINDS = ("spike", "drop", "shift")
SIZES = (4.0, 6.0, 8.0, 12.0)  # of the noise
CASES = [(kind, size) for kind in KINDS for size in SIZES]
COPIES = 1 + len(CASES)  # the first is untouched

# Datapoints learnt, and tried after them: a week and a day at one a minute.
MOST_LEARNT, MOST_TRIED = 10_080, 1_440
TRIED_SHARE = 3  # the part of a short history that is tried is a third of it
LEAST_ROWS = 6 * WARMUP

# An event needs room: to be found, to end, and to be forgotten before the next one.
ROOM_ROWS = 180
MOST_EVENTS = 4
FIRST_ROWS = 20  # of the room before the earliest event
SHIFT_ROWS = 60  # datapoints that a shift lasts
PATIENCE_ROWS = {"spike": 3, "drop": 3, "shift": 30}  # in which it must be reported
BEFORE_ROWS = 10  # no event counts that has a reported datapoint of its own so shortly before

MOST_MISSED = 5  # metrics that are named

NEVER = 2.0  # a threshold that no score reaches: remarks cost much and are not needed
MAD_SIGMA = 1.4826  # standard deviations of Gaussian noise that a median absolute deviation is
MEAN_SIGMA = 1.2533  # the same of a mean absolute deviation
RISING = 0.999  # share of steps that do not fall in a counter


@dataclass(frozen=True, slots=True)
class Case:
    """One kind and size: how many of the events were found, half of them within `delay` rows."""

    kind: str
    size: float
    events: int
    found: int
    recall: float | None
    delay: float | None


@dataclass(frozen=True, slots=True)
class Missed:
    """A metric on which events were not found: how many there were of all kinds and sizes."""

    metric: str
    events: int
    found: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a self-test has found; `day` since 1970.

    `alarms` are anomalies on the untouched copies in `metric_days` days; what really happened is
    among them, so the rate of false ones, `alarms_per_day`, is at most this. `missed` names the
    metrics on which the largest share was not found, the worst first.
    """

    day: int
    version: int
    threshold: float
    metrics: int
    metric_days: float
    alarms: int
    alarms_per_day: float
    cases: list[Case]
    missed: list[Missed] = field(default_factory=list)


@dataclass(slots=True)
class _Trial:
    """One metric's recent history."""

    name: str
    timestamps: Ints
    values: Floats
    tried: int  # rows at the end that events are put into
    events: list[int]  # rows of `tried` where one begins
    copies: Floats  # (COPIES, tried)
    told: Bools  # (COPIES, tried): reported

    @property
    def learnt(self) -> int:
        return self.values.size - self.tried


class SelfTest:
    """The whole of it, in steps of any size. Deterministic in the day and in what is added."""

    def __init__(self, day: int, *, threshold: float = THRESHOLD, local: LocalTime = UTC) -> None:
        self.day = day
        self.threshold = threshold
        self._bank = Bank(NEVER, local)
        self._local = local
        self._trials: list[_Trial] = []
        self._learning = True
        self._at = 0
        self._done = 0

    def add(self, name: str, timestamps: Ints, values: Floats) -> bool:
        """Take a metric's history (ascending seconds); return whether it is of use.

        It is not if it is short or constant. All are to be added before the first step.
        """
        timestamps, values = (
            timestamps[-MOST_LEARNT - MOST_TRIED :],
            values[-MOST_LEARNT - MOST_TRIED :],
        )
        if values.size < LEAST_ROWS:
            return False
        tried = min(values.size // TRIED_SHARE, MOST_TRIED)
        rising = is_rising(values)
        noise = noise_of(np.diff(values) if rising else values)
        if not noise > 0.0:
            return False
        chance = random.Random(f"{self.day} {name}")  # noqa: S311  # no secret
        events = _places(tried, chance)
        copies = _with_events(values[-tried:], events, noise, rising=rising)
        told = np.zeros((COPIES, tried), np.bool_)
        self._trials.append(_Trial(name, timestamps, values, tried, events, copies, told))
        return True

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def progress(self) -> tuple[int, int]:
        """Rows done, and rows in all."""
        return self._done, sum(one.learnt + COPIES * one.tried for one in self._trials)

    @property
    def width(self) -> int:
        """How many copies are run side by side now."""
        return len(self._trials) * (1 if self._learning else COPIES)

    def step(self, rounds: int) -> bool:
        """Run up to `rounds` datapoints of each copy; return whether there are more."""
        if self._learning:
            more = self._learn(slice(self._at, self._at + rounds))
        else:
            more = self._try(slice(self._at, self._at + rounds))
        self._at += rounds
        if not more and self._learning:
            self._spread()
            return True
        return more

    def _learn(self, part: slice) -> bool:
        some = [one.values[: one.learnt][part] for one in self._trials]
        times = [one.timestamps[: one.learnt][part] for one in self._trials]
        if not some:
            return False
        slots = np.repeat(np.arange(len(some)), [rows.size for rows in some])
        self._bank.grow(len(some))
        self._bank.advance(slots, np.concatenate(times), np.concatenate(some))
        self._done += slots.size
        return any(one.learnt > part.stop for one in self._trials)

    def _spread(self) -> None:
        """Give every copy what was learnt of its metric."""
        count = len(self._trials)
        learnt, self._bank = self._bank.dump(0, count), Bank(NEVER, self._local)
        for copy in range(COPIES):
            self._bank.load(copy * count, learnt)
        self._learning, self._at = False, 0

    def _try(self, part: slice) -> bool:
        some = [one.copies[:, part] for one in self._trials]
        if not some:
            return False
        count = len(some)
        slots = [
            np.repeat(at + count * np.arange(COPIES), rows.shape[1]) for at, rows in enumerate(some)
        ]
        times = [np.tile(one.timestamps[one.learnt :][part], COPIES) for one in self._trials]
        values = np.concatenate([np.ravel(rows) for rows in some])
        seen = self._bank.advance(np.concatenate(slots), np.concatenate(times), values)
        told = seen.score >= self.threshold
        at = 0
        for one, rows in zip(self._trials, some, strict=True):
            one.told[:, part] = told[at : at + rows.size].reshape(rows.shape)
            at += rows.size
        self._done += values.size
        return any(one.tried > part.stop for one in self._trials)

    def outcome(self) -> Outcome:
        """Return what was found, once no step says that there are more."""
        alarms = sum(_alarms(one) for one in self._trials)
        days = (
            sum(float(one.timestamps[-1] - one.timestamps[one.learnt]) for one in self._trials)
            / DAY_S
        )
        return Outcome(
            day=self.day,
            version=VERSION,
            threshold=self.threshold,
            metrics=len(self._trials),
            metric_days=days,
            alarms=alarms,
            alarms_per_day=alarms / days if days > 0.0 else 0.0,
            cases=[self._case(copy, kind, size) for copy, (kind, size) in enumerate(CASES, 1)],
            missed=self._missed(),
        )

    def _case(self, copy: int, kind: str, size: float) -> Case:
        seen = [delay for one in self._trials for delay in _delays(one, copy, kind)]
        delays = [delay for delay in seen if delay is not None]
        return Case(
            kind,
            size,
            len(seen),
            len(delays),
            len(delays) / len(seen) if seen else None,
            float(statistics.median(delays)) if delays else None,
        )

    def _missed(self) -> list[Missed]:
        metrics = []
        for one in self._trials:
            seen = [
                delay
                for copy, (kind, _) in enumerate(CASES, 1)
                for delay in _delays(one, copy, kind)
            ]
            found = sum(delay is not None for delay in seen)
            if found < len(seen):
                metrics.append(Missed(one.name, len(seen), found))
        metrics.sort(key=lambda one: (one.found / one.events, one.metric))
        return metrics[:MOST_MISSED]


def _delays(one: _Trial, copy: int, kind: str) -> list[int | None]:
    """Return after how many rows each event of a copy was reported, None where it was not."""
    delays: list[int | None] = []
    for start in one.events:
        stop = start + PATIENCE_ROWS[kind]
        if one.told[0, max(0, start - BEFORE_ROWS) : stop].any():
            continue  # something happened there already
        told = np.flatnonzero(one.told[copy, start:stop])
        delays.append(int(told[0]) if told.size else None)
    return delays


def is_rising(values: Floats) -> bool:
    """Whether it is a counter: it hardly ever falls, and rises half of the time at least.

    >>> is_rising(np.array([1.0, 4.0, 4.0, 9.0])), is_rising(np.array([1.0, 4.0, 3.0, 9.0]))
    (True, False)
    """
    steps = np.diff(values)
    return bool(np.mean(steps >= 0.0) >= RISING and np.mean(steps > 0.0) >= 1.0 / 2.0)


def noise_of(values: Floats) -> float:
    """Return the standard deviation of the noise, from the steps, robustly; 0 where all are equal.

    >>> noise = noise_of(100.0 + np.random.default_rng(1).normal(0.0, 5.0, 10_000))
    >>> 4.9 < noise < 5.1
    True
    """
    steps = np.abs(np.diff(values))
    noise = MAD_SIGMA * float(np.median(steps))
    return float((noise or MEAN_SIGMA * float(np.mean(steps))) / np.sqrt(2.0))


def _places(tried: int, chance: random.Random) -> list[int]:
    """Return where events begin: one in each part of equal length, anywhere in its first half."""
    count = max(1, min(MOST_EVENTS, tried // (2 * ROOM_ROWS)))
    room = tried // count
    spread = max(1, room // 2 - FIRST_ROWS)
    return [part * room + FIRST_ROWS + chance.randrange(spread) for part in range(count)]


def _with_events(values: Floats, events: list[int], noise: float, *, rising: bool) -> Floats:
    """Return the untouched values, and below them those with the events of each case."""
    copies = np.tile(values, (COPIES, 1))
    steps = np.diff(values, prepend=values[0])
    for copy, (kind, size) in enumerate(CASES, 1):
        added = np.zeros(values.size)
        for number, start in enumerate(events):
            sign = -1.0 if kind == "drop" or (kind == "shift" and number % 2) else 1.0
            added[start : start + (SHIFT_ROWS if kind == "shift" else 1)] = sign * size * noise
        if rising:  # what is added to its rate stays, and its rate is not less than nothing
            added = np.cumsum(np.maximum(added, -steps))
        copies[copy] += added
    return copies


def _alarms(one: _Trial) -> int:
    """Return how many anomalies the untouched copy has: those of one stretch are one."""
    times = one.timestamps[one.learnt :]
    join_s = max(JOIN_S, JOIN_INTERVALS * float(np.median(np.diff(times))))
    told = times[one.told[0]]
    return int(told.size > 0) + int(np.count_nonzero(np.diff(told) > join_s))
