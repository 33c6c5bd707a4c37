"""A store in which anomalies happen, the job that groups them, and a channel that is told."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.site import Site
from store.posting import NOW, anomaly, memory_folder, opened, post

from fluxd.core.anomalies import Anomaly
from fluxd.core.detect import UTC
from fluxd.core.incidents.lifecycle import Event, State
from fluxd.jobs.grouping import Grouper
from fluxd.store import Store
from fluxd.store.anomalies import write_anomalies
from fluxd.store.channels import StoredChannel, add_channel
from fluxd.store.connection import FILE_NAME
from fluxd.store.incident_list import StoredIncident, page_incidents, read_memberships
from fluxd.store.incidents import act
from fluxd.store.outbox import Entry, read_entries
from fluxd.store.stops import Notice, add_notice, change_stop

CHANNEL = StoredChannel(0, "ops", "webhook", {"url": "http://127.0.0.1:9/"})


class Happenings:
    """What a test drives; `now` is the clock."""

    def __init__(self, store: Store, metrics: Sequence[str]) -> None:
        self.store = store
        self.now = NOW
        self.metrics = list(metrics)
        for begin in range(0, len(metrics), 500):
            post(store, [(name, NOW, 1.0) for name in metrics[begin : begin + 500]])
        self.restart()

    def restart(self) -> None:
        """Lose all that the job has in memory."""
        self.grouper = Grouper(self.store, UTC)

    def add_channel(self, channel: StoredChannel = CHANNEL) -> int:
        return self.store.writer.run(lambda writer: add_channel(writer, channel, now=self.now))

    def happen(
        self, *metrics: str, at: int | None = None, ended: int | None = None, **other: Any
    ) -> None:
        """Let metrics be odd from `at` (now) on; once more with `ended` ends it."""
        started = self.now if at is None else at
        score = other.pop("score", 0.4)
        found = [
            replace(self.anomaly(metric, started, ended, score), **other) for metric in metrics
        ]
        self.store.writer.run(lambda writer: write_anomalies(writer, found))

    def anomaly(self, metric: str, started: int, ended: int | None, score: float) -> Anomaly:
        slot = self.store.catalog.id_of(metric)
        assert slot is not None
        return anomaly(slot, started, ended, score)

    def stop(self, sender: str, metrics: Sequence[str], of: int | None = None) -> int:
        """Let metrics of one sender, of `of`, fall silent; return the anomaly that tells it."""
        evidence = self._evidence(sender, metrics, of)
        text = f"{sender}: {len(metrics)} metrics stopped."
        slot = self._slot(metrics[0])
        notice = Notice(slot, "stopped", self.now, None, 1.0, text, evidence)
        return self.store.writer.run(lambda writer: add_notice(writer, notice))

    def grow_stop(self, stop: int, sender: str, metrics: Sequence[str], of: int) -> None:
        """Let more metrics fall silent with those of a stop."""
        self._change(stop, metrics, self._evidence(sender, metrics, of), text="more", ended=None)

    def end_stop(self, stop: int, sender: str, metrics: Sequence[str]) -> None:
        self._change(stop, metrics, self._evidence(sender, metrics), text="back", ended=self.now)

    def _change(
        self,
        stop: int,
        metrics: Sequence[str],
        evidence: dict[str, Any],
        *,
        text: str,
        ended: int | None,
    ) -> None:
        slot = self._slot(metrics[0])
        self.store.writer.run(
            lambda writer: change_stop(
                writer, stop, series=slot, ended=ended, explanation=text, evidence=evidence
            )
        )

    def _evidence(
        self, sender: str, metrics: Sequence[str], of: int | None = None
    ) -> dict[str, Any]:
        count = len(metrics)
        listed = list(metrics[:500])
        return {"metrics": count, "of": of or count, "sender": sender, "members": listed}

    def _slot(self, metric: str) -> int:
        slot = self.store.catalog.id_of(metric)
        assert slot is not None
        return slot

    def group(self) -> None:
        while self.grouper.step(self.now):
            pass

    def act(self, incident: int, event: Event) -> State:
        return self.store.writer.run(lambda writer: act(writer, incident, event, now=self.now))

    @property
    def incidents(self) -> list[StoredIncident]:
        """All, the first found first."""
        with self.store.read() as reader:
            return page_incidents(reader, limit=1_000)[0][::-1]

    def members(self, incident: int) -> list[str]:
        with self.store.read() as reader:
            return [one.anomaly.metric for one in read_memberships(reader, incident, limit=10_000)]

    @property
    def outbox(self) -> list[Entry]:
        """All, the first queued first."""
        with self.store.read() as reader:
            return read_entries(reader, limit=10_000)[::-1]

    @property
    def queued(self) -> list[tuple[str, str]]:
        """Notices and their states, the first queued first."""
        return [(one.notice, one.state) for one in self.outbox]


@contextlib.contextmanager
def happenings(*metrics: str, folder: Path | None = None) -> Iterator[Happenings]:
    """Lend a new store that knows some metrics."""
    with contextlib.ExitStack() as stack:
        where = stack.enter_context(memory_folder()) if folder is None else folder
        store = stack.enter_context(opened(where / FILE_NAME))
        yield Happenings(store, metrics)


def sent(site: Happenings | Site) -> None:
    """Have what waits sent, as the sender would."""
    site.store.writer.run(
        lambda writer: writer.execute(
            "UPDATE outbox SET state = 'sent', finished = ?, (severity, body) = (SELECT severity,"
            " json_object('metrics', metrics, 'down', down) FROM incident_rows WHERE id = incident)"
            " WHERE state = 'waiting'",
            (site.now,),
        )
    )


def fleet(hosts: int, kinds: int) -> list[str]:
    """Return the names of `kinds` metrics of each of so many hosts."""
    return [f"prod.host-{host:02}.m{kind}" for host in range(hosts) for kind in range(kinds)]
