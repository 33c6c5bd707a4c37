"""Rows of the table that go by the clock: jobs, weekends, summer time."""

import numpy as np
from core.synthetic import DAY, MONDAY, PER_DAY, WEEK, Array, Made, Maker, Run, Truth, clock, wave
from core.synthetic_quiet import plain

from fluxd.core.detect import WARMUP, LocalTime

HOUR = 60


def job(rows: int, late: int, waving: float = 0.0) -> Maker:
    """At 6 a.m., up to `late` minutes later; its absence is to be told within two hours."""

    def make(run: Run) -> Made:
        x = run.rng.normal(size=7 * PER_DAY + 9 * HOUR)
        x += wave(clock(x.size), waving)
        still = []
        for day in range(7):
            at = day * PER_DAY + 6 * HOUR + int(run.rng.integers(0, late + 1))
            x[at : at + rows] += run.sign * 20.0
            if day >= 3:
                still.append((at - 5, at + rows + 20))
        missed = 7 * PER_DAY + 6 * HOUR
        return plain(
            run,
            x,
            Truth(
                wanted=((missed, missed + 2 * HOUR),),
                still=tuple(still),
                quiet=((3 * PER_DAY, missed),),
            ),
        )

    return make


def coarse_job(step: int, days: int = 7) -> Maker:
    """Let the job take one datapoint; its absence is to be told within two hours."""

    def make(run: Run) -> Made:
        day = DAY // step
        x = run.rng.normal(size=days * day + day // 4 + day // 12)
        at = [d * day + day // 4 for d in range(days)]
        x[at] += 20.0 * run.sign
        missed = days * day + day // 4
        # What reports every hour is looked at from its fifth day on.
        known = max(3, WARMUP // day + 1)
        truth = Truth(
            wanted=((missed, missed + day // 12),),
            still=tuple((a - 1, a + 4) for a in at[known:]),
            quiet=((known * day, missed),),
        )
        return clock(x.size, step), run.dress(x), truth

    return make


def week(shape: str, step: int) -> Maker:
    """Three weeks are learnt; the fourth is as usual, in the fifth Wednesday is like a Sunday."""

    def make(run: Run) -> Made:
        first = MONDAY + DAY * (run.turn % 4)
        times = clock(5 * WEEK // step, step, first)
        wednesday = _wednesday_after(first + 4 * WEEK)
        off = (times - MONDAY) // DAY % 7 >= 5
        off |= (times >= wednesday) & (times < wednesday + DAY)
        hour = times % DAY / 3600.0
        match shape:
            case "level":
                x = np.where(off, 0.0, 20.0)
            case "wave":
                x = np.where(off, 5.0 + wave(times, 4.0), 25.0 + wave(times, 16.0))
            case _:
                bump = np.clip(np.minimum(hour - 8.0, 18.0 - hour), 0.0, 1.0)
                x = np.where(off, 0.0, 20.0 * bump)
        x = x * run.sign + run.rng.normal(size=times.size)
        truth = _weekend_truth(times, first, wednesday, off)
        return times, run.dress(x), truth

    return make


def _wednesday_after(start: int) -> int:
    return start + (MONDAY + 2 * DAY - start) % WEEK


def _weekend_truth(times: Array, first: int, wednesday: int, off: Array) -> Truth:
    fourth = np.searchsorted(times, [first + 3 * WEEK, first + 4 * WEEK])
    rows = np.flatnonzero(off[fourth[0] : fourth[1]]) + int(fourth[0])
    cuts = np.flatnonzero(np.diff(rows) > 1) + 1
    still = tuple((int(part[0]), int(part[-1]) + 1) for part in np.split(rows, cuts))
    wanted = tuple(int(i) for i in np.searchsorted(times, [wednesday, wednesday + DAY]))
    return Truth(
        wanted=((wanted[0], wanted[1]),),
        still=still,
        quiet=((int(fourth[0]), int(fourth[1])),),
    )


def odd_day(shape: str, step: int) -> Maker:
    """Let a Wednesday of the fourth week be like a Sunday: told then, and forgotten the day after.

    From Thursday on all is as ever, for a week; the Wednesday after is like a Sunday again, which
    is to be told again.
    """

    def make(run: Run) -> Made:
        first = MONDAY + DAY * (run.turn % 4)
        times = clock(6 * WEEK // step, step, first)
        odd = _wednesday_after(first + 4 * WEEK)
        off = (times - MONDAY) // DAY % 7 >= 5
        for start in (odd, odd + WEEK):
            off |= (times >= start) & (times < start + DAY)
        hour = times % DAY / 3600.0
        bump = np.clip(np.minimum(hour - 8.0, 18.0 - hour), 0.0, 1.0)
        shapes = {"level": 20.0, "wave": 25.0 + wave(times, 16.0), "office": 20.0 * bump}
        rest = {"level": 0.0, "wave": 5.0 + wave(times, 4.0), "office": 0.0}
        x = np.where(off, rest[shape], shapes[shape])
        x = x * run.sign + run.rng.normal(size=times.size)
        at = np.searchsorted(times, [odd + k * DAY for k in (0, 1, 7, 8)]).tolist()
        truth = Truth(
            wanted=((at[0], at[1]), (at[2], at[3])),
            still=((at[1], at[1] + DAY // step),),
            quiet=((at[1], at[2]),),
        )
        return times, run.dress(x), truth

    return make


CHANGE = MONDAY + 14 * DAY + 3600
AUTUMN = LocalTime(np.array([CHANGE]), np.array([7200, 3600]))
SPRING = LocalTime(np.array([CHANGE]), np.array([3600, 7200]))


def office_hours(local: LocalTime) -> Maker:
    """Busy from 8 to 18 local time, on every day."""

    def make(run: Run) -> Made:
        times = clock(18 * 288, 300)
        hour = local.local(times) % DAY / 3600.0
        x = 20.0 * np.clip(np.minimum(hour - 8.0, 18.0 - hour) * 2.0, 0.0, 1.0)
        x = x * run.sign + run.rng.normal(size=times.size)
        change = int(np.searchsorted(times, CHANGE))
        edges = [MONDAY + d * DAY + h * 3600 for d in (14, 15, 16, 17) for h in (6, 16)]
        at = np.searchsorted(times, edges).tolist()
        truth = Truth(still=tuple((a, a + 36) for a in at), quiet=((change, times.size),))
        return times, run.dress(x), truth

    return make
