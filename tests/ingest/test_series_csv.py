"""CSV files as people have them."""

from pathlib import Path

import pytest

from fluxd.ingest.series_csv import parse_time, read_series


def test_unix_seconds_with_and_without_a_header() -> None:
    for lines in (["timestamp,value", "1700000000,1.5"], ["1700000000,1.5"], ["1700000000.0,1.5"]):
        series = read_series(lines)
        assert (series.timestamps.tolist(), series.values.tolist()) == ([1_700_000_000], [1.5])
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
    series = read_series([*lines, "1700000000000,3", "1700000180,4,extra", "1700000240,1_0"])
    assert series.timestamps.tolist() == [1_700_000_000, 1_700_000_180]
    assert series.skipped == 5
    assert [line for line, _ in series.faults] == [4, 5, 6, 7, 9]
    reasons = " ".join(reason for _, reason in series.faults)
    for part in ("'yesterday'", "'nan'", "expected timestamp,value", "divide milliseconds", "1_0"):
        assert part in reasons


def test_a_first_row_that_is_no_header_is_told() -> None:
    series = read_series(["1700000000000,1", "1700000060,2"])
    assert [line for line, _ in series.faults] == [1]
    assert read_series(["", "time", "1700000060,2"]).skipped == 1  # a header is the first line


def test_a_byte_order_mark_does_not_make_a_header_of_the_first_row() -> None:
    series = read_series(["\ufeff1700000000,1\n", '"1700000060",2\n'])
    assert (list(series.values), series.skipped) == ([1.0, 2.0], 0)
    assert list(read_series(['\ufeff"1700000000",1']).values) == [1.0]
    assert not read_series([]).values


def test_a_field_is_quoted_only_as_far_as_it_helps() -> None:
    for line in ("x" * 9_000, "1700000000," + "x" * 9_000, "1" * 9_000 + ",1"):
        ((_, reason),) = read_series(["time,value", line]).faults
        assert "…" in reason
        assert len(reason) < 200


def test_fields_may_be_quoted_and_lines_end_as_they_like() -> None:
    lines = ['"time","value"\r\n', '"1700000000","1.5"\r\n', "2023-11-14T22:14:20Z,2e3\n"]
    series = read_series(lines)
    assert list(zip(series.timestamps, series.values, strict=True)) == [
        (1_700_000_000, 1.5),
        (1_700_000_060, 2000.0),
    ]


def test_faults_are_bounded_and_counted() -> None:
    series = read_series(["1700000000,1", *(["x,y"] * 1000)])
    assert series.skipped == 1000
    assert len(series.faults) == 20


def test_a_file_that_is_no_text_is_not_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"1700000000,1\n\xff\xfe\n")
    with (tmp_path / "a.csv").open(encoding="utf-8") as lines, pytest.raises(UnicodeDecodeError):
        read_series(lines)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("value,timestamp", "5,1700000000"),
        ("Value, Time", "5,1700000000"),
        ("metric,timestamp,value", "web.cpu,1700000000,5"),
        ("time,metric,value", "1700000000,web.cpu,5"),
        ("date,host,cpu", "2023-11-14T22:13:20,web-1,5"),
        ("timestamp,score,value", "1700000000,0.5,5"),
        ("zeit,wert", "1700000000,5"),
        ("value,zeit", "5,1700000000"),
        ("timestamp,5xx", "1700000000,5"),
    ],
)
def test_a_header_says_where_time_and_value_are(header: str, row: str) -> None:
    series = read_series([header, row])
    assert (list(series.timestamps), list(series.values)) == ([1_700_000_000], [5.0])
    assert (series.skipped, series.note) == (0, "")


def test_of_several_columns_it_says_which_it_reads() -> None:
    series = read_series(["timestamp,cpu,mem", "1700000000,5,7"])
    assert list(series.values) == [5.0]
    assert series.note == "values are read from the column 'cpu'; not from 'mem'"


def test_a_row_of_another_metric_and_one_that_is_too_short_are_left_out() -> None:
    rows = ["1700000000,web,5", "1700000000,db,6", "1700000060,web"]
    series = read_series(["time,metric,value", *rows])
    assert list(series.values) == [5.0]
    (_, other), (_, short) = series.faults
    assert other.startswith("it is of 'db', and the file's first datapoint of 'web'")
    assert short == "expected as many columns as the header has, and got 2"
