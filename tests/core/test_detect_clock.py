"""What the detector knows of days and weeks: habits, the local clock, new levels, odd courses."""

import numpy as np
import pytest

from fluxd.core.detect import UTC, Bank, LocalTime, Remark, habit
from fluxd.core.detect.layout import DAY_BINS, Floats, Ints
from fluxd.core.detect.rounds import Rows
from fluxd.core.detect.verdicts import Verdicts

DAY_S, WEEK_S, HOUR_S = 86_400, 604_800, 3_600
START = 1_700_000_000 // WEEK_S * WEEK_S
A_DAY = 144  # rows of ten minutes


def clock(days: int) -> Ints:
    return START + 600 * np.arange(days * A_DAY)


def fed(times: Ints, values: Floats, local: LocalTime = UTC) -> tuple[Bank, Verdicts]:
    bank = Bank(local=local)
    bank.grow(1)
    return bank, bank.advance(np.zeros(times.size, np.int64), times, values)


def told(verdicts: Verdicts, cause: str) -> dict[int, Remark]:
    return {row: remark for row, remark in verdicts.remarks.items() if remark.cause == cause}


def with_job(times: Ints, seed: int = 1) -> Floats:
    """Noise around 100, and 140 for half an hour from six on."""
    values = 100.0 + np.random.default_rng(seed).normal(size=times.size)
    values[times % DAY_S // 1_800 == 12] += 40.0
    return values


# ---- habits


def test_what_comes_every_day_is_usual_and_missed_when_it_does_not_come() -> None:
    times = clock(10)
    values = with_job(times)
    _, verdicts = fed(times, values)
    assert not [row for row in verdicts.remarks if row >= 5 * A_DAY]
    gone = (times // DAY_S == times[-1] // DAY_S) & (values > 130.0)
    values[gone] -= 40.0
    _, verdicts = fed(times, values)
    ((row, remark),) = told(verdicts, "missing").items()
    due = np.flatnonzero(gone)[0]
    assert due < row < due + 15  # two hours and a half
    assert remark.usual == pytest.approx(140.0, abs=4.0)


def test_a_habit_is_one_of_its_time_of_day() -> None:
    times = clock(10)
    values = with_job(times)
    bank, _ = fed(times, values)
    local = np.array([6 * HOUR_S, 6 * HOUR_S + 1_200, 8 * HOUR_S, 18 * HOUR_S])
    none = np.zeros(4, np.int64)
    rows = Rows(none, none, local, values[:4], none, none, values[:4], 0, 0)
    low, high = habit.usual(bank._state, rows)
    assert (high + origin(bank)).round(-1).tolist() == [140.0, 140.0, 100.0, 100.0]
    assert (low[2:] + origin(bank)).round(-1).tolist() == [100.0, 100.0]
    assert (low[2:] < high[2:]).all()


# ---- the local clock


def summer(change: int) -> LocalTime:
    return LocalTime(np.array([change]), np.array([HOUR_S, 2 * HOUR_S]))


def test_a_day_is_one_of_the_local_clock() -> None:
    times = START + 600 * np.arange(36)  # six hours
    bank, _ = fed(times, np.zeros(36), LocalTime(offsets=np.array([-7_200])))
    visited = np.flatnonzero(bank._state.day_rows[0])
    assert visited.tolist() == [*range(24), *range(DAY_BINS - 7, DAY_BINS)]  # five set the origin
    week = np.flatnonzero(bank._state.week_rows[0])
    assert week.tolist() == [0, 1, 2, 3, 166, 167]


def test_a_job_follows_the_local_clock_over_a_change_of_summer_time() -> None:
    times, change = clock(12), START + 10 * DAY_S + HOUR_S
    local = summer(change)
    values = with_job(local.local(times))
    by_clock = fed(times, values, local)[1]
    by_utc = fed(times, values)[1]
    after = 10 * A_DAY
    assert not [row for row in by_clock.remarks if row >= after]
    assert [row for row in by_utc.remarks if row >= after]


@pytest.mark.parametrize(("row", "offset"), [(299, HOUR_S), (300, 2 * HOUR_S)])
def test_the_remark_has_the_offset_of_its_moment(row: int, offset: int) -> None:
    times = clock(3)
    local = summer(int(times[300]))
    values = np.random.default_rng(3).normal(size=times.size)
    values[row] += 60.0
    assert fed(times, values, local)[1].remarks[row].offset == offset


# ---- a new level


def test_after_more_than_a_day_the_profiles_are_at_the_new_level() -> None:
    times = clock(20)
    values = 100.0 + np.random.default_rng(4).normal(size=times.size)
    shift = 17 * A_DAY
    values[shift:] += 50.0
    for hours, level in ((10, 100.0), (23, 100.0), (26, 150.0)):
        bank, _ = fed(times[: shift + 6 * hours], values[: shift + 6 * hours])
        ahead = bank._state.day[0, 6 * 16 : 6 * 23, 0] + origin(bank)  # not visited since
        assert ahead.mean() == pytest.approx(level, abs=1.5), hours
        week = bank._state.week[0, 24 * 4 : 24 * 7] + origin(bank)
        assert week.mean() == pytest.approx(level, abs=3.0), hours
        assert bank.firsts.tolist() == [times[0]]
    assert bank._state.habit_days[0].max() == 1  # what was since


def test_a_visit_of_some_hours_moves_no_profile() -> None:
    times = clock(12)
    values = 100.0 + np.random.default_rng(5).normal(size=times.size)
    values[10 * A_DAY : 10 * A_DAY + 36] += 50.0
    bank, _ = fed(times, values)
    assert bank._state.day[0, :, 0].mean() + origin(bank) == pytest.approx(100.0, abs=8.0)
    assert bank._state.habit_days[0].all()


def origin(bank: Bank) -> float:
    return float(bank._state.vitals[0, 0])


# ---- an odd course


def shop(days: int, seed: int = 6) -> tuple[Ints, Floats]:
    """Walk around 200 on five days of a week, around 100 on two."""
    times = clock(days)
    rng = np.random.default_rng(seed)
    walk = np.zeros(times.size)
    for n, step in enumerate(rng.normal(0.0, 1.0, times.size - 1), 1):
        walk[n] = 0.95 * walk[n - 1] + step
    workday = times // DAY_S % 7 < 5
    return times, walk + np.where(workday, 200.0, 100.0)


def test_hours_unlike_this_time_of_the_week_are_told_though_no_step_is() -> None:
    times, values = shop(42)
    today = times // DAY_S == times[-1] // DAY_S - 3
    first = int(np.flatnonzero(today)[0])
    assert not told(fed(times, values)[1], "course")
    values[today] -= 50.0 - 50.0 * np.cos(2.0 * np.pi * times[today] / DAY_S)
    course = told(fed(times, values)[1], "course")
    assert course
    assert first <= min(course) < first + A_DAY
    remark = next(iter(course.values()))
    assert remark.usual == pytest.approx(200.0, abs=40.0)
    assert remark.lasted == HOUR_S


def test_a_course_in_the_warm_up_is_the_same_among_others() -> None:
    """Rows of a day: the course is judged before the warm-up is over."""
    times = START + DAY_S * np.arange(140)
    values = np.random.default_rng(7).normal(size=140)
    values[60:] += 40.0
    old = START - 60 * np.arange(400, 0, -1)
    alone, among = fed(times, values)[1].score, []
    bank = Bank()
    bank.grow(2)
    bank.advance(np.ones(400, np.int64), old, np.sin(old))
    for time, value in zip(times, values, strict=True):
        row = bank.advance(np.arange(2), np.full(2, time), np.array([value, 1.0]))
        among.append(float(row.score[0]))
    assert alone.tolist() == among
