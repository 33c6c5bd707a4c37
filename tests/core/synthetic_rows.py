"""The table of behaviour, by name: one row a line of it, neighbours beside it."""

from core.synthetic import FEWER, MORE, PER_DAY, RUNS, Maker, Row
from core.synthetic_calendar import AUTUMN, SPRING, coarse_job, job, odd_day, office_hours, week
from core.synthetic_events import (
    alike,
    awakes,
    begins_with_zeros,
    beyond,
    comes_to_life,
    counter,
    down,
    excursion,
    far_above_zero,
    first_hour,
    glitch_at_first,
    lasts,
    lasts_for_hours,
    leak,
    on_a_wave,
    poison,
    shift,
    stuck,
    stuck_by_the_hour,
    switched,
)
from core.synthetic_quiet import NOISES, afterwards, constant, drift, quiet, sawtooth

from fluxd.core.detect import LocalTime

WAVE = 10.0  # deviations of the noise
BY_THE_HOUR = ("gaussian", "laplace", "poisson 5", "sticky 20", "daily wave")
FIRST_DAY = ("gaussian", "poisson 100")

SPIKES: dict[str, Maker] = {
    **{
        f"{n}-minute spike after {known}": excursion(known, n, 8.0)
        for known in (100, 720)
        for n in (1, 10)
    },
    "spike on a level of 1e9 deviations": far_above_zero,
    **{f"{n}-minute 6 sigma on a wave": on_a_wave(n, 6.0) for n in (1, 10)},
    "6 sigma on a wave by 300 s": on_a_wave(1, 6.0, 7, 300),
}
QUIET: dict[str, Maker] = {
    **{
        f"quiet first day: {kind}": quiet(kind, 1)
        for kind in ("gaussian", "laplace", "poisson 5", "sticky 20")
    },
    **{f"quiet: {kind}": quiet(kind, 3) for kind in NOISES},
    "constant": constant,
    "drift of 1 a day": drift(5.0, 5),
    "drift of 10 in 3 days": drift(10.0, 3),
    **{f"sawtooth of {hours} hours": sawtooth(hours) for hours in (4, 24)},
}
CALENDAR: dict[str, Maker] = {
    **{f"job of {n} up to {late} late": job(n, late) for n in (1, 10, 30) for late in (0, 2)},
    "job of 10 on a wave": job(10, 0, WAVE),
    "job of 1 every 300 s": coarse_job(300),
    **{f"week: {shape}": week(shape, 300) for shape in ("level", "wave", "office")},
    **{f"odd day: {shape}": odd_day(shape, 300) for shape in ("level", "wave", "office")},
}
LASTING: dict[str, Maker] = {
    **{f"shift of {size}": shift(float(size)) for size in (8, 20)},
    "shift of 20 on a wave": shift(20.0, WAVE),
    **{
        f"{name}: {kind}": stuck(kind, value)
        for kind in ("gaussian", "autoregressive", "poisson 5", "poisson 100", "daily wave")
        for name, value in (("stuck", None), ("stuck at 0", 0.0))
    },
    "awakes for good": awakes(0),
    "awakes for a row": awakes(1),
    "awakes for ten": awakes(10),
    "comes to life": comes_to_life,
    **{f"stuck on the first day: {kind}": stuck(kind, None, 150) for kind in FIRST_DAY},
    **{f"down for {rows}, and again": down(rows, 2 * PER_DAY) for rows in (1, 10)},
    **{f"beyond: {kind}": beyond(kind) for kind in ("seldom errors", "bursts", "hourly job")},
    "switched on for good": switched(1.0),
    "switched off for good": switched(0.0),
    "zeros, then lively": begins_with_zeros(200, 12.0),
    **{
        f"hour of {size} after {known}": first_hour(float(size), known)
        for size in (10, 40)
        for known in (200, 720)
    },
    **{
        f"leak {shape} within {days:.0f}": leak(days, shape)
        for days in (1.0, 2.0)
        for shape in ("up", "steps", "down")
    },
    **{f"counter: {event}": counter(event) for event in ("spike", "halt", "busy")},
}
SPACING: dict[str, Maker] = {
    **{
        f"{kind}{' on a wave' if waving else ''}": afterwards(kind, waving)
        for waving in (0.0, WAVE)
        for kind in ("gap of an hour", "gap of a day", "60 to 10", "60 to 300")
    },
    **{kind: afterwards(kind, 0.0) for kind in ("jitter", "exponential", "lossy")},
}
POISON: dict[str, Maker] = {
    "8 sigma two hours after an hour of 40": poison(40.0, 60, 120, 8.0, 1),
    "8 sigma ten minutes, after an hour of 40": poison(40.0, 60, 120, 8.0, 10),
    "10 sigma, a day apart": poison(10.0, 10, 1440, 10.0, 10),
    "10 sigma of one row, a day apart": poison(10.0, 1, 1440, 10.0, 1),
    "absurd, then 12 sigma": poison(1e6, 1, 60, 12.0, 1),
    **{
        f"{size:.0f} sigma in row {at}, then 15": glitch_at_first(size, at, 15.0)
        for size in (40.0, 1e6)
        for at in (15, 25, 60)
    },
    "alike within the hour": alike,
    "8 sigma lasts": lasts(8.0),
    "20 sigma lasts": lasts(20.0),
}
SUMMER: dict[str, LocalTime] = {"summer time ends": AUTUMN, "summer time begins": SPRING}

