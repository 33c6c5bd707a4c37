"""The daemon as a user meets it: started, fed, asked, killed, stopped."""

import json
import shlex
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from running import PATIENCE_S, Daemon, fluxd, request, until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = Daemon(tmp_path_factory.mktemp("daemon") / "data")
    yield running
    running.kill()


def daily_wave(days: int, *, seed: int = 1) -> tuple[list[int], list[float]]:
    """Five-minute datapoints of a noisy daily wave that ends an hour ago."""
    count = days * 288
    end = int(time.time()) // 300 * 300 - 3600
    timestamps = end - 300 * np.arange(count)[::-1]
    wave = 100 + 30 * np.sin(2 * np.pi * timestamps / 86_400)
    noise = np.random.default_rng(seed).normal(0, 2, count)
    return timestamps.tolist(), (wave + noise).tolist()


def fill(daemon: Daemon, metric: str, timestamps: list[int], values: list[float]) -> None:
    elements = [
        {"metric": metric, "timestamp": t, "value": v, "fill": True}
        for t, v in zip(timestamps, values, strict=True)
    ]
    for start in range(0, len(elements), 500):
        assert daemon.post({"metrics": elements[start : start + 500]}).status == 204


def analysed(daemon: Daemon, metric: str, count: int) -> dict:
    def status() -> dict | None:
        body = daemon.get(f"/api/v1/metrics/{metric}").body
        return body if body.get("datapoints") == count else None

    return until(status)


def known(body: dict, member: str) -> dict | None:
    """Return an answer once it has a member: counts are told a moment before what follows."""
    return body if body.get(member) is not None else None


def test_the_lines_that_a_first_start_prints_work_as_pasted(daemon: Daemon) -> None:
    lines = [line for line in daemon.said().splitlines() if line.startswith("curl")]
    sent, asked, odd = [
        subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True).stdout
        for line in lines
    ]
    assert sent.startswith("HTTP/1.1 204")
    assert json.loads(asked)["metric"] == "test.cpu"
    assert json.loads(odd) == {"anomalies": [], "next": None}


