"""A daemon's store, analysis and silence watch under a clock that is set, and hosts that report."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from store.posting import AGENT, Row, batch_of, opened

from fluxd.core.keys import Key
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.listening import Listener
from fluxd.jobs.saving import StateSaver, SummarySaver
from fluxd.jobs.silence import SilenceWatch
from fluxd.store.connection import FILE_NAME

START = 1_700_000_040  # 22:14:00 UTC
TURN_S = 20  # the real ones come twice a second


@dataclass
class Host:
    """Sends all of its metrics every `every` seconds, `sent_in` at once."""

    name: str
    metrics: int = 3
    every: int = 60
    batch: int = 1  # datapoints of a metric in one POST
    key: Key = AGENT
    off_s: int = 0  # how wrong its clock is
    up: bool = True
    muted: set[int] = field(default_factory=set)  # numbers of metrics that it leaves out

    def rows(self, now: int) -> list[Row]:
        """Return what it sends at that time."""
        if not self.up or (now - START) % (self.every * self.batch):
            return []
        times = [now + self.off_s - self.every * n for n in reversed(range(self.batch))]
        return [
            (f"{self.name}.m{n}", at, float(at // self.every % 7 + n))
            for n in range(self.metrics)
            if n not in self.muted
            for at in times
        ]


class Site:
    """What a test drives; `now` is everybody's clock."""

    def __init__(self, folder: Path, *hosts: Host) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self.hosts = list(hosts)
        self.now = START
        self.deaf = False
        self.start()

    def start(self) -> None:
        self.store = self._stack.enter_context(opened(self._folder / FILE_NAME))
        self.analysis = Analysis(self.store)
        self.saver = StateSaver(self.store, self.analysis)
        self.summaries = SummarySaver(self.store, self.analysis)
        self.listener = Listener(self.store, self.analysis, lambda: self.deaf)
        self.watch = SilenceWatch(self.store, self.analysis, self.listener)

    def kill(self) -> None:
        """Lose all that is in memory."""
        self._stack.close()

    def stop(self) -> None:
        """Save all, then end."""
        self.saver.save_all(self.now, lambda: True)
        self.kill()

    def send(self, rows: list[Row], key: Key = AGENT) -> None:
        self.store.writer.submit(batch_of(self.store, key, rows, now=self.now))

    def turn(self) -> None:
        """Do what the scheduler does in one turn."""
        self.listener.listen(self.now)
        while self.analysis.step(self.now):
            pass
        while self.watch.run(self.now):
            pass

    def post(self) -> None:
        """Have the hosts send what is due."""
        if not self.deaf:
            for host in self.hosts:
                if rows := host.rows(self.now):
                    self.send(rows, host.key)

    def run(self, minutes: float, *, listening: bool = True) -> None:
        """Let time pass; where nobody listens, the datapoints are lost."""
        for _ in range(int(minutes * 60 / TURN_S)):
            self.now += TURN_S
            if listening:
                self.post()
                self.turn()

    def rows(self, sql: str, *values: object) -> list[Any]:
        with self.store.read() as reader:
            return reader.execute(sql, values).fetchall()

    def told(self) -> list[tuple[str, str, int, int | None]]:
        """Return the stops and returns: kind, metric, and minutes from the start of it all."""
        return [
            (
                kind,
                metric,
                round((started - START) / 60),
                ended and round((ended - START) / 60),
            )
            for kind, metric, started, ended in self.rows(
                "SELECT kind, metric, started, ended FROM anomalies"
                " WHERE kind IN ('stopped', 'resumed') ORDER BY id"
            )
        ]

    def texts(self) -> list[str]:
        return [
            row[0]
            for row in self.rows(
                "SELECT explanation FROM anomalies WHERE kind IN ('stopped', 'resumed') ORDER BY id"
            )
        ]


@contextlib.contextmanager
def site(folder: Path, *hosts: Host) -> Iterator[Site]:
    """Lend a site that has run for two hours."""
    running = Site(folder, *hosts)
    running.post()
    running.turn()
    running.run(120)
    yield running
    running.kill()
