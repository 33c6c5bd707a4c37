"""Rows of the table that are quiet: what the detector must leave alone."""

from collections.abc import Callable

import numpy as np
from core.synthetic import (
    DAY,
    MINUTE,
    MONDAY,
    PER_DAY,
    Array,
    Made,
    Maker,
    Run,
    Truth,
    autoregressive,
    clock,
    sticky,
    wave,
)

WARM = 100  # rows before the first verdict


def plain(run: Run, x: Array, truth: Truth) -> Made:
    return clock(x.size), run.dress(x), truth


def _held(run: Run, n: int) -> Array:
    return np.repeat(run.rng.integers(0, 5, n // 20 + 1), 20)[:n]


def _whole(run: Run, n: int) -> Array:
    return np.round(autoregressive(run.rng, n, 0.95) + 20.0)


NOISES: dict[str, Callable[[Run, Array], Array]] = {
    "gaussian": lambda run, t: run.dress(run.rng.normal(size=t.size)),
    "laplace": lambda run, t: run.dress(run.rng.laplace(size=t.size) / np.sqrt(2.0)),
    "poisson .1": lambda run, t: run.scale * run.rng.poisson(0.1, t.size),
    "poisson 1": lambda run, t: run.scale * run.rng.poisson(1.0, t.size),
    "poisson 5": lambda run, t: run.scale * run.rng.poisson(5.0, t.size),
    "poisson 100": lambda run, t: run.scale * run.rng.poisson(100.0, t.size),
    "sticky 20": lambda run, t: run.scale * _held(run, t.size),
    "sticky at random": lambda run, t: run.scale * run.sign * sticky(run.rng, t.size, 20.0),
    "sticky 200": lambda run, t: run.scale * run.sign * sticky(run.rng, t.size, 200.0, 3),
    "whole numbers": lambda run, t: run.scale * _whole(run, t.size),
    "autoregressive": lambda run, t: run.dress(autoregressive(run.rng, t.size, 0.9)),
    "daily wave": lambda run, t: run.dress(run.rng.normal(size=t.size) + wave(t)),
    "steep daily wave": lambda run, t: run.dress(run.rng.normal(size=t.size) + wave(t, 100.0)),
}


def quiet(kind: str, days: int, step: int = MINUTE) -> Maker:
    def make(run: Run) -> Made:
        n = days * DAY // step
        values = np.asarray(NOISES[kind](run, clock(n, step)), float)
        # The first change of what has been constant is news, even where it is noise.
        changed = int(np.flatnonzero(np.diff(values))[0]) + 2
        return clock(n, step), values, Truth(quiet=((max(WARM, changed), n),))

    return make


def constant(run: Run) -> Made:
    values = np.full(3 * PER_DAY, (0.0, 1.0 / 3.0, 1.0)[run.turn % 3] * run.sign * run.scale)
    return clock(values.size), values, Truth(still=((0, values.size),))


def drift(size: float, days: int) -> Maker:
    def make(run: Run) -> Made:
        n = (days + 1) * PER_DAY
        x = run.rng.normal(size=n)
        x[PER_DAY:] += run.sign * size * np.linspace(0.0, 1.0, days * PER_DAY)
        return plain(run, x, Truth(quiet=((PER_DAY, n),)))

    return make


def sawtooth(hours: int) -> Maker:
    """Fill and empty all the time: never a leak once that is known."""

    def make(run: Run) -> Made:
        n = 6 * PER_DAY
        rise = np.arange(n) % (hours * 60) / (hours * 60)
        full = 100.0 if run.number % 2 else 1.0
        values = full * (0.2 + 0.6 * rise + 0.005 * run.rng.normal(size=n))
        return clock(n), values, Truth(quiet=((3 * PER_DAY, n),))

    return make


def afterwards(times_of: str, waving: float) -> Maker:
    """Quiet noise whose spacing changes or pauses; then 8 standard deviations are still seen."""

    def make(run: Run) -> Made:
        times, change = _spacing(times_of, run)
        x = run.rng.normal(size=times.size)
        x += wave(times, waving)
        x[-5:] += 8.0 * run.sign
        n = times.size
        return times, run.dress(x), Truth(wanted=((n - 5, n),), quiet=((change, n - 5),))

    return make


RESUMES = {  # after two days: rows, their spacing (s), the pause before them (s)
    "gap of an hour": (2 * PER_DAY, 60, 3600),
    "gap of a day": (2 * PER_DAY, 60, DAY + 7200),
    "60 to 10": (4000, 10, 0),
    "60 to 300": (3 * 288, 300, 0),
}


def _spacing(kind: str, run: Run) -> tuple[Array, int]:
    """Return timestamps of some days, and the row from which there must be no storm."""
    n = 2 * PER_DAY
    if kind in RESUMES:
        rows, step, pause = RESUMES[kind]
        return np.concatenate((clock(n), clock(rows, step, MONDAY + 2 * DAY + pause))), n
    times = clock(2 * n)
    match kind:
        case "jitter":
            times += run.rng.integers(-9, 10, times.size)
        case "lossy":  # a tenth of the datapoints is lost
            times = times[run.rng.random(times.size) > 0.1]
        case _:
            steps = np.maximum(np.round(run.rng.exponential(60.0, times.size)), 1.0)
            times = MONDAY + np.cumsum(steps).astype(np.int64)
    return times, WARM
