"""Rows of the table in which something happens that is to be found.

`x` is in standard deviations of the metric's noise until `Run.dress` gives it a scale; `at`,
`known` and `rows` count datapoints.
"""

import numpy as np
from core.synthetic import DAY, MINUTE, PER_DAY, Made, Maker, Run, Truth, clock, wave
from core.synthetic_quiet import NOISES, WARM, plain


def excursion(known: int, rows: int, size: float) -> Maker:
    def make(run: Run) -> Made:
        x = run.rng.normal(size=known + rows + 20)
        x[known : known + rows] += run.sign * size
        return plain(run, x, Truth(wanted=((known, known + rows),)))

    return make


def far_above_zero(run: Run) -> Made:
    """Make the noise a billionth of the level."""
    x = run.rng.normal(size=800)
    x[720] += 8.0 * run.sign
    return clock(800), (1e9 + x) * run.scale, Truth(wanted=((720, 721),))


def on_a_wave(rows: int, size: float, days: int = 3, step: int = MINUTE) -> Maker:
    def make(run: Run) -> Made:
        daily = DAY // step
        at = days * daily + int(run.rng.integers(10, daily - 40 if daily > 60 else daily))
        x = run.rng.normal(size=at + rows + 20)
        times = clock(x.size, step)
        x += wave(times)
        x[at : at + rows] += run.sign * size
        return times, run.dress(x), Truth(wanted=((at, at + rows),))

    return make


