"""`fluxd import`, beside a daemon and without one."""

import csv
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import Daemon, fluxd, until

from fluxd.cli.series_file import pick
from fluxd.core.retention import DAY_S
from fluxd.ingest.series_csv import SeriesFile
from fluxd.store.connection import open_writer, transaction
from fluxd.store.series import create_series

NOW = int(time.time())
START = NOW - 3 * DAY_S
NO_TIME = "is neither Unix seconds nor ISO 8601 such as 2026-11-03T14:05:00Z"


def write_csv(path: Path, rows: list[tuple[object, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("timestamp", "value"), *rows])
    return path


def series(count: int, *, start: int = START) -> list[tuple[object, object]]:
    return [(start + 60 * n, 10 + n % 7 / 10) for n in range(count)]


def run_import(data: Path, file: Path | str, metric: str = "a", **kwargs: object) -> object:
    return fluxd("import", metric, str(file), "--data", str(data), **kwargs)


def rows_of(data: Path, sql: str) -> list[tuple[object, ...]]:
    connection = open_writer(data / "fluxd.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_file_is_stored_and_what_is_left_out_is_told(data: Path, tmp_path: Path) -> None:
    rows = [
        *series(300),
        (START, 99.5),
        ("yesterday", 1),
        (NOW + 3600, 1),
        (NOW - 3000 * DAY_S, 1),
        ("1969-12-31", 1),
    ]
    outcome = run_import(data, write_csv(tmp_path / "a.csv", rows))
    assert outcome.returncode == 0
    assert outcome.stderr.splitlines() == [
        f"line 303 left out: 'yesterday' {NO_TIME}",
        "1 line left out: not after 1970-01-01T00:00:00Z",
        "1 line left out: more than a minute in the future",
        "1 line left out: a later line has the same second",
        (
            "1 line older than retention.rollup: kept for 30 days from now (retention.raw), and "
            "learnt from, but no rollups of them"
        ),
    ]
    assert outcome.stdout.splitlines() == [
        "301 datapoints stored; 4 lines left out.",
        "fluxd learns them when it runs again: `fluxd metric list a` says when it has.",
    ]
    stored = rows_of(data, "SELECT timestamp, value FROM datapoints WHERE metric = 'a'")
    expected = dict(series(300)) | {START: 99.5, NOW - 3000 * DAY_S: 1.0}
    assert sorted(stored) == sorted(expected.items())
    (listed,) = fluxd("metric", "list", "--data", str(data)).stdout.splitlines()[1:]
    first, last = (
        time.strftime("%Y-%m-%d %H:%M", time.gmtime(second)).split()
        for second in (NOW - 3000 * DAY_S, START + 60 * 299)
    )
    assert listed.split() == ["learning", "60", "s", "301", *first, *last, "-", "a"]


def test_it_can_be_run_again(data: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", series(300))
    assert run_import(data, file).returncode == 0
    again = run_import(data, file)
    assert again.stdout.splitlines()[0] == (
        "300 datapoints stored, all in place of earlier values."
    )
    write_csv(file, [*series(300), *series(3, start=START - 600)])
    more = run_import(data, file)
    assert more.stdout.splitlines()[0] == (
        "303 datapoints stored, 300 of them in place of earlier values."
    )
    assert rows_of(data, "SELECT added FROM rebuilds") == [(303,)]
    assert rows_of(data, "SELECT count(*) FROM datapoints WHERE metric = 'a'") == [(303,)]


def test_standard_input_and_iso_8601(data: Path) -> None:
    text = "".join(
        f"{datetime.fromtimestamp(time, UTC).isoformat()},{value}\n" for time, value in series(5)
    )
    assert run_import(data, "-", input=text).returncode == 0
    assert rows_of(data, "SELECT count(*), min(timestamp) FROM datapoints") == [(5, START)]


@pytest.mark.parametrize(
    ("metric", "content", "part"),
    [
        ("a..b", "1,1", "invalid metric - a..b: use dotted parts"),
        ("a b", "1,1", "invalid characters in name"),
        ("a", "time,value\nnow,1\n", "has no datapoints: line 2 left out: 'now' is neither"),
        ("a", None, "can't be read"),
    ],
)
def test_wrong_input_is_told_with_its_mend(
    data: Path, tmp_path: Path, metric: str, content: str | bytes | None, part: str
) -> None:
    file = tmp_path / "a.csv"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    outcome = run_import(data, file, metric)
    assert outcome.returncode == 1
    assert part in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert rows_of(data, "SELECT * FROM series") == []


def test_it_creates_no_store(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "a.csv", series(3))
    outcome = run_import(tmp_path, file)
    assert (outcome.returncode, "there is no store" in outcome.stderr) == (1, True)
    assert not (tmp_path / "fluxd.db").exists()


def test_a_full_store_takes_no_new_metric_and_more_of_a_known_one(
    data: Path, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "a.csv", series(3))
    full = {**os.environ, "FLUXD_STORE__MAX_METRICS": "1"}
    assert run_import(data, file, "a", env=full).returncode == 0
    refused = run_import(data, file, "b", env=full)
    assert (refused.returncode, "raise store.max_metrics" in refused.stderr) == (1, True)
    assert run_import(data, file, "a", env=full).returncode == 0


def test_a_name_only_a_prefix_can_make_is_known_once_it_is_there(
    data: Path, tmp_path: Path
) -> None:
    long = "p." + "x" * 255
    file = write_csv(tmp_path / "a.csv", series(3))
    assert run_import(data, file, long).returncode == 1
    connection = open_writer(data / "fluxd.db")
    with transaction(connection):
        create_series(connection, long, now=NOW)
    connection.close()
    assert run_import(data, file, long).returncode == 0


def test_it_is_analysed_at_once_and_so_is_what_is_sent_next(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    try:
        outcome = run_import(daemon.data, write_csv(tmp_path / "a.csv", series(2000)))
        assert outcome.stdout.splitlines() == [
            "2,000 datapoints stored.",
            "fluxd is learning them now: `fluxd metric list a` says when it has.",
        ]
        until(lambda: daemon.get("/api/v1/metrics/a").body.get("state") in ("analysed", "stale"))
        sent = {"metric": "a", "timestamp": int(time.time()), "value": 1000.0}
        assert daemon.post({"metrics": [sent]}).status == 204
        page = until(lambda: daemon.get("/api/v1/anomalies?metric=a").body["anomalies"])
        assert page[0]["value"] == 1000.0
        (listed,) = fluxd("metric", "list", "--data", str(daemon.data)).stdout.splitlines()[1:]
        # As last saved: before the datapoint that was sent now, or after it.
        assert listed.split()[:4] in (
            ["stale", "60", "s", "2,000"],
            ["analysed", "60", "s", "2,001"],
        )
    finally:
        daemon.kill()


def test_cut_short_it_leaves_what_it_stored(data: Path, tmp_path: Path) -> None:
    """Interrupted after the first of several transactions; see `test_rebuilding` for the rest."""
    program = (
        "import sys, fluxd.cli.import_ as m, fluxd.cli\n"
        "from fluxd.store.rebuilds import History\n"
        "m._is_before = lambda end: False\n"
        "real = History.write_some\n"
        "def write_some(self, *a, **k):\n"
        "    if self.written: raise KeyboardInterrupt\n"
        "    real(self, *a, **k)\n"
        "History.write_some = write_some\n"
        "sys.exit(fluxd.cli.main(sys.argv[1:]))\n"
    )
    weeks = series(100, start=NOW - 30 * DAY_S) + series(100)
    file = write_csv(tmp_path / "a.csv", weeks)
    arguments = ["import", "a", str(file), "--data", str(data)]
    outcome = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 130
    (told,) = outcome.stderr.splitlines()
    assert told.endswith(" of 200 datapoints are stored")
    stored = int(told.split()[0])
    assert 0 < stored < 200
    assert rows_of(data, "SELECT count(*) FROM datapoints WHERE metric = 'a'") == [(stored,)]
    assert rows_of(data, "SELECT added FROM rebuilds") == [(stored,)]
    assert run_import(data, file).returncode == 0
    assert rows_of(data, "SELECT count(*) FROM datapoints WHERE metric = 'a'") == [(200,)]
    assert rows_of(data, "SELECT added FROM rebuilds") == [(200,)]


times = st.integers(NOW - 800 * DAY_S, NOW + 100) | st.integers(-5, 5) | st.just(START)


@given(st.lists(st.tuples(times, st.sampled_from([1.0, -0.0, 2.5])), max_size=30))
def test_what_is_picked_is_what_a_loop_would_pick(rows: list[tuple[int, float]]) -> None:
    read = SeriesFile()
    read.timestamps.extend(time for time, _ in rows)
    read.values.extend(value for _, value in rows)
    read.skipped = 2
    naive = {time: value for time, value in rows if 1 <= time <= NOW + 60}
    picked = pick(read, NOW)
    assert picked.timestamps.tolist() == sorted(naive)
    assert picked.values.tolist() == [naive[time] for time in sorted(naive)]
    assert not np.signbit(picked.values).any()
    assert picked.left_out == 2 + len(rows) - len(naive)
    left_out = [reason for reason in picked.reasons if " left out" in reason]
    told = sum(int(reason.split()[0].replace(",", "")) for reason in left_out)
    assert told == picked.left_out


def test_a_metric_deleted_meanwhile_is_not_half_created(data: Path, tmp_path: Path) -> None:
    program = (
        "import sys, fluxd.cli.import_ as m, fluxd.cli\n"
        "from fluxd.store.rebuilds import History\n"
        "from fluxd.store.series import delete_series\n"
        "m._is_before = lambda end: False\n"
        "real = History.write_some\n"
        "def write_some(self, connection, **k):\n"
        "    if self.written: delete_series(connection, 'a', now=1)\n"
        "    real(self, connection, **k)\n"
        "History.write_some = write_some\n"
        "sys.exit(fluxd.cli.main(sys.argv[1:]))\n"
    )
    file = write_csv(tmp_path / "a.csv", series(100, start=NOW - 30 * DAY_S) + series(100))
    outcome = subprocess.run(
        [sys.executable, "-c", program, "import", "a", str(file), "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert outcome.returncode == 1
    assert "a was deleted during its import: import it again" in outcome.stderr
