"""What would be reported of a metric now: the smallest spike, drop and lasting shift.

It is tried out: copies of the metric's state are given candidates at the timestamp that is expected
next, and the shipped detector says which of them it would remark. So the answer is exact, but for
the distance of two candidates (2 %, of shifts 5 %), and never lags behind how the detector works.
"""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import THRESHOLD, UTC, WARMUP, Bank, LocalTime
from fluxd.core.detect.layout import VALUE_LIMIT, Bools, Floats, Ints
from fluxd.core.wording import large, number, span

SHIFT_ROWS = 10  # datapoints that a lasting shift is watched for

# Candidates for one datapoint on each side of the expected value: from a 32nd of the band's half
# width to 1,024 of it, or to 0 and twice the expected value where that is further; then some
# between the two that the answer lies between. A shift is reported at the latest where its first
# datapoint is, so it is looked for from a 16th of that on. A round of the detector costs about the
# same for one metric and for a hundred: many candidates in few rounds; a bank has room for 64, 128.
NEAREST, FURTHEST = 2.0**-5, 2.0**10
COARSE, FINE, LASTING = 31, 16, 63
LESS = 16.0
SAME, NONE = 1e-6, 1e-30  # of the expected value, and of 0: what is nearer is told as no other
LEAST, TINY = 1e-9, 1e-100  # half width assumed at least: of the expected value, and at all

UP, DOWN = 1.0, -1.0
NEVER = 2.0  # a threshold that no score reaches


@dataclass(frozen=True, slots=True)
class Reach:
    """The smallest event of a kind that would be reported, as all larger ones would.

    `value` is what the metric would have to reach, `distance` how far that is from expected.
    """

    value: float
    distance: float


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What would be reported of a datapoint at `at` (Unix s), and of a shift that begins then.

    A shift lasts SHIFT_ROWS datapoints, `shift_s` seconds, and its value is that of the first. None
    where nothing is reported up to FURTHEST half widths of the band, or, of a metric that never was
    negative, down to 0. Of a counter (`rate`) all numbers are of its rate, per second.
    """

    at: int
    expected: float
    lower: float
    upper: float
    shift_s: float
    spike: Reach | None
    drop: Reach | None
    shift_up: Reach | None
    shift_down: Reach | None
    rate: bool = False


def probe(
    state: bytes, *, threshold: float = THRESHOLD, local: LocalTime = UTC
) -> Sensitivity | None:
    """Try a metric's state, as `Bank.dump` gives it of one slot; None before the first verdict.

    Takes 14 rounds of the detector, 9 ms.
    """
    shadow = _Shadow(state, threshold, local)
    if shadow.times is None:
        return None
    out = shadow.outlook(shadow.times)
    expected = float(out.course[0])
    if not np.isfinite([expected, out.lower, out.upper]).all():
        return None
    half = max((out.upper - out.lower) / 2.0, LEAST * abs(expected), TINY)
    far = max(FURTHEST * half, abs(expected))
    coarse = [_Search(side, np.geomspace(NEAREST * half, far, COARSE)) for side in (UP, DOWN)]
    shadow.try_all(coarse, out, 1)
    fine = [closer for closer in (search.closer() for search in coarse) if closer is not None]
    shadow.try_all(fine, out, 1)
    spike, drop = (_reach(fine, side, out) for side in (UP, DOWN))
    lasting = []
    for side, single in ((UP, spike), (DOWN, drop)):
        near, end = (
            (NEAREST * half, far) if single is None else (single.distance / LESS, single.distance)
        )
        lasting.append(_Search(side, np.geomspace(near, end, LASTING)))
    shadow.try_all(lasting, out, SHIFT_ROWS)
    return Sensitivity(
        at=int(out.times[0]),
        expected=expected,
        lower=out.lower,
        upper=out.upper,
        shift_s=float(out.times[1] - out.times[0]) * SHIFT_ROWS,
        spike=spike,
        drop=drop,
        shift_up=_reach(lasting, UP, out),
        shift_down=_reach(lasting, DOWN, out),
        rate=shadow.counter,
    )


@dataclass(slots=True)
class _Search:
    """Candidates on one side, by their distance from the expected values, ascending."""

    side: float
    grid: Floats
    reported: Bools | None = None

    def first(self) -> int | None:
        """Return the first candidate that is reported as all beyond it are, None for none."""
        assert self.reported is not None  # noqa: S101  # it has been tried
        missed = np.flatnonzero(~self.reported)
        first = int(missed[-1]) + 1 if missed.size else 0
        return first if first < self.grid.size else None

    def closer(self) -> "_Search | None":
        """Return the search between the last candidate missed and the first one reported."""
        first = self.first()
        if first is None:
            return None
        far = self.grid[first]
        near = self.grid[first - 1] if first else far / 2.0
        return _Search(self.side, np.geomspace(near, far, FINE + 1)[1:])


def _reach(searches: list[_Search], side: float, out: "_Outlook") -> Reach | None:
    """Return what the search on that side found, None where there is none."""
    for search in searches:
        first = search.first() if search.side == side else None
        if first is not None:
            expected = float(out.course[0])
            value = max(expected + side * float(search.grid[first]), out.floor)
            return Reach(value, abs(value - expected))
    return None


class _Shadow:
    """Copies of one metric's state in a bank of their own."""

    def __init__(self, state: bytes, threshold: float, local: LocalTime) -> None:
        # A remark costs as much as a hundred rows: the score alone says what would be reported.
        self._bank = Bank(NEVER, local)
        self._copies = state
        self._state = state
        self._threshold = threshold
        self._local = local
        self._bank.load(0, state)
        self.counter, self._total = False, 0.0
        self.times: Ints | None = None
        interval = self._bank.interval(0)
        if interval is not None and self._bank.counts[0] >= WARMUP:
            step = max(1, round(interval))
            self.times = self._bank.marks[0] + step * np.arange(1, SHIFT_ROWS + 1)
            self.counter, self._total = self._bank.traits(0).counter, self._bank.last(0)

    def _restore(self, count: int) -> None:
        """Make the first `count` slots as the metric is now."""
        held = len(self._bank)
        if held < count:
            # By doubling: what one call of `load` costs hardly depends on how much it loads.
            self._bank.load(0, self._copies)
            while held < count:
                self._bank.load(held, self._bank.dump(0, min(held, count - held)))
                held = min(2 * held, count)
            self._copies = self._bank.dump(0, count)
        else:
            self._bank.load(0, self._copies)

    def outlook(self, times: Ints) -> "_Outlook":
        """Return what is expected at `times`, as foreseen now."""
        self._restore(times.size)
        seen = self._bank.advance(np.arange(times.size), times, np.zeros(times.size))
        bank = Bank(self._threshold, self._local)
        bank.load(0, self._state)
        # The value does not matter, but that it is remarked: a remark tells what values there were.
        first = bank.advance([0], times[:1], [VALUE_LIMIT])
        days = [day for remark in first.remarks.values() for day in remark.days]
        lowest = min((low for _, low, _ in days), default=-np.inf)
        course, limits = seen.rates(seen.expected), (float(first.lower[0]), float(first.upper[0]))
        if self.counter:
            # A total so large leaves nothing of the rate's band; the remark has it as it was.
            rates = [remark.rates for remark in first.remarks.values() if remark.rates is not None]
            own = (float(seen.rates(seen.lower)[0]), float(seen.rates(seen.upper)[0]))
            limits = rates[0][2:] if rates else own
        floor = 0.0 if self.counter or (lowest >= 0.0 and course[0] > 0.0) else -np.inf
        return _Outlook(times, course, *limits, floor)

    def try_all(self, searches: list[_Search], out: "_Outlook", rows: int) -> None:
        """Try every candidate for that many rows: by how much each is off of what is expected."""
        grid = np.concatenate([search.side * search.grid for search in searches] or [np.zeros(0)])
        self._restore(grid.size + 1)
        course, times = out.course[:rows], out.times[:rows]
        # The last copy sees nothing but what is expected.
        values = np.maximum(course + np.append(grid, 0.0)[:, None] * np.ones(rows), out.floor)
        if self.counter:
            seconds = np.diff(times, prepend=self._bank.marks[0])
            values = self._total + np.cumsum(values * seconds, axis=1)
        slots = np.repeat(np.arange(grid.size + 1), rows)
        seen = self._bank.advance(slots, np.tile(times, grid.size + 1), values.ravel())
        told = (seen.score >= self._threshold).reshape(values.shape)
        calm = ~told[-1]
        calm[0] = True
        # Ten like values may be reported as a flat line, that of no shift as well.
        reported = np.any(told[:-1] & calm, axis=1)
        start = 0
        for search in searches:
            search.reported = np.asarray(reported[start : start + search.grid.size])
            start += search.grid.size


