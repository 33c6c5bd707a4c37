"""The sentence that says why."""

from typing import Any

import pytest

from fluxd.core.explain import moment, number, sentence, span

PEAK = 1_793_714_700  # 14:05 UTC on 2026-11-03
TODAY = PEAK // 86_400


def evidence(**changes: Any) -> dict[str, Any]:
    return {
        "lowest": 150.0,
        "highest": 300.0,
        "known": 30_240,
        "known_s": 21 * 86_400,
        "days": [(TODAY - age, 160.0, 290.0) for age in range(21)],
    } | changes


def tell(value: float, kind: str = "drop", **changes: Any) -> str:
    band = changes.pop("band", (180.0, 220.0, 260.0))
    return sentence(kind, peak=PEAK, value=value, band=band, evidence=evidence(**changes))


def test_a_drop_below_all_that_was_seen() -> None:
    assert tell(43.0) == (
        "43 at 14:05 UTC on 2026-11-03; expected between 180 and 260."
        " Lowest of all 30,240 datapoints in 21 days."
    )


def test_a_spike_that_is_the_highest_in_some_days() -> None:
    days = [(TODAY, 160.0, 290.0), (TODAY - 1, 160.0, 290.0), (TODAY - 9, 160.0, 900.0)]
    assert tell(800.0, "spike", days=days).endswith(" Highest in 9 days.")


def test_what_was_seen_yesterday_is_no_record() -> None:
    days = [(TODAY, 160.0, 290.0), (TODAY - 1, 10.0, 290.0)]
    assert tell(43.0, days=days).endswith("between 180 and 260.")


def test_a_long_memory_says_so() -> None:
    assert tell(43.0, known_s=400 * 86_400).endswith(" Lowest in more than 27 days.")


def test_no_negative_bound_for_what_was_never_negative() -> None:
    told = tell(900.0, "spike", band=(-40.0, 100.0, 260.0))
    assert "expected at most 260" in told


def test_life_in_a_constant_metric() -> None:
    told = tell(
        5.0, "spike", band=(0.0, 0.0, 0.0), lowest=0.0, highest=0.0, days=[(TODAY, 0.0, 0.0)]
    )
    assert "expected 0, as always so far" in told


def test_a_level_shift_and_a_pattern_are_told_as_such() -> None:
    assert "It then stayed lower: a level shift." in tell(43.0, "level shift")
    assert "unlike anything this metric did in 21 days" in tell(200.0, "unusual pattern")


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (0.0, 1.0, "0"),
        (-43.0, 80.0, "-43"),
        (0.00000123456, 0.0, "1.23e-06"),
        (0.00123456, 0.0, "0.00123"),
        (1.23456, 0.0, "1.23"),
        (98.7654, 0.0, "98.8"),
        (98.7654, 9.0, "98.765"),
        (123_456_789.0, 0.0, "123,000,000"),
        (1.5e9, 1e6, "1,500,000,000"),
        (1e30, 0.0, "1.00e+30"),
        (-1e30, 1e-3, "-1.00000000000e+30"),
    ],
)
def test_numbers_read_well_at_every_scale(value: float, width: float, text: str) -> None:
    assert number(value, width) == text


def test_times_and_spans() -> None:
    assert moment(PEAK) == "14:05 UTC on 2026-11-03"
    assert moment(10**15) == "timestamp 1000000000000000"
    assert span(0) == "1 minute"
    assert span(7200) == "2 hours"
    assert span(172_800) == "2 days"
