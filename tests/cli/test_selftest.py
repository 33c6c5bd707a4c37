"""`fluxd selftest` without a daemon, and beside one."""

import csv
import time
from pathlib import Path

import numpy as np
from running import Daemon, fluxd, until

ROWS = 700


def write_csv(path: Path, rows: int = ROWS) -> Path:
    """Write noise at a minute that ends now."""
    values = 50.0 + np.random.default_rng(1).normal(0.0, 2.0, rows)
    start = int(time.time()) - 60 * rows
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows((start + 60 * n, v) for n, v in enumerate(values.tolist()))
    return path


def test_it_prints_a_table_beside_a_daemon_and_without_one(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    try:
        file = write_csv(tmp_path / "series.csv")
        imported = fluxd("import", "web.a", str(file), "--data", str(daemon.data))
        assert imported.returncode == 0, imported.stderr
        until(lambda: daemon.get("/api/v1/metrics/web.a").body["datapoints"] == ROWS)
        beside = fluxd("selftest", "--data", str(daemon.data))
        assert daemon.get("/api/v1/selftest").status == 200
        assert "fluxd_job_runs_total" in daemon.get("/metrics").body
        assert 'job="self-test"' in daemon.get("/metrics").body
    finally:
        daemon.stop()
    assert beside.returncode == 0, beside.stderr
    lines = beside.stdout.splitlines()
    assert lines[0].split() == ["KIND", "SIZE", "FOUND", "OF", "EVENTS", "DELAY"]
    assert [line.split()[:2] for line in lines[1:13]] == [
        [kind, size] for kind in ("spike", "drop", "shift") for size in ("4", "6", "8", "12")
    ]
    assert lines[13].startswith("1 metric, ")
    assert lines[14].startswith("Without events: ")
    assert lines[15].startswith("Most was missed on: web.a (")
    assert fluxd("selftest", "--data", str(daemon.data)).stdout == beside.stdout


def test_without_history_it_says_what_it_takes(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    daemon.post({"metrics": [{"metric": "a", "timestamp": int(time.time()), "value": 1.0}]})
    daemon.stop()
    outcome = fluxd("selftest", "--data", str(daemon.data))
    assert outcome.returncode == 1
    assert "600 recent datapoints" in outcome.stderr
    outcome = fluxd("selftest", "--data", str(tmp_path / "nowhere"))
    assert outcome.returncode == 1
    assert "Traceback" not in outcome.stderr


def test_the_metrics_that_are_named_are_tested(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    data = ("--data", str(daemon.data))
    for name, rows in (("a", ROWS), ("b", ROWS), ("short", 20)):
        file = write_csv(tmp_path / f"{name}.csv", rows)
        assert fluxd("import", name, str(file), *data).returncode == 0
    until(lambda: daemon.get("/api/v1/metrics/a").body["datapoints"] == ROWS)
    until(lambda: daemon.get("/api/v1/metrics/b").body["datapoints"] == ROWS)
    daemon.stop()
    told = fluxd("selftest", "b", "short", "b", *data)
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[13].startswith("1 metric, ")
    assert told.stderr == (
        "not tested: short; that takes 600 recent datapoints, learnt and not all alike\n"
    )
    outcome = fluxd("selftest", "short", *data)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "short can't be tested: that takes 600 recent datapoints" in outcome.stderr
    outcome = fluxd("selftest", "a", "nobody", *data)
    assert "there is no metric 'nobody': `fluxd metric list` shows them" in outcome.stderr