NEIGHBOURS = frozenset(
    [f"quiet: {kind}" for kind in NOISES]
    + [f"job of {n} up to {late} late" for n, late in ((1, 2), (10, 2), (30, 0), (30, 2))]
    + [name for name in LASTING if name.startswith(("stuck", "leak", "shift of 20"))]
    + [name for name in SPACING if "wave" in name]
    + [name for name in POISON if "lasts" in name or "ten minutes" in name]
    + ["job of 10 on a wave", "job of 1 every 300 s", "week: level", "week: office"]
    + ["sawtooth of 4 hours", "sawtooth of 24 hours", "jitter", "lossy"]
) - {
    *(f"quiet: {kind}" for kind in ("gaussian", "laplace", "poisson 5", "sticky 20")),
    *("stuck: gaussian", "leak up within 1", "leak down within 1"),
}

SELDOM: dict[str, Maker] = {
    **{
        f"{size:.0f} sigma on a wave by {step} s after {days} days": on_a_wave(1, size, days, step)
        for size, days, step in (
            (8.0, 4, 900),
            (8.0, 6, 3_600),
            (8.0, 21, 3_600),
            (12.0, 6, 3_600),
            (30.0, 34, 3_600),
        )
    },
    **{f"quiet, by the hour: {kind}": quiet(kind, 30, 3_600) for kind in BY_THE_HOUR},
    "job of 1 every hour": coarse_job(3_600, 8),
    "week: office, by the hour": week("office", 3_600),
    "stuck, by the hour": stuck_by_the_hour,
    "twelve hours of 12 by the hour": lasts_for_hours(3_600, 20, 12),
    "five hours of 12 by 300 s": lasts_for_hours(300, 5, 60),
}
OFTEN: dict[str, Maker] = {
    **{f"quiet, by 10 s: {kind}": quiet(kind, 2, 10) for kind in ("gaussian", "daily wave")},
    "beyond, by 10 s: seldom errors": beyond("seldom errors", 10),
}

MAKERS = SPIKES | QUIET | CALENDAR | LASTING | SPACING | POISON | SELDOM | OFTEN


def runs_of(name: str) -> int:
    if name.startswith("quiet first day"):
        return MORE
    return FEWER if name in NEIGHBOURS else RUNS


TABLE = {name: Row(name, make, runs=runs_of(name)) for name, make in MAKERS.items()} | {
    name: Row(name, office_hours(local), local) for name, local in SUMMER.items()
}

# Rows that the detector does not reach yet: what it reaches, less what another machine's numpy may
# turn. A row that gets better than that by far belongs off this list.
REACHED: dict[str, dict[str, float]] = {
    "1-minute 6 sigma on a wave": {"found": 0.85},
    "6 sigma on a wave by 300 s": {"found": 0.65},
    "shift of 8": {"found": 0.75},
    "zeros, then lively": {"found": 0.8},
    "1000000 sigma in row 15, then 15": {"found": 0.75},
}
