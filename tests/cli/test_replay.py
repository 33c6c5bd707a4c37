"""`fluxd replay` as a user runs it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from running import fluxd

from fluxd.core.detect import THRESHOLD, score_series

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
    assert "1 anomaly in 2,880 datapoints over 2.0 days" in outcome.stdout


def test_scores_are_those_of_the_library(series: Path) -> None:
    outcome = fluxd("replay", str(series), "--scores")
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
