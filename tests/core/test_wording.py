"""Numbers and times as a person would write them."""

import pytest

from fluxd.core.wording import moment, number, rough, span, weekday

PEAK = 1_793_714_700  # 14:05 UTC on 2026-11-03


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


@pytest.mark.parametrize(
    ("value", "width", "text"),
    [
        (-0.004, 8.0, "0"),
        (180.4321, 80.0, "180"),
        (1.8e-6, 8e-7, "1.80e-06"),
        (1.8e9, 8e8, "1,800,000,000"),
        (1.8e20, 8e19, "1.80e+20"),
        (219.9, 0.0, "220"),
        (219.9, float("inf"), "220"),
        (219.9, float("nan"), "220"),
    ],
)
def test_what_is_no_datapoint_is_told_roughly(value: float, width: float, text: str) -> None:
    assert rough(value, width) == text


def test_times_and_spans() -> None:
    assert moment(PEAK) == "14:05 UTC on 2026-11-03"
    assert moment(PEAK, -18_000) == "09:05 on 2026-11-03"
    assert moment(10**15) == "timestamp 1000000000000000"
    assert weekday(10**15) == "day"
    assert span(0) == "1 second"
    assert span(60) == "1 minute"
    assert span(7200) == "2 hours"
    assert span(172_800) == "2 days"
