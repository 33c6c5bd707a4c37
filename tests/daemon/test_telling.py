"""From a POST to a message at a real webhook, through a real daemon."""

import contextlib
import json
import random
import re
import sqlite3
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from running import Daemon, until

from fluxd.store.connection import FILE_NAME

HISTORY = 300


class Hook(ThreadingHTTPServer):
    """A webhook that keeps what it is sent; `statuses` are what it answers first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.statuses: list[int] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 204
        if status < 300:
            self.server.got.append((dict(self.headers), json.loads(body)))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    server = Hook()
    yield server
    server.shutdown()
    server.server_close()


def asked(data: Path, sql: str) -> list[Any]:
    """Ask the store while the daemon runs, as a user does."""
    with contextlib.closing(sqlite3.connect(f"file:{data / FILE_NAME}?mode=ro", uri=True)) as found:
        return found.execute(sql).fetchall()


def configured(folder: Path, hook: Hook) -> Path:
    file = folder / "channels.toml"
    file.write_text(f'[channels.ops]\nkind = "webhook"\nurl = "{hook.url}"\n')
    return file


def quiet_then_odd(daemon: Daemon, *metrics: str) -> None:
    """Send history of quiet metrics, and now a value that none of them ever had."""
    noise = random.Random(3)
    now = int(time.time())
    history = [
        {"metric": name, "timestamp": now - 60 * n, "value": noise.gauss(50, 1), "fill": True}
        for name in metrics
        for n in range(HISTORY, 0, -1)
    ]
    assert daemon.post({"metrics": history}).status == 204
    odd = [{"metric": name, "timestamp": now, "value": 500.0} for name in metrics]
    assert daemon.post({"metrics": odd}).status == 204


def test_an_anomaly_arrives_at_a_webhook_after_a_failure_and_a_kill(
    tmp_path: Path, hook: Hook
) -> None:
    config = configured(tmp_path, hook)
    hook.statuses = [503]
    data = tmp_path / "data"
    daemon = Daemon(data, "--config", str(config))
    quiet_then_odd(daemon, "web-1.cpu", "web-1.load")
    until(lambda: not hook.statuses)  # it was tried once, and refused
    daemon.kill()
    again = Daemon(data, "--config", str(config))
    until(lambda: hook.got)
    assert again.stop() == 0
    ((headers, body),) = hook.got
    assert headers["webhook-id"].startswith("fluxd-")
    assert body["type"] == "incident.opened"
    assert body["data"]["subject"].startswith("2 metrics odd on web-1, since ")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/incidents/1", body["data"]["links"]["open"])
    assert 500.0 in body["data"]["chart"]["values"]


def test_a_store_says_what_was_told(tmp_path: Path, hook: Hook) -> None:
    data = tmp_path / "data"
    daemon = Daemon(data, "--config", str(configured(tmp_path, hook)))
    quiet_then_odd(daemon, "db-1.io")
    until(lambda: hook.got)
    rows = asked(data, "SELECT state, metrics, first, title FROM incidents")
    assert rows == [("open", 1, "db-1.io", "db-1.io: spike")]
    told = until(lambda: asked(data, "SELECT state, answer FROM outbox WHERE state = 'sent'"))
    assert told[0][1].startswith("204")
    assert asked(data, "SELECT settings FROM channels") == [("{}",)]  # the file's stay in the file
    assert daemon.stop() == 0
