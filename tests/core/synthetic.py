"""Synthetic series whose truth is known, and how a detector's alarms on them are counted."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fluxd.core.detect import UTC, LocalTime

Array: TypeAlias = npt.NDArray[Any]
Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Rows from the first to before the second."""

MONDAY = 1_699_833_600  # Unix s, midnight UTC
MINUTE, DAY, WEEK = 60, 86_400, 604_800
PER_DAY = DAY // MINUTE
RUNS, FEWER = 60, 24  # of a row of the table; of a neighbour of one
MORE = 240  # where false alarms are counted in a day: 60 such days would bring 6 +- 2.4 of them
SCALES = (1e-6, 1.0, 100.0, 1e9)
JOIN_S = 3600  # alarms so close are one anomaly
ENOUGH, RATE = 0.95, 0.1  # share of the runs; false alarms per metric-day


@dataclass(frozen=True)
class Truth:
    """What is to be said about one series."""

    wanted: Ranges = ()  # at least one alarm in each
    once: Ranges = ()  # exactly one anomaly begins in each
    still: Ranges = ()  # no alarm in any
    quiet: Ranges = ()  # alarms are false, RATE of them are forgiven


@dataclass
class Run:
    """One of the runs of a row of the table: its seed, its side and its scale."""

    number: int
    rng: np.random.Generator

    @property
    def sign(self) -> int:
        return 1 if self.number // len(SCALES) % 2 == 0 else -1

    @property
    def scale(self) -> float:
        return SCALES[self.number % len(SCALES)]

    @property
    def turn(self) -> int:
        """Counts up once every scale and both signs have had their turn."""
        return self.number // (2 * len(SCALES))

    def dress(self, x: Array) -> Array:
        """Give noise of standard deviation 1 a scale and a level."""
        if self.scale == 1.0:
            return 0.5 + 0.01 * x
        return self.scale * (x if self.turn % 2 == 0 else 1.0 + x / 50.0)


Made: TypeAlias = tuple[Array, Array, Truth]
Maker: TypeAlias = Callable[[Run], Made]


@dataclass(frozen=True)
class Scenario:
    """One row of the table: its series (timestamps, values) and the truth about each."""

    name: str
    series: list[tuple[Array, Array]]
    truth: list[Truth]
    local: LocalTime = UTC


@dataclass(frozen=True)
class Row:
    """How one row of the table is made."""

    name: str
    make: Maker
    local: LocalTime = UTC
    runs: int = RUNS

    def scenario(self, runs: int = 0) -> Scenario:
        seed = list(self.name.encode())
        made = [
            self.make(Run(i, np.random.default_rng([i, *seed]))) for i in range(runs or self.runs)
        ]
        series = [(times.astype(np.int64), values) for times, values, _ in made]
        return Scenario(self.name, series, [truth for _, _, truth in made], self.local)


def clock(rows: int, step: int = MINUTE, start: int = MONDAY) -> Array:
    return start + step * np.arange(rows, dtype=np.int64)


def wave(times: Array, size: float = 10.0) -> Array:
    return size * np.sin(2.0 * np.pi * (times % DAY) / DAY)


def autoregressive(rng: np.random.Generator, n: int, keep: float) -> Array:
    """Gaussian of standard deviation 1, each correlated with the one before by `keep`."""
    x = rng.normal(size=n)
    x[1:] *= np.sqrt(1.0 - keep * keep)
    for i in range(1, n):
        x[i] += keep * x[i - 1]
    return x


def sticky(rng: np.random.Generator, n: int, held: float, levels: int = 5) -> Array:
    """Whole numbers, each held for `held` rows on average."""
    fresh = rng.random(n) < 1.0 / held
    fresh[0] = True
    return rng.integers(0, levels, n).astype(float)[np.maximum.accumulate(fresh * np.arange(n))]


@dataclass
class Counted:
    """How one scenario went; None: not asked."""

    found: float | None = None  # share of the wanted ranges with an alarm
    once: float | None = None  # share of the ranges with exactly one anomaly
    missed: float | None = None  # with none
    still: float | None = None  # share of the ranges without an alarm
    rate: float | None = None  # false alarms per metric-day

    @property
    def good(self) -> bool:
        shares = [s for s in (self.found, self.once, self.still) if s is not None]
        return all(s >= ENOUGH for s in shares) and (self.rate or 0.0) <= RATE

    def __str__(self) -> str:
        parts = [
            f"{name} {value:.3f}"
            for name, value in vars(self).items()
            if value is not None and (name != "missed" or value)
        ]
        return ", ".join(parts)


def begins(times: Array, score: Array, threshold: float) -> tuple[Array, Array]:
    """Return the rows that alarm, and those of them at which an anomaly begins."""
    rows = np.flatnonzero(score >= threshold)
    apart = np.diff(times[rows], prepend=-JOIN_S - 1) > JOIN_S
    return rows, rows[apart]


def within(rows: Array, part: tuple[int, int]) -> int:
    """Return how many of the ascending rows lie in the range."""
    return int(np.searchsorted(rows, part[1]) - np.searchsorted(rows, part[0]))


def counted(scenario: Scenario, scores: Iterable[Array], threshold: float) -> Counted:
    found, once, still, false, days = [], [], [], 0, 0.0
    for (times, _), truth, score in zip(scenario.series, scenario.truth, scores, strict=True):
        alarms, starts = begins(times, score, threshold)
        found += [within(alarms, part) > 0 for part in truth.wanted]
        once += [within(starts, part) for part in truth.once]
        still += [within(alarms, part) == 0 for part in truth.still]
        false += sum(within(starts, part) for part in truth.quiet)
        days += sum(float(times[b - 1] - times[a]) / DAY for a, b in truth.quiet)
    return Counted(
        found=float(np.mean(found)) if found else None,
        once=float(np.mean(np.array(once) == 1)) if once else None,
        missed=float(np.mean(np.array(once) == 0)) if once else None,
        still=float(np.mean(still)) if still else None,
        rate=false / days if days else None,
    )
