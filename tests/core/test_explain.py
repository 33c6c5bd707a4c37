"""The sentence that says why."""

import re
from typing import Any

import pytest

from fluxd.core.explain import odds, sentence
from fluxd.core.story import Story

PEAK = 1_793_714_700  # 14:05 UTC on Tuesday, 2026-11-03
DAY_S = 86_400
TODAY = PEAK // DAY_S


def story(value: float, **changes: Any) -> Story:
    facts: dict[str, Any] = {
        "started": PEAK,
        "ended": PEAK,
        "peak": PEAK,
        "value": value,
        "expected": 220.0,
        "lower": 180.0,
        "upper": 260.0,
        "anomalous": 1,
        "interval": 60.0,
        "known": 30_240,
        "known_s": 21 * DAY_S,
        "lowest": 150.0,
        "highest": 300.0,
        "days": [(TODAY - age, 160.0, 290.0) for age in range(21)],
    }
    return Story(**facts | changes)


def tell(value: float, kind: str = "drop", **changes: Any) -> str:
    return sentence(kind, story(value, **changes))


def constant(at: float, **changes: Any) -> dict[str, Any]:
    """Return the facts of a metric that had one value for twelve days."""
    return {
        "lowest": at,
        "highest": at,
        "expected": at,
        "lower": at,
        "upper": at,
        "known_s": 12 * DAY_S,
        "days": [(TODAY - age, at, at) for age in range(13)],
    } | changes


def test_a_drop_says_what_it_was_when_and_what_it_should_have_been() -> None:
    assert tell(43.0) == (
        "43 at 14:05 UTC on 2026-11-03; expected between 180 and 260 after the last datapoints."
        " Lowest in 21 days."
    )


def test_it_says_what_the_expectation_rests_on_by_the_local_clock() -> None:
    assert tell(43.0, pattern="week") == (
        "43 at 14:05 UTC on 2026-11-03; on Tuesdays at this hour it lies between 180 and 260."
        " Lowest in 21 days."
    )
    assert "; at this time of day it lies between 180 and 260." in tell(43.0, pattern="day")
    late = tell(43.0, pattern="week", offset=36_000)
    assert late.startswith("43 at 00:05 on 2026-11-04; on Wednesdays at this hour")


def test_how_long_it_was_off_is_told_once_it_is_over() -> None:
    long = {"ended": PEAK + 24 * 60, "anomalous": 25, "beyond": 25, "beyond_s": 24 * 60}
    assert ", low for 25 minutes; expected" in tell(43.0, **long)
    assert ", high for 25 minutes; expected" in tell(800.0, "spike", **long)
    assert "minutes" not in tell(43.0, ended=None, anomalous=25)
    few = tell(43.0, ended=PEAK + 119 * 60, anomalous=3, beyond=3, beyond_s=119 * 60)
    assert ", the farthest off of 3 datapoints within 2 hours; expected" in few


def test_a_way_back_that_is_odd_too_does_not_make_it_last_longer() -> None:
    echo = {"ended": PEAK + 60, "anomalous": 2, "beyond": 1}
    assert tell(43.0, **echo).startswith("43 at 14:05 UTC on 2026-11-03; expected")
    both = {"ended": PEAK + 300, "anomalous": 6, "beyond": 3, "beyond_s": 120}
    assert ", low for 3 minutes; expected" in tell(43.0, **both)


def test_a_record_is_told_where_it_is_news() -> None:
    days = [(TODAY, 160.0, 290.0), (TODAY - 1, 160.0, 290.0), (TODAY - 9, 160.0, 900.0)]
    # The 900 may be of the last minute of its day.
    assert tell(800.0, "spike", days=days).endswith(" Highest in 8 days.")
    days = [(TODAY, 160.0, 290.0), (TODAY - 2, 10.0, 290.0)]
    assert tell(43.0, days=days).endswith(" Lowest in 38 hours.")
    days = [(TODAY, 160.0, 290.0), (TODAY - 1, 10.0, 290.0)]
    assert tell(43.0, days=days).endswith("after the last datapoints.")
    assert tell(43.0, known_s=400 * DAY_S).endswith(" Lowest in more than 27 days.")


def test_no_negative_bound_for_what_was_never_negative() -> None:
    band = {"lower": -40.0, "expected": 100.0}
    assert "; expected at most 260 after" in tell(900.0, "spike", **band)
    assert "it is at most 260." in tell(900.0, "spike", pattern="day", **band)
    assert "between -40 and 260" in tell(900.0, "spike", lowest=-1.0, **band)


