"""Incidents and who is told of them: the parts, put together."""

import socket
from collections.abc import Callable, Iterable

from fluxd.core.detect import LocalTime
from fluxd.daemon.channels import ChannelConfig
from fluxd.jobs.composing import Composer
from fluxd.jobs.digests import Digester
from fluxd.jobs.grouping import Grouper
from fluxd.jobs.scheduler import Job
from fluxd.jobs.sending import Sender
from fluxd.notify.kinds import build
from fluxd.store import Store
from fluxd.store.channels import StoredChannel, adopt_channels
from fluxd.store.outbox import KEPT_S, forget_entries

HOUR_S = 3_600.0


class Telling:
    """Groups anomalies into incidents, and sends what channels are to know of them."""

    def __init__(self, store: Store, local: LocalTime, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._composer = Composer("", socket.gethostname(), local)
        self.grouper = Grouper(store, local)
        self.sender = Sender(store, self._composer, build, clock=clock)
        self.digester = Digester(store, self._composer)

    def start(self, channels: Iterable[ChannelConfig], url: str, now: int) -> None:
        """Take over the configuration file's channels, and what the last daemon left unsent.

        `url` is where the pages are found, for links in messages.
        """
        self._composer.url = url
        given = [_stored(one) for one in channels]
        self.sender.from_file = self._store.writer.run(
            lambda connection: adopt_channels(connection, given, now=now)
        )
        self.sender.start()

    def jobs(self) -> list[Job]:
        """Return what the scheduler is to do for it."""
        return [
            Job("group", self.grouper.step, 0.5),
            Job("send", self.sender.step, 1.0),
            Job("digest", self.digester.step, 60.0),
            Job("forget what was told", self._forget, HOUR_S),
        ]

    def send_test(self, channel: StoredChannel) -> tuple[bool, str]:
        """Send a test message now; return whether it arrived, and what the other side said."""
        outcome = self.sender.test(channel)
        return outcome.sent, outcome.text

    def _forget(self, now: int) -> None:
        self.grouper.forget(now)
        self._store.writer.run(lambda connection: forget_entries(connection, now - KEPT_S))


def _stored(channel: ChannelConfig) -> StoredChannel:
    return StoredChannel(
        0,
        channel.name,
        channel.kind,
        channel.settings,
        least=channel.min_severity,
        metrics=channel.metrics,
        quiet_hours=channel.quiet_hours,
        daily_cap=channel.daily_cap,
        digest=channel.digest,
        resolved=channel.resolved,
        from_file=True,
    )
