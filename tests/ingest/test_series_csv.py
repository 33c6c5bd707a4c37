"""CSV files as people have them."""

import pytest

from fluxd.ingest.series_csv import parse_time, read_series


def test_unix_seconds_with_and_without_a_header() -> None:
    for lines in (["timestamp,value", "1700000000,1.5"], ["1700000000,1.5"], ["1700000000.0,1.5"]):
        series = read_series(lines)
        assert (series.timestamps, series.values) == ([1_700_000_000], [1.5])
        assert series.skipped == 0


@pytest.mark.parametrize(
    "text",
    [
        "2023-11-14T22:13:20Z",
        "2023-11-14 22:13:20",
        "2023-11-14T23:13:20+01:00",
        "2023-11-14T22:13:20.250Z",
        " 1700000000 ",
    ],
)
def test_the_same_second_in_every_spelling(text: str) -> None:
    assert parse_time(text) == 1_700_000_000


def test_what_is_left_out_is_told_with_its_line() -> None:
    lines = ["timestamp,value", "1700000000,1", "", "yesterday,2", "1700000060,nan", "1700000120"]
    series = read_series([*lines, "1700000000000,3", "1700000180,4,extra"])
    assert series.timestamps == [1_700_000_000, 1_700_000_180]
    assert series.skipped == 4
    assert [line for line, _ in series.faults] == [4, 5, 6, 7]
    reasons = " ".join(reason for _, reason in series.faults)
    for part in ("'yesterday'", "'nan'", "expected timestamp,value", "divide milliseconds"):
        assert part in reasons


def test_faults_are_bounded_and_counted() -> None:
    series = read_series(["1700000000,1", *(["x,y"] * 1000)])
    assert series.skipped == 1000
    assert len(series.faults) == 20