def test_an_anomaly_in_a_filled_series_is_found_and_explained(daemon: Daemon) -> None:
    timestamps, values = daily_wave(6)
    values[-40:-34] = [value - 45 for value in values[-40:-34]]
    fill(daemon, "shop.requests", timestamps, values)
    analysed(daemon, "shop.requests", len(values))
    found = until(lambda: daemon.get("/api/v1/anomalies?metric=shop.requests").body["anomalies"])
    (anomaly,) = [a for a in found if timestamps[-40] <= a["started"] <= timestamps[-34]]
    assert anomaly["direction"] == "down"
    assert anomaly["ended"] is not None
    assert anomaly["lower"] <= anomaly["expected"] <= anomaly["upper"]
    assert len(anomaly["explanation"]) > 30
    shell = subprocess.run(
        ["sqlite3", "-readonly", daemon.data / "fluxd.db", "-json", "select * from anomalies"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert anomaly in json.loads(shell.stdout)
    one = daemon.get(f"/api/v1/anomalies/{anomaly['id']}")
    evidence = one.body.pop("evidence")
    assert one.body == anomaly
    assert anomaly["value"] in evidence["datapoints"]["values"]
    series = daemon.get(
        f"/api/v1/metrics/shop.requests/datapoints?from={timestamps[0]}&to={timestamps[-1]}"
    ).body
    assert series["timestamps"] == timestamps
    assert series["values"] == pytest.approx(values)
    assert series["score"][-40] >= 0.3 or max(s or 0 for s in series["score"][-40:-34]) >= 0.3


def test_progress_is_told_until_the_first_verdict(daemon: Daemon) -> None:
    now = int(time.time())
    for back in range(7, 0, -1):
        element = {"metric": "slow.start", "timestamp": now - 60 * back, "value": 1.0}
        assert daemon.post({"metrics": [element]}).status == 204
    analysed(daemon, "slow.start", 7)
    status = until(lambda: known(daemon.get("/api/v1/metrics/slow.start").body, "interval"))
    assert status["state"] == "learning"
    assert status["interval"] == 60
    assert 60 * 90 < status["ready_in"] <= 60 * 93
    assert status["progress"].startswith("7/100 datapoints, first verdict about ")


def test_datapoints_can_be_read_in_the_stock_shell_at_once(daemon: Daemon) -> None:
    now = int(time.time())
    element = {"metric": "shell.check", "timestamp": now, "value": 12.5}
    assert daemon.post({"metrics": [element]}).status == 204
    query = "select * from datapoints where metric = 'shell.check'"
    shell = subprocess.run(
        ["sqlite3", "-readonly", daemon.data / "fluxd.db", query],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shell.stdout == f"shell.check|{now}|12.5\n"


def test_keys_take_effect_at_once_in_a_running_daemon(daemon: Daemon) -> None:
    added = fluxd("key", "add", "agent-7", "--prefix", "site-b", "--data", str(daemon.data))
    assert added.returncode == 0, added.stderr
    key = added.stdout.splitlines()[-1]
    element = {"metric": "load", "timestamp": int(time.time()), "value": 1}
    until(lambda: daemon.post({"key": key, "metrics": [element]}).status == 204)
    assert daemon.get("/api/v1/metrics/site-b.load").status == 200
    assert "agent-7" in fluxd("key", "list", "--data", str(daemon.data)).stdout
    assert key not in fluxd("key", "list", "--data", str(daemon.data)).stdout
    assert fluxd("key", "revoke", "agent-7", "--data", str(daemon.data)).returncode == 0
    until(lambda: daemon.post({"key": key, "metrics": [element]}).status == 401)
    assert daemon.post({"key": key, "metrics": [element]}).body == {
        "code": 401,
        "message": "invalid key",
    }


def test_a_refused_request_is_in_the_ledger_with_its_fix(daemon: Daemon) -> None:
    late = {"metric": "late.metric", "timestamp": int(time.time()) - 7200, "value": 1}
    for _ in range(3):
        answer = daemon.post({"metrics": [late]})
        assert answer.status == 400
        assert answer.body["index"] == 0
    entries = daemon.get("/api/v1/rejections").body["rejections"]
    (entry,) = [e for e in entries if "too old" in e["message"]]
    assert entry["key"] == "first"
    assert entry["count"] == 3
    assert "late.metric" in entry["element"]


def test_test_mode_stores_nothing_and_is_shown(daemon: Daemon) -> None:
    element = {"metric": "only.tested", "timestamp": int(time.time()), "value": 1}
    answer = daemon.post({"metrics": [element]}, headers={"x-test-only": "true"})
    assert (answer.status, answer.body) == (204, None)
    answer = daemon.post({"metrics": [element], "test": True})
    assert answer.status == 200
    assert answer.body["metrics"] == ["only.tested"]
    assert daemon.get("/api/v1/metrics/only.tested").status == 404
    tests = daemon.get("/api/v1/ingestion-tests").body["ingestion_tests"]
    assert [test["metrics"] for test in tests[:2]] == [["only.tested"]] * 2


def test_no_key_is_ever_logged(daemon: Daemon) -> None:
    secret = "s3cret-that-nobody-may-see"
    daemon.post({"key": secret, "metrics": []})
    request(f"{daemon.url}/api/v1/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert secret not in daemon.said()
    logged = [line for line in daemon.said().splitlines() if " INFO " in line or "WARN" in line]
    assert not any(daemon.key in line for line in logged)


def test_a_second_daemon_refuses_and_says_who_holds_the_data(daemon: Daemon) -> None:
    second = fluxd("serve", "--data", str(daemon.data), "--listen", "127.0.0.1:0")
    assert second.returncode == 1
    assert f"in use by process {daemon.process.pid}" in second.stderr


def test_a_bad_setting_ends_the_start_naming_key_and_bounds(tmp_path: Path) -> None:
    config = tmp_path / "fluxd.toml"
    config.write_text("[ingest]\nmax_age = 5\n")
    outcome = fluxd("serve", "--data", str(tmp_path), "--config", str(config))
    assert outcome.returncode == 2
    assert "ingest.max_age" in outcome.stderr
    assert "60" in outcome.stderr
    assert not (tmp_path / "fluxd.db").exists()


def test_a_port_in_use_is_said_in_a_sentence(daemon: Daemon, tmp_path: Path) -> None:
    address = daemon.url.removeprefix("http://")
    outcome = fluxd("serve", "--data", str(tmp_path / "other"), "--listen", address)
    assert outcome.returncode == 1
    assert "in use" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_only_serve_creates_a_store(tmp_path: Path) -> None:
    outcome = fluxd("key", "list", "--data", str(tmp_path))
    assert outcome.returncode == 1
    assert "fluxd serve" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_kill_and_restart_lose_nothing_acknowledged(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    timestamps, values = daily_wave(2)
    fill(daemon, "before.crash", timestamps[:-10], values[:-10])
    daemon.kill()
    again = Daemon(tmp_path / "data")
    again.key, again.read_key = daemon.key, daemon.read_key
    fill(again, "before.crash", timestamps[-10:], values[-10:])
    assert analysed(again, "before.crash", len(values))["state"] == "stale"  # for an hour by now
    assert again.stop() == 0
    check = subprocess.run(
        ["sqlite3", "-readonly", tmp_path / "data" / "fluxd.db", "pragma integrity_check"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert check.stdout == "ok\n"


def refuses(host: str, port: int) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection((host, port), timeout=PATIENCE_S).close()
    except ConnectionError:
        return True
    return False


def test_sigterm_answers_what_was_accepted(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    host, port = daemon.url.removeprefix("http://").split(":")
    body = json.dumps(
        {"key": daemon.key, "metric": "last.words", "timestamp": int(time.time()), "value": 1}
    ).encode()
    head = f"POST /flux/metric_data_post HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as sender:
        sender.sendall(head.encode() + body[:-5])
        # The request is begun when its connection was accepted: another one is answered after it.
        assert daemon.get("/healthz").status == 200
        daemon.process.terminate()
        until(lambda: refuses(host, int(port)))
        sender.sendall(body[-5:])
        assert sender.recv(1000).startswith(b"HTTP/1.1 204")
    assert daemon.process.wait(PATIENCE_S) == 0
    assert shlex.quote("stopped") in daemon.said()


def test_a_store_that_is_moved_away_is_noticed_and_taken_back(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    try:
        body = {"metrics": [{"metric": "a", "timestamp": int(time.time()), "value": 1}]}
        assert daemon.post(body).status == 204
        log, away = daemon.data / "fluxd.db-wal", daemon.data / "away"
        until(lambda: daemon.get("/healthz").status == 200)
        # The files are looked at every two seconds, the first time soon after the start.
        until(lambda: 'job_runs_total{job="probe"} 1' in daemon.get("/metrics").body)
        log.rename(away)
        refused = until(lambda: (answer := daemon.post(body)).status == 503 and answer)
        assert "fluxd.db-wal was moved" in refused.body["message"]
        assert daemon.get("/healthz").status == 503
        away.rename(log)
        until(lambda: daemon.post(body).status == 204)
    finally:
        daemon.kill()


def test_a_held_lock_is_503_in_time_for_all_and_stops_nothing_else(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    holder = subprocess.Popen(
        ["sqlite3", daemon.data / "fluxd.db"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"BEGIN IMMEDIATE; SELECT 'held';\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"held\n"
        body = {"metrics": [{"metric": "a", "timestamp": int(time.time()), "value": 1}]}
        with ThreadPoolExecutor(40) as senders:
            waiting = [senders.submit(daemon.post, body) for _ in range(40)]
            assert daemon.get("/metrics").status == 200  # others are answered meanwhile
            assert holder.poll() is None
            answers = [answer.result(PATIENCE_S) for answer in waiting]
        assert {answer.status for answer in answers} == {503}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        assert "write lock" in answers[0].body["message"]
        holder.communicate(b"ROLLBACK;\n", timeout=PATIENCE_S)
        assert until(lambda: daemon.post(body).status == 204)
    finally:
        holder.kill()
        daemon.kill()


def test_a_journal_gets_no_key_and_later_starts_say_where_keys_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    monkeypatch.setenv("JOURNAL_STREAM", "8:12345")
    daemon = Daemon(data)
    assert daemon.key == ""
    assert f"link --data {data}" in daemon.said()
    assert "token=" not in daemon.said()
    listed = fluxd("key", "list", "--data", str(data)).stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["NAME", "first", "first-read"]
    assert {path.stat().st_mode & 0o077 for path in data.iterdir()} == {0}
    assert daemon.stop() == 0
    monkeypatch.delenv("JOURNAL_STREAM")
    second = Daemon(data)
    assert second.key == ""
    assert f"key list --data {data}" in second.said()
    second.kill()