def test_a_band_that_is_nothing_beside_the_metrics_range_is_one_number() -> None:
    band = {"lower": -1.3e-7, "expected": 0.0, "upper": 1.3e-7, "lowest": 0.0, "highest": 2e6}
    told = tell(20_765_900.0, "spike", **band)
    assert told.startswith("20.7659 million at")
    assert "; expected 0 after the last datapoints." in told
    assert "at this time of day it is 0." in tell(20_765_900.0, "spike", pattern="day", **band)


def test_a_value_is_never_told_as_inside_the_band_that_it_left() -> None:
    told = tell(217.4, "spike", lower=-3.0, expected=100.0, upper=217.2, lowest=-9.0)
    assert told.startswith("217.4 at")
    assert "between -3 and 217 after" in told


@pytest.mark.parametrize("scale", [1e-6, 1.0, 100.0, 1e9])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_it_reads_well_at_every_scale(scale: float, sign: float) -> None:
    bounds = sorted([1.8 * sign * scale, 2.6 * sign * scale])
    told = tell(
        0.43 * sign * scale,
        expected=2.2 * sign * scale,
        lower=bounds[0],
        upper=bounds[1],
        lowest=-scale * 9,
        highest=scale * 9,
        days=[(TODAY, -scale * 9, scale * 9)],
    )
    number = r"(\S+(?: [mb]illion)?)"
    found = re.match(rf"{number} at .*between {number} and {number} after", told)
    assert found is not None, told
    value, lower, upper = (
        float(text.replace(",", "").replace(" million", "e6").replace(" billion", "e9"))
        for text in found.groups()
    )
    assert (value, lower, upper) == pytest.approx((0.43 * sign * scale, *bounds), rel=0.02)
    assert len(told) < 130


def test_the_first_change_of_a_constant_metric() -> None:
    assert tell(7.0, "spike", **constant(5.0)) == (
        "7 at 14:05 UTC on 2026-11-03: first change after 12 days at 5."
    )
    single = [(TODAY, 0.1, 0.1), (TODAY - 1, 0.10000000149, 0.10000000149)]  # as singles are kept
    told = tell(0.2, "spike", **constant(0.1, highest=0.10000000149, days=single))
    assert told.endswith(": first change after 12 days at 0.1.")
    assert tell(7.0, "spike", **constant(5.0, known_s=6_000, known=100)).endswith(
        "first change after 100 datapoints at 5."
    )


def test_a_level_shift_names_both_levels() -> None:
    levels = {"old_level": 220.4, "new_level": 43.2, "anomalous": 5}
    assert tell(40.0, "level shift", **levels) == (
        "Fell from about 220 to about 43 at 14:05 UTC on 2026-11-03 and stayed there, which counts"
        " as usual now. Lowest in 21 days."
    )
    assert "stayed there. Lowest" in tell(40.0, "level shift", **levels, ended=None)
    back = tell(40.0, "level shift", **levels, returned=PEAK + 10_800)
    assert "stayed there for 3 hours, until 17:05. Lowest" in back
    shift = {"old_level": 5.0, "new_level": 7.0}
    assert tell(7.0, "level shift", **constant(5.0, **shift)) == (
        "Rose from 5 to 7 at 14:05 UTC on 2026-11-03 and stayed there, which counts as usual"
        " now: first change after 12 days."
    )


def test_a_pattern_is_no_single_value() -> None:
    assert tell(200.0, "unusual pattern", cause="pattern") == (
        "200 at 14:05 UTC on 2026-11-03 is nothing by itself (expected between 180 and 260 after"
        " the last datapoints), but the course of the last few datapoints is unlike any in 21 days."
    )
    assert tell(200.0, "unusual pattern") == tell(200.0, "unusual pattern", cause="pattern")


def test_a_flat_line_says_since_when() -> None:
    flat = {"cause": "flat", "lasted": 10_800.0, "lasted_at": PEAK, "usual": 240.0}
    assert tell(5.2, "flat line", **flat) == (
        "Exactly 5.2 for 3 hours, since 11:05 UTC on 2026-11-03;"
        " it usually stands still for no longer than 4 minutes."
    )
    never = tell(5.2, "flat line", **flat | {"usual": 0.0})
    assert never.endswith("; it never stood still before.")


