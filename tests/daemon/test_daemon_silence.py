"""The daemon's own turns under a clock that is set: a stop is told, and a fault of ours is none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from falcon import testing

from fluxd.daemon.config import load_config
from fluxd.daemon.daemon import Daemon
from fluxd.daemon.lock import DataLock
from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME
from fluxd.store.keys import add_key
from fluxd.web.app import create_app

START = 1_700_000_040


class Running:
    """A daemon whose turns are taken one by one; `now` is its clock."""

    def __init__(self, data: Path, lock: DataLock) -> None:
        self.now: float = START
        self.store = open_store(data / FILE_NAME, create=True)
        config = load_config(None, {}, listen="127.0.0.1:0")
        self.daemon = Daemon(self.store, lock, config, {}, clock=lambda: self.now)
        self.client = testing.TestClient(create_app(self.daemon.services))
        self.key = self.store.writer.run(lambda c: add_key(c, "agent", now=START))
        self.store.keys.load(self.store.writer._connection)

    def run(self, minutes: int, *hosts: str) -> None:
        for _ in range(6 * minutes):
            self.now += 10
            if (self.now - START) % 60 == 0 and hosts:
                elements = [
                    {"metric": f"{host}.cpu", "timestamp": self.now, "value": self.now % 7}
                    for host in hosts
                ]
                body = {"key": self.key, "metrics": elements}
                self.client.simulate_post("/flux/metric_data_post", json=body)
            while self.daemon.scheduler.tick():
                pass

    def told(self) -> list[Any]:
        with self.store.read() as reader:
            return reader.execute("SELECT kind, metric FROM anomalies ORDER BY id").fetchall()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    with DataLock(tmp_path) as lock:
        started = Running(tmp_path, lock)
        yield started
        started.daemon.server.close()
        started.store.close()


def test_a_host_that_stops(running: Running) -> None:
    running.run(60, "a", "b")
    running.run(10, "b")
    assert running.told() == [("stopped", "a.cpu")]
    running.run(2, "a", "b")
    assert running.told() == [("stopped", "a.cpu"), ("resumed", "a.cpu")]


def test_posts_that_were_refused(running: Running) -> None:
    running.run(60, "a", "b")
    running.daemon.bounds.max_bytes = 1
    running.run(30, "a", "b")
    running.daemon.bounds.max_bytes = 0
    running.run(10, "a", "b")
    assert running.told() == []
    stored = int(running.daemon.analysis.knowledge.bank.counts.sum())
    assert 138 <= stored <= 142  # of 200 that were sent
