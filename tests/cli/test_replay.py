"""`fluxd replay` as a user runs it."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from running import fluxd

from fluxd.core.detect import THRESHOLD, score_series
from fluxd.store import open_store

START = 1_700_000_000


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """Two days of noise at a minute, with a drop of ten minutes at row 2,500."""
    values = 200 + np.random.default_rng(3).normal(0, 4, 2_880)
    values[2_500:2_510] -= 120
    file = tmp_path / "series.csv"
    rows = [f"{START + 60 * n},{value!r}" for n, value in enumerate(values.tolist())]
    file.write_text("\n".join(["timestamp,value", *rows]))
    return file


def test_it_prints_the_anomaly_and_why(series: Path) -> None:
    outcome = fluxd("replay", str(series))
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.count(", score 0.") == 1
    assert "2023-11-16 15:5" in outcome.stdout
    assert "expected between" in outcome.stdout
    assert "1 anomaly in 2,880 datapoints over 47 hours (score" in outcome.stdout


def test_scores_are_those_of_the_library(series: Path) -> None:
    outcome = fluxd("replay", str(series), "--scores", "--timezone", "UTC")
    rows = list(csv.DictReader(outcome.stdout.splitlines()))
    names = ["timestamp", "value", "score", "expected", "lower", "upper", "anomalous"]
    assert list(rows[0]) == names
    assert len(rows) == 2_880
    timestamps = np.array([int(row["timestamp"]) for row in rows])
    values = np.array([float(row["value"]) for row in rows])
    scores = score_series(timestamps, values)
    assert [float(row["score"]) for row in rows] == scores.tolist()
    assert [int(row["anomalous"]) for row in rows] == (scores >= THRESHOLD).astype(int).tolist()
    assert rows[50]["expected"] == ""
    assert float(rows[2_000]["lower"]) <= float(rows[2_000]["expected"])


def test_a_short_series_says_when_analysis_starts(tmp_path: Path) -> None:
    file = tmp_path / "short.csv"
    file.write_text("1700000000,1\n1700000060,2\nbad,row\n")
    outcome = fluxd("replay", str(file))
    assert outcome.returncode == 0
    assert "0 anomalies in 2 datapoints" in outcome.stdout
    assert "starts after 100" in outcome.stdout
    assert "line 3 left out: 'bad'" in outcome.stderr


def shown(tmp_path: Path, *rows: str) -> str:
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(rows))
    return fluxd("replay", str(file)).stdout


def test_it_counts_as_a_person_does(tmp_path: Path) -> None:
    told = shown(tmp_path, "1700000000,1")
    assert told == "0 anomalies in 1 datapoint; analysis starts after 100\n"
    rows = [f"{START + 60 * n},{n % 7}" for n in range(99)]
    told = shown(tmp_path, *rows)
    assert told == "0 anomalies in 99 datapoints over 98 minutes; analysis starts after 100\n"


def test_rows_are_brought_into_the_order_of_time(tmp_path: Path) -> None:
    rows = [f"{START + 60 * n},{n % 7}" for n in range(1_200)]
    told = shown(tmp_path, *rows)
    assert shown(tmp_path, *rows[::-1], rows[7]) == told
    assert "in 1,200 datapoints over 19 hours" in told


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        ("1700000000;1.5\n1700000060;2", "put a comma in place of the semicolon"),
        ("1700000000;1,5\n1700000060;2,5", "put a comma in place of the semicolon, and a point"),
        ("1700000000\t1", "put a comma in place of the tab"),
        ("1700000000000,1", "divide milliseconds by 1000"),
        ("1700000000,web-1,4", "'web-1' is not a number: rows must be timestamp,value"),
        ("timestamp,value\n", "rows must be timestamp,value"),
        ("timestamp,value\n".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
        (gzip.compress(b"1700000000,1", mtime=0), "zcat"),
        (b"\x00\xf0", "it is no text in UTF-8"),
    ],
)
def test_a_file_without_datapoints_is_told_once_with_what_mends_it(
    tmp_path: Path, content: str | bytes, fix: str
) -> None:
    file = tmp_path / "file.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    outcome = fluxd("replay", str(file))
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert fix in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1


def test_stdin_is_read_like_a_file(tmp_path: Path) -> None:
    file = tmp_path / "my file.csv"
    for content, told in (
        (b"\xef\xbb\xbf1700000000,1\n1700000060,2\n", "in 2 datapoints over 1 minute"),
        (gzip.compress(b"1700000000,1", mtime=0), "it is compressed; `zcat "),
        (b"1700000000,1\n1700000060,\xff", "line 2 left out: '\ufffd' is not a number"),
    ):
        file.write_bytes(content)
        for source in (str(file), "-"):
            with file.open() as stdin:
                outcome = fluxd("replay", source, stdin=stdin)
            assert told in outcome.stdout + outcome.stderr
            assert "Traceback" not in outcome.stderr
    file.write_bytes(gzip.compress(b""))
    assert f"`zcat '{file}' | fluxd replay -`" in fluxd("replay", str(file)).stderr


def test_what_can_be_no_file_is_told_so() -> None:
    outcome = fluxd("replay", "x" * 5_000)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr.endswith("x can't be read: File name too long\n")


@pytest.mark.parametrize("content", [None, "", "hello", b"\xff\xfe\x00"])
def test_an_unusable_file_is_an_error_in_a_sentence(
    tmp_path: Path, content: str | bytes | None
) -> None:
    file = tmp_path / "file.csv"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    outcome = fluxd("replay", str(file))
    assert outcome.returncode == 1
    assert str(file) in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_standard_input(series: Path) -> None:
    outcome = fluxd("replay", "-", input=series.read_text())
    assert "1 anomaly in 2,880" in outcome.stdout


def test_it_ends_with_what_would_be_reported_now(series: Path) -> None:
    last = fluxd("replay", str(series)).stdout.splitlines()[-1]
    assert last.startswith("on this metric now: a spike above 2")
    assert "or a drop below 1" in last


# ---- what another setting would change


def test_the_difference_to_today_is_told(series: Path) -> None:
    outcome = fluxd("replay", str(series), "--sensitivity", "0.2")
    assert outcome.returncode == 0, outcome.stderr
    assert "With sensitivity 0.2 new:" in outcome.stdout
    told = outcome.stdout[outcome.stdout.index("today: ") :]
    assert told.startswith("today: 1 anomaly; with sensitivity 0.2: ")
    assert " new" in told.splitlines()[1]
    assert "(score 0.2 or more)" in told


def test_what_would_be_lost_is_told(series: Path) -> None:
    outcome = fluxd("replay", str(series), "--sensitivity", "0.99")
    assert "With sensitivity 0.99 lost:" in outcome.stdout
    assert "2023-11-16 15:5" in outcome.stdout
    assert "today: 1 anomaly; with sensitivity 0.99: 0 anomalies\n1 lost\n" in outcome.stdout


def test_a_setting_that_changes_nothing_says_so(series: Path) -> None:
    outcome = fluxd("replay", str(series), "--budget", "7", "--timezone", "UTC")
    assert "today: 1 anomaly; with budget 7, timezone UTC: 1 anomaly\n" in outcome.stdout
    assert "no difference on this series" in outcome.stdout


def test_a_smaller_budget_makes_anomalies_minor(tmp_path: Path) -> None:
    values = 200 + np.random.default_rng(3).normal(0, 4, 2_880)
    values[[1_000, 1_500, 2_000, 2_500]] += [300, 200, 150, 120]
    file = tmp_path / "series.csv"
    file.write_text("\n".join(f"{START + 60 * n},{v}" for n, v in enumerate(values.tolist())))
    outcome = fluxd("replay", str(file), "--budget", "1")
    assert "With budget 1 low severity then:" in outcome.stdout
    assert ", low severity" in outcome.stdout
    assert "become low severity" in outcome.stdout


def test_today_is_what_the_configuration_says(series: Path, tmp_path: Path) -> None:
    config = tmp_path / "fluxd.toml"
    config.write_text('[detection]\nsensitivity = "high"\n')
    outcome = fluxd("replay", str(series), "--config", str(config))
    assert "(score 0.25 or more)" in outcome.stdout
    outcome = fluxd("replay", str(series), "--config", str(config), "--sensitivity", "high")
    assert "no difference on this series" in outcome.stdout


def test_scores_are_those_of_the_setting_asked_for(series: Path) -> None:
    outcome = fluxd("replay", str(series), "--scores", "--sensitivity", "0.1")
    rows = list(csv.DictReader(outcome.stdout.splitlines()))
    assert [int(row["anomalous"]) for row in rows] == [
        int(float(row["score"]) >= 0.1) for row in rows
    ]


@pytest.mark.parametrize(
    ("option", "given", "told"),
    [
        ("--sensitivity", "loud", "low, normal, high"),
        ("--sensitivity", "1.5", "0 to 1"),
        ("--budget", "-1", "--budget is '-1'; it must be"),
        ("--budget", "many", "--budget is 'many'; it must be"),
        ("--timezone", "Mars/Olympus", "--timezone is 'Mars/Olympus'; it must be"),
    ],
)
def test_a_setting_that_is_none_is_refused(
    series: Path, option: str, given: str, told: str
) -> None:
    outcome = fluxd("replay", str(series), f"{option}={given}")
    assert outcome.returncode == 1
    assert told in outcome.stderr
    assert outcome.stdout == ""


# ---- stored metrics


@pytest.fixture
def data(tmp_path: Path, series: Path) -> Path:
    """Make a store in which the series is the metric web.a."""
    path = tmp_path / "data"
    path.mkdir()
    open_store(path / "fluxd.db", create=True).close()
    outcome = fluxd("import", "web.a", str(series), "--data", str(path))
    assert outcome.returncode == 0, outcome.stderr
    return path


def test_a_stored_metric_is_replayed_like_its_file(data: Path, series: Path) -> None:
    of_file = fluxd("replay", str(series), "--scores")
    for arguments in (["web.a"], ["--metric", "web.a"]):
        outcome = fluxd("replay", *arguments, "--scores", "--data", str(data))
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == of_file.stdout


def test_a_file_goes_before_a_metric_but_not_where_a_metric_is_asked_for(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "web.a").write_text("1700000000,1\n1700000060,2\n")
    outcome = fluxd("replay", "web.a", "--data", str(data), cwd=tmp_path)
    assert "0 anomalies in 2 datapoints" in outcome.stdout
    outcome = fluxd("replay", "--metric", "web.a", "--data", str(data), cwd=tmp_path)
    assert "1 anomaly in 2,880 datapoints" in outcome.stdout


def test_replaying_writes_nothing(data: Path) -> None:
    before = (data / "fluxd.db").read_bytes()
    assert fluxd("replay", "web.a", "--data", str(data)).returncode == 0
    assert (data / "fluxd.db").read_bytes() == before


def test_neither_a_file_nor_a_metric_says_both(data: Path, tmp_path: Path) -> None:
    outcome = fluxd("replay", "web.b", "--data", str(data))
    assert outcome.returncode == 1
    assert "neither a file web.b nor a metric of that name" in outcome.stderr
    outcome = fluxd("replay", "web.b", "--data", str(tmp_path / "nowhere"))
    assert outcome.returncode == 1
    assert "there is no file web.b, and if it is a metric:" in outcome.stderr
    outcome = fluxd("replay", "--metric", "web.b", "--data", str(data))
    assert "there is no metric 'web.b'" in outcome.stderr


@pytest.mark.parametrize("arguments", [[], ["a.csv", "--metric", "b"]])
def test_one_series_must_be_named(arguments: list[str]) -> None:
    outcome = fluxd("replay", *arguments)
    assert outcome.returncode == 1
    assert "name a CSV or a metric" in outcome.stderr