def beyond(kind: str, step: int = MINUTE) -> Maker:
    """Be for ten minutes more than ever (or nothing at all) where errors come in bursts."""

    def make(run: Run) -> Made:
        daily, rows = DAY // step, 600 // step
        at = 3 * daily + int(run.rng.integers(10, daily))
        n, rng = at + rows + 20, run.rng
        times = clock(n, step)
        if kind == "seldom errors":
            x = rng.poisson(0.02 * step / MINUTE, n).astype(float)
            x[at : at + rows] = np.maximum(rng.poisson(30.0 * step / MINUTE, rows), 1.0)
        elif kind == "bursts":
            x = np.abs(0.05 * rng.normal(size=n))
            for start in rng.integers(0, at - 600 // step, 12 * at // daily).tolist():
                x[start : start + int(rng.integers(2, 600 // step))] += rng.uniform(5.0, 20.0)
            x[at : at + rows] = 80.0
        else:  # a job each hour, four times as much as usual; then nothing
            x = 500.0 + 100.0 * wave(times, 1.0) + 20.0 * rng.normal(size=n)
            x[(times % 3_600) < 3 * step] *= 3.0
            x[at : at + rows] = 0.0
        return times, x * run.sign * run.scale, Truth(wanted=((at, at + rows),))

    return make


def switched(on: float) -> Maker:
    """Be on for ten minutes of each hour; then on, or off, for five hours."""

    def make(run: Run) -> Made:
        at = 4 * PER_DAY + int(run.rng.integers(0, 60))
        values = (np.arange(at + 300) % 60 < 10).astype(float)
        values[at:] = on
        truth = Truth(wanted=((at + 150, at + 300),), quiet=((PER_DAY, at),))
        return clock(values.size), values * run.sign * run.scale, truth

    return make


def first_hour(size: float, known: int) -> Maker:
    """Be off for an hour of the first day: it is not learnt, and not missed a day later."""

    def make(run: Run) -> Made:
        end = known + 60
        x = run.rng.normal(size=end + PER_DAY + 120)
        x[known:end] += run.sign * size
        truth = Truth(wanted=((known, known + 3), (end - 5, end)), quiet=((end, x.size),))
        return plain(run, x, truth)

    return make


def down(rows: int, again: int) -> Maker:
    """Be 1, but 0 for so many rows, and 0 once more."""

    def make(run: Run) -> Made:
        at = 120 + 60 * run.turn
        then = at + rows + again
        values = np.ones(then + 5)
        values[at : at + rows] = values[then : then + 3] = 0.0
        truth = Truth(wanted=((at, at + 2), (then, then + 2)), still=((at + rows, then),))
        return clock(values.size), values * run.sign * run.scale, truth

    return make


def begins_with_zeros(rows: int, size: float) -> Maker:
    """Be nothing at first, then lively: nothing is not the scale."""

    def make(run: Run) -> Made:
        at = rows + PER_DAY + 300
        x = 10.0 + run.rng.normal(size=at + 20)
        x[:rows] = 0.0
        x[at] += run.sign * size
        truth = Truth(wanted=((rows, rows + 3), (at, at + 1)), quiet=((rows + 60, at),))
        return clock(x.size), x * run.scale, truth

    return make

    return make


def shift(size: float, waving: float = 0.0) -> Maker:
    """Go to a new level; a day later an excursion from it is news, and so is the old one."""

    def make(run: Run) -> Made:
        at = 2 * PER_DAY + int(run.rng.integers(0, PER_DAY))
        later, back = at + PER_DAY + 60, at + PER_DAY + 400
        x = run.rng.normal(size=back + 10)
        x += wave(clock(x.size), waving)
        x[at:back] += run.sign * size
        out = 1 if run.turn % 2 else 10
        x[later : later + out] += 8.0 * run.sign * (1 if run.number % 2 else -1)
        truth = Truth(
            once=((at, at + PER_DAY),),
            wanted=((later, later + out), (back, back + 10)),
            quiet=((at + PER_DAY, later),),
        )
        return plain(run, x, truth)

    return make


def stuck(kind: str, at_value: float | None, known: int = PER_DAY) -> Maker:
    """Let a lively metric hold its last value, or another one, from `known` rows on."""

    def make(run: Run) -> Made:
        at = known + int(run.rng.integers(0, 600))
        values = np.asarray(NOISES[kind](run, clock(at + 70)), float)
        values[at:] = values[at - 1] if at_value is None else at_value
        return clock(values.size), values, Truth(wanted=((at, at + 65),))

    return make


def stuck_by_the_hour(run: Run) -> Made:
    """For half a day, after ten."""
    at = 240 + int(run.rng.integers(0, 24))
    times = clock(at + 12, 3_600)
    values = np.asarray(NOISES["daily wave"](run, times), float)
    values[at:] = values[at - 1]
    return times, values, Truth(wanted=((at, at + 12),))


def awakes(rows: int) -> Maker:
    """Let a constant metric change for so many rows (0: for good)."""

    def make(run: Run) -> Made:
        at = PER_DAY + int(run.rng.integers(0, 600))
        level = (0.0, 7.0, 1.0)[run.turn % 3]
        values = np.full(at + 2 * PER_DAY, level)
        values[at : at + rows if rows else None] += run.sign
        truth = Truth(wanted=((at, at + 1),), once=((at, values.size),), still=((0, at),))
        return clock(values.size), values * run.scale, truth

    return make


def comes_to_life(run: Run) -> Made:
    x = np.zeros(PER_DAY + 30)
    x[PER_DAY:] = run.rng.normal(size=30)
    return plain(run, x + 5.0, Truth(wanted=((PER_DAY, PER_DAY + 10),), still=((0, PER_DAY),)))


def leak(days: float, shape: str) -> Maker:
    """After days of flat noise on its way to the limit, which it is about to hit at the end."""

    def make(run: Run) -> Made:
        start, n = 2 * PER_DAY, int(days * PER_DAY)
        way = np.concatenate((np.zeros(start), np.linspace(0.0, 1.0, n)))
        match shape:
            case "up":
                full = 100.0 if run.number % 2 else 1.0
                values = full * (0.4 + 0.6 * way + 0.005 * run.rng.normal(size=way.size))
                values = np.minimum(values, full)
            case "steps":  # whole percents
                values = np.round(40.0 + 60.0 * way + 0.3 * run.rng.normal(size=way.size))
                values = np.minimum(values, 100.0)
            case _:
                values = np.maximum(60.0 - 60.0 * way + 0.5 * run.rng.normal(size=way.size), 0.0)
                values *= run.scale
        return clock(values.size), values, Truth(once=((start, values.size),))

    return make


def counter(event: str) -> Maker:
    """Count about 100 every minute; three resets in three days, then ten odd minutes."""

    def make(run: Run) -> Made:
        at, n = 3 * PER_DAY, 3 * PER_DAY + 30
        steps = np.round(np.maximum(100.0 + 10.0 * run.rng.normal(size=n), 0.0))
        if event == "busy":
            steps = np.round(steps * (1.0 + 0.5 * wave(clock(n), 1.0)))
        resets = np.sort(run.rng.integers(PER_DAY // 2, at - 200, 3))
        up = run.sign > 0 if event == "busy" else event == "spike"
        steps[at : at + 10] *= 5.0 if up else 0.0
        total = np.cumsum(steps) + 1e6 * (run.turn % 2)
        for reset in resets.tolist():
            total[reset:] -= total[reset] - steps[reset] / 2.0
        truth = Truth(
            wanted=((at, at + 10),),
            still=tuple((r - 1, r + 10) for r in resets.tolist()),
            quiet=((WARM, at),),
        )
        return clock(n), total * run.scale, truth

    return make


def poison(size: float, rows: int, pause: int, again: float, out: int) -> Maker:
    """One anomaly, and after a pause another one, smaller or alike; both are to be found."""

    def make(run: Run) -> Made:
        at = 2 * PER_DAY + int(run.rng.integers(0, PER_DAY))
        then = at + rows + pause
        x = run.rng.normal(size=then + out + 20)
        x[at : at + rows] += run.sign * size
        x[then : then + out] += again * run.sign * (1 if run.turn % 2 else -1)
        wanted = ((at, at + min(rows, 10)), (then, then + out))
        return plain(run, x, Truth(wanted=wanted))

    return make


def lasts_for_hours(step: int, days: int, rows: int) -> Maker:
    """Be off for so many rows, and a day later, for one, to the other side."""

    def make(run: Run) -> Made:
        day = DAY // step
        at = days * day + int(run.rng.integers(5, day - 5))
        then = at + rows + day
        x = run.rng.normal(size=then + 2)
        times = clock(x.size, step)
        x += wave(times)
        x[at : at + rows] += run.sign * 12.0
        x[then] -= run.sign * 15.0
        return times, run.dress(x), Truth(wanted=((at, at + 3), (then, then + 1)))

    return make


def glitch_at_first(size: float, at: int, again: float) -> Maker:
    """Send an absurd value before there is a scale; half a day later it is forgotten."""

    def make(run: Run) -> Made:
        then = 720 + int(run.rng.integers(0, 120))
        x = run.rng.normal(size=then + 20)
        x[at] += run.sign * size
        x[then] += again * run.sign * (1 if run.turn % 2 else -1)
        return plain(run, x, Truth(wanted=((then, then + 1),)))

    return make


def alike(run: Run) -> Made:
    """Ten minutes of 20 standard deviations, and the same half an hour after, and again."""
    at = 2 * PER_DAY + int(run.rng.integers(0, PER_DAY))
    x = run.rng.normal(size=at + 120)
    starts = (at, at + 40, at + 80)
    for start in starts:
        x[start : start + 10] += 20.0 * run.sign
    return plain(run, x, Truth(wanted=tuple((s, s + 10) for s in starts)))


def lasts(size: float) -> Maker:
    """For an hour off: still an alarm in its last quarter."""

    def make(run: Run) -> Made:
        at = 2 * PER_DAY + int(run.rng.integers(0, PER_DAY))
        x = run.rng.normal(size=at + 65)
        x[at : at + 60] += size * run.sign
        return plain(run, x, Truth(wanted=((at, at + 10), (at + 45, at + 60))))

    return make