@dataclass(frozen=True, slots=True)
class _Outlook:
    """The next timestamps, the values expected then, and the band at the first of them.

    `floor` is 0 for a metric that never was negative, else -inf.
    """

    times: Ints
    course: Floats
    lower: float
    upper: float
    floor: float


def sentence(found: Sensitivity) -> str:
    """Say it in words.

    >>> print(sentence(Sensitivity(0, 200.0, 140.0, 260.0, 600.0, Reach(260.0, 60.0),
    ...     Reach(140.0, 60.0), Reach(210.0, 10.0), None)))
    a spike above 260 or a drop below 140 would be reported, and a shift of 10 minutes from 210 up
    >>> print(sentence(Sensitivity(0, 5.0, 5.0, 5.0, 600.0, Reach(5 + 8e-11, 8e-11),
    ...     Reach(5 - 8e-11, 8e-11), Reach(5 + 5e-11, 5e-11), None)))
    any value but 5 would be reported
    >>> print(sentence(Sensitivity(0, 0.0, -1e-61, 1e-61, 600.0, Reach(9e-60, 9e-60),
    ...     Reach(-9e-60, 9e-60), None, None)))
    any value but 0 would be reported
    """
    unit = "/s" if found.rate else ""
    if found.spike and found.drop:
        off = max(found.spike.distance, found.drop.distance)
        if off <= max(SAME * abs(found.expected), NONE):
            only = large(number(found.expected, SAME * abs(found.expected))) + unit
            return f"any value but {only} would be reported"
    width = found.upper - found.lower
    spike, drop, up, down = (
        None if one is None else large(number(one.value, width)) + unit
        for one in (found.spike, found.drop, found.shift_up, found.shift_down)
    )
    single = _either(
        f"a spike above {spike}" if spike else "", f"a drop below {drop}" if drop else ""
    )
    shifts = _either(f"from {up} up" if up else "", f"from {down} down" if down else "")
    lasting = f"a shift of {span(found.shift_s)}"
    if not single and not shifts:
        return f"neither a single datapoint nor {lasting} would be reported, whatever its value"
    if not single:
        return f"no single datapoint would be reported, but {lasting} {shifts}"
    if not shifts:
        return f"{single} would be reported, but no shift of {span(found.shift_s)}"
    return f"{single} would be reported, and {lasting} {shifts}"


def _either(*parts: str) -> str:
    return " or ".join(part for part in parts if part)
