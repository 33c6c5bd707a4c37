"""What an anomaly says of its own stretch is true of its datapoints."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from fluxd.core import stretch_saved
from fluxd.core.anomalies import Stretches
from fluxd.core.anomaly import Anomaly
from fluxd.core.budget import Standing
from fluxd.core.detect import Bank, Remark, Verdicts
from fluxd.core.excerpt import Row
from fluxd.core.stretch import Stretch

START = 1_700_000_000
BAND = (100.0, 90.0, 110.0)  # expected, lower, upper


def remark(n: int, rarity: float = 9.0, **facts: Any) -> Remark:
    days = [(START // 86_400, 80.0, 120.0)]
    return Remark(rarity, 1.0, 60.0, n, START - 600_000, days, **facts)


def told(rows: list[tuple[float, Any]], band: Any = lambda _n: BAND) -> Anomaly:
    """Return the anomaly of rows (value, remark or None), a minute apart, after its end."""
    stretch: Stretch | None = None
    for n, (value, found) in enumerate([*rows, *[(100.0, None)] * 6]):
        row = Row(START + 60 * n, value, *band(n), 0.5 if found else 0.0, history=False)
        if stretch is None:
            assert found is not None
            stretch = Stretch.open(row.timestamp, found, Standing(1, None), None)
        _ = stretch.meet(row, found) if found else stretch.rest(row)
    assert stretch is not None
    return stretch.snapshot(0)


def odd(*values: float, **facts: Any) -> list[tuple[float, Any]]:
    return [(value, remark(n, 9.0 - n, **facts)) for n, value in enumerate(values)]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_peak_is_the_value_farthest_off_by_the_band_before_it(sign: float) -> None:
    """The forecast follows: each later value is a lesser surprise by a band nearer to it."""

    def bent(n: int) -> tuple[float, float, float]:
        centre = 100.0 + sign * 15.0 * n
        return centre, centre - 10.0, centre + 10.0

    values = [100.0 + sign * by for by in (30.0, 70.0, 55.0)]
    found = told(odd(*values), bent)
    assert (found.peak, found.value) == (START + 60, values[1])
    assert (found.expected, found.lower, found.upper) == BAND
    assert found.kind == ("spike" if sign > 0 else "drop")
    assert f", {'high' if sign > 0 else 'low'} for 3 minutes; expected" in found.explanation


def test_a_value_that_its_own_band_holds_already_is_the_peak_too() -> None:
    rows = [*odd(60.0), (0.0, remark(1, 3.0, cause="pattern"))]
    found = told(rows, lambda n: BAND if n == 0 else (60.0, -5.0, 140.0))
    assert (found.value, found.lower, found.upper) == (0.0, 90.0, 110.0)
    assert found.explanation.startswith("0 at ")


def test_the_way_back_is_neither_peak_nor_lasting() -> None:
    """By a forecast that went along, the first value that is as usual again is far off."""
    rows = [(160.0, remark(0, 5.0)), (220.0, remark(1, 9.0)), (100.0, remark(2, 8.0))]
    found = told(rows, lambda n: BAND if n == 0 else (150.0, 140.0, 160.0))
    assert (found.kind, found.value, found.datapoints) == ("spike", 220.0, 3)
    assert ", high for 2 minutes; " in found.explanation
    once = told(
        [(20.0, remark(0, 9.0)), (100.0, remark(1, 5.0))],
        lambda n: (100.0 - 40 * n, 90.0 - 40 * n, 110.0 - 40 * n),
    )
    assert once.explanation.startswith("20 at 22:13 UTC on 2023-11-14; expected between")


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_on_the_way_back_it_is_off_to_the_same_side_still(sign: float) -> None:
    """By a forecast that went along, it is off to the other one."""
    rows = [(100.0 + sign * by, remark(n)) for n, by in enumerate((80.0, 30.0))]
    went = (100.0 + sign * 80.0, 90.0 + sign * 80.0, 110.0 + sign * 80.0)
    found = told(rows, lambda n: BAND if n == 0 else went)
    assert f", {'high' if sign > 0 else 'low'} for 2 minutes; expected" in found.explanation


def test_the_way_back_is_no_peak_even_if_it_is_the_rarest_of_all() -> None:
    """A metric that climbs in steps and falls at once."""
    rows = [(130.0, remark(0, 3.0)), (170.0, remark(1, 4.0)), (100.0, remark(2, 12.0))]
    found = told(
        rows, lambda n: (BAND, (130.0, 120.0, 140.0), (170.0, 160.0, 180.0), *[BAND] * 6)[n]
    )
    assert (found.kind, found.value, found.peak) == ("spike", 170.0, START + 60)


def test_quiet_datapoints_count_while_they_are_off() -> None:
    low = [(60.0, None)] * 3
    found = told([*odd(40.0), *low, (50.0, remark(4, 2.0)), (60.0, None)])
    # What came after its last anomalous datapoint is not part of it.
    assert ", low for 5 minutes; expected" in found.explanation


def test_off_to_both_sides_is_not_high() -> None:
    rows = [(160.0, remark(0, 9.0)), *[(100.0, None)] * 3, (40.0, remark(4, 8.0))]
    rows += [(100.0, None), (45.0, remark(6, 7.0))]
    found = told(rows)
    assert found.kind == "spike"
    assert ", the farthest off of 3 datapoints within 7 minutes; " in found.explanation


def test_a_band_of_more_than_an_hour_ago_holds_no_longer() -> None:
    rows = [
        *odd(150.0, pattern="day"),
        *[(100.0, None), (100.0, None), (130.0, remark(3, 2.0))] * 21,
    ]
    rows += [(200.0, remark(70, 2.0))]
    later = (130.0, 120.0, 140.0)
    found = told(rows, lambda n: BAND if n < 60 else later)
    assert (found.value, found.lower, found.upper) == (200.0, 120.0, 140.0)


def test_an_odd_course_goes_on_from_where_it_began() -> None:
    rows = [(60.0, remark(n, cause="course", lasted=3_600.0, usual=100.0)) for n in range(4)]
    found = told(rows)
    began = datetime.fromtimestamp(START - 3_600, UTC)
    assert found.explanation.startswith(f"Low for 63 minutes, since {began:%H:%M} UTC on ")


def test_two_odd_courses_with_usual_hours_between_are_not_one() -> None:
    course = remark(0, cause="course", lasted=3_600.0, usual=100.0)
    course.interval = 3_600.0
    stretch = Stretch.open(START, course, Standing(1, None), None)
    for hour in (0, 1, 10):
        row = Row(START + 3_600 * hour, 60.0, *BAND, 0.5, history=False)
        stretch.meet(row, course)
    began = datetime.fromtimestamp(START + 9 * 3_600, UTC)
    told_at = f"Low for 60 minutes, since {began:%H:%M} UTC on "
    assert stretch.snapshot(0).explanation.startswith(told_at)


def flat(values: list[float], remarks: dict[int, Remark]) -> list[Anomaly]:
    """Return what is told of a metric that stood still at first."""
    count, bank = len(values), Bank()
    bank.grow(1)
    verdicts = Verdicts.blank(count)
    verdicts.analysed[:], verdicts.score[:] = True, 0.0
    verdicts.score[list(remarks)] = 0.5
    verdicts.expected[:], verdicts.lower[:], verdicts.upper[:] = BAND
    verdicts.remarks.update(remarks)
    slots, history = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    times = START + 60 * np.arange(count)
    return Stretches().follow(bank, slots, times, np.array(values), history, verdicts)


def test_a_flat_line_is_over_once_it_moved_and_what_comes_then_is_something_else() -> None:
    still = remark(0, cause="flat", lasted=7_200.0, usual=300.0)
    values = [0.0] * 100 + [5.0, 6.0, 5.0] + [0.0] * 30 + [900.0] + [5.0] * 9
    line, spike = flat(values, {0: still, 133: remark(133)})
    assert (line.kind, line.started, line.ended) == ("flat line", START - 7_200, START + 60 * 99)
    assert line.explanation.startswith("Exactly 0 for 3 hours, since 20:13 UTC")
    assert (spike.kind, spike.started) == ("spike", START + 60 * 133)


def test_another_flat_line_is_not_the_first_one() -> None:
    first = remark(0, cause="flat", lasted=7_200.0, usual=300.0)
    then = remark(140, cause="flat", lasted=2_340.0, usual=7_200.0)
    one, other = flat([0.0] * 100 + [5.0] * 50, {0: first, 140: then})
    assert (one.value, one.ended) == (0.0, START + 60 * 99)
    assert (other.value, other.started) == (5.0, START + 60 * 101)


def test_a_flat_line_that_began_with_a_jump_is_one_anomaly() -> None:
    """Within what it was before; at a value that it never had, being there says more."""
    still = remark(40, 1.0, cause="flat", lasted=2_400.0, usual=60.0)
    rows = dict.fromkeys(range(3), remark(0)) | {40: still, 41: still}
    (line,) = flat([119.0] * 90 + [100.0] * 9, rows)
    assert (line.kind, line.started, line.ended) == ("flat line", START, START + 60 * 89)
    assert line.explanation.startswith("Exactly 119 for 89 minutes, since 22:13 UTC")
    assert line.score == 0.5
    (shift,) = flat([0.0] * 90 + [100.0] * 9, rows)
    assert shift.kind == "level shift"
    assert shift.explanation.startswith("Fell from about 100 to 0 at 22:13")


def test_what_ends_a_flat_line_does_not_take_its_place() -> None:
    still = remark(0, cause="flat", lasted=7_200.0, usual=300.0)
    (line,) = flat([0.0] * 100 + [900.0] + [5.0] * 9, {0: still, 100: remark(100, 12.0)})
    assert line.kind == "flat line"
    assert line.explanation.startswith("Exactly 0 for ")


def test_what_was_saved_before_sides_were_counted_goes_on() -> None:
    rows = [Row(START + 60 * n, 160.0, *BAND, 0.5, history=False) for n in range(4)]
    stretch = Stretch.open(START, remark(0), Standing(1, None), None)
    for row in rows[:3]:
        stretch.meet(row, remark(0))
    assert stretch_saved.load(stretch_saved.dump(stretch)) == stretch
    saved = stretch_saved.dump(stretch)
    for name in ("above", "below", "banded"):
        del saved[name]
    old = stretch_saved.load(saved)
    for one in (stretch, old):
        one.meet(rows[3], remark(3))
        one.ended = one.last
    assert ", high for 4 minutes; " in old.snapshot(0).explanation
    assert old.snapshot(0) == stretch.snapshot(0)
