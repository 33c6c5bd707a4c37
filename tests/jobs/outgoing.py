"""A sender over happenings whose channels are scripts, driven by a clock that is set."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jobs.happenings import CHANNEL, Happenings, fleet, happenings

from fluxd.core.detect import UTC
from fluxd.core.errors import DeliveryError
from fluxd.core.message import Message
from fluxd.core.sending import DAY_S
from fluxd.jobs.composing import Composer
from fluxd.jobs.digests import Digester
from fluxd.jobs.sending import Sender
from fluxd.notify.channel import Answer
from fluxd.store.channels import change_channel

URL = "https://fluxd.example.org"
BUSY = DeliveryError("the other side is busy", retry=True)
REFUSED = DeliveryError("the key is wrong: make a new one", retry=False)


class Script:
    """A channel that does what the test says: an error to raise, or None to take a message."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.faults: list[Exception | None] = []
        self.hold: Callable[[], object] = lambda: None

    def send(self, message: Message, timeout_s: float) -> Answer:
        assert timeout_s > 0
        self.hold()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        self.got.append(message)
        return Answer("204")

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(one.kind, one.subject) for one in self.got]


class Desk:
    """The happenings with a sender whose channels are scripts, by their kind."""

    def __init__(self, site: Happenings) -> None:
        self.site = site
        self.scripts = {kind: Script() for kind in ("webhook", "slack")}
        self.script = self.scripts["webhook"]
        self.composer = Composer(URL, "db-host", UTC)
        self.restart()

    def restart(self) -> None:
        def build(kind: str, _settings: Mapping[str, str]) -> Script:
            return self.scripts[kind]

        self.sender = Sender(
            self.site.store, self.composer, build, clock=lambda: self.site.now, luck=lambda: 0.0
        )
        self.digester = Digester(self.site.store, self.composer)
        self.sender.start()

    def pass_time(self, seconds: int, channel: int = 1) -> None:
        """Let so much time pass, then do what is due."""
        self.site.now += seconds
        self.site.group()
        while self.sender.send_next(channel):
            pass

    def state(self, entry: int = -1) -> tuple[str, str | None]:
        found = self.site.outbox[entry]
        return found.state, found.answer


def clock(at: int) -> str:
    return f"{at % DAY_S // 3600:02}:{at % 3600 // 60:02}"


def change(desk: Desk, **policy: Any) -> None:
    channel = replace(CHANNEL, id=1, **policy)
    desk.site.store.writer.run(lambda writer: change_channel(writer, channel))


@contextlib.contextmanager
def a_desk() -> Iterator[Desk]:
    with happenings(*fleet(5, 40), "web.a", "web.b") as site:
        site.now -= site.now % DAY_S - 12 * 3600  # noon
        site.add_channel()
        yield Desk(site)