def test_a_course_names_what_is_usual_then() -> None:
    course = {"cause": "course", "lasted": 10_800.0, "lasted_at": PEAK, "usual": 240.3}
    assert tell(119.7, "unusual pattern", pattern="week", **course) == (
        "Low for 3 hours, since 11:05 UTC on 2026-11-03: 119.7 at 14:05, where at this hour of a"
        " Tuesday it is about 240."
    )
    assert "where at this time of day it is" in tell(
        119.7, "unusual pattern", pattern="day", **course
    )
    assert "where it is usually about 240" in tell(119.7, "unusual pattern", **course)
    assert tell(900.0, "unusual pattern", **course).startswith("High for 3 hours")


def test_an_odd_hour_whose_last_datapoint_is_as_usual_is_told_as_an_hour() -> None:
    course = {"cause": "course", "lasted": 3_600.0, "lasted_at": PEAK, "usual": 12.617}
    assert tell(19.0, "unusual pattern", lower=-531.0, upper=633.0, **course) == (
        "The 60 minutes up to 14:05 UTC on 2026-11-03 were, on average, unlike this time of the"
        " week: 19 at 14:05, where it is usually about 12.6."
    )


@pytest.mark.parametrize(
    ("value", "usual", "words"),
    [
        (0.0, 0.29653027653694153, "Did not reach 0.3 by 14:05"),
        (163.73, -1.83e-06, "Did not fall to 0 by 14:05"),
        (43.0, 1_000_000_210.0, "Did not reach 1 billion by 14:05"),
    ],
)
def test_what_did_not_come_is_told_no_finer_than_it_matters(
    value: float, usual: float, words: str
) -> None:
    told = tell(value, "unusual pattern", cause="missing", usual=usual, lower=value, upper=value)
    assert told.startswith(words)


def test_a_trend_says_what_it_will_hit_and_when() -> None:
    trend = {"cause": "trend", "lasted": 3.2 * DAY_S, "lasted_at": PEAK, "limit": 100.0}
    assert tell(87.2, "unusual pattern", due=18_000.0, **trend) == (
        "87.2 at 14:05 UTC on 2026-11-03: it has risen steadily for 3 days; at this pace it"
        " reaches 100 in about 5 hours, at 19:05."
    )
    assert "it has fallen steadily" in tell(187.2, "unusual pattern", due=18_000.0, **trend)


def test_a_minor_one_says_so() -> None:
    told = sentence("drop", story(43.0, place=4), minor=True)
    assert told.endswith(" Lowest in 21 days. 4th within a week on this metric: low severity.")


def test_a_rate_is_told_as_one() -> None:
    assert tell(43.0, rate=True).startswith("43/s at 14:05")
    assert "between 180/s and 260/s" in tell(43.0, rate=True)


def test_an_open_band_is_told_by_what_was_expected() -> None:
    assert "; expected about 220 after" in tell(900.0, "spike", upper=float("inf"))


def test_a_score_is_told_as_odds() -> None:
    assert odds(0.184, None) == "one datapoint in 2,600 is as odd"
    assert "about once in 8 days" in odds(0.184, 300.0)
    assert "about once in 4 years" in odds(0.44, 60.0)
    assert "less than once in 10 years" in odds(1.0, 1.0)


def test_of_what_never_was_negative_the_bound_is_fine_enough() -> None:
    told = tell(90.0, "spike", expected=-9.2, lower=-100.0, upper=76.75, lowest=0.0)
    assert told.startswith("90 at 14:05 UTC on 2026-11-03; expected at most 77 after")
    assert "expected at most 42 after" in tell(90.0, "spike", lower=0.0, upper=42.0, lowest=0.0)


def test_a_value_beyond_a_bound_does_not_read_as_the_bound() -> None:
    assert "expected between 3.2 and 37" in tell(3.0, lower=3.2, upper=37.0, lowest=-1.0)
    assert "expected between 3.2 and 36.7" in tell(37.0, "spike", lower=3.2, upper=36.7)


def test_a_level_of_one_value_alone_is_exact() -> None:
    assert tell(0.0, "level shift", old_level=147.9, new_level=0.0).startswith(
        "Fell from about 148 to 0 at"
    )
    assert " to about 5 at" in tell(5.0, "level shift", old_level=147.9, new_level=4.9)
