"""Sending: a few threads a channel try what is due in the outbox, until it is out.

The scheduler's thread only looks which channels have something due, and lends them threads that end
when nothing more is. So a channel that hangs holds nothing up but itself.
"""

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fluxd.core.errors import DeliveryError, FluxdError
from fluxd.core.hush import read_quiet_hours
from fluxd.core.message import Message, from_json, to_json
from fluxd.core.reports import JobReport
from fluxd.core.sending import GIVE_UP_S, day_began, wait_s, within_cap
from fluxd.jobs.composing import Composer
from fluxd.notify.channel import Channel
from fluxd.store import Store, outbox
from fluxd.store.channels import StoredChannel, get_channel
from fluxd.store.connection import Connection
from fluxd.store.incident_list import get_incident
from fluxd.store.incident_members import gather
from fluxd.store.notices import wants
from fluxd.store.outbox import Entry

log = logging.getLogger(__name__)

# Threads a channel: one that waits for a slow answer does not keep the next message waiting.
THREADS = 4

# How long the other side has for a message, a mail's chart and a slow link considered.
TIMEOUT_S = 20.0

# A daemon that stops waits so long (s) for what is being sent.
STOP_S = 1.0

# A notice, and whether its incident is over by now, that was taken to be sent as that changed: what
# there is to tell instead is in the outbox.
OVERTAKEN = (("worsened", True), ("resolved", False))

Build = Callable[[str, Mapping[str, str]], Channel]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a try: the other side's answer, or why it failed; `retry_s` to try again."""

    text: str
    sent: bool = False
    retry: bool = False
    retry_after_s: float | None = None


class Sender:
    """The outbox's way out. `build(kind, settings)` makes a channel of its settings."""

    def __init__(
        self,
        store: Store,
        composer: Composer,
        build: Build,
        *,
        clock: Callable[[], float] = time.time,
        luck: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._composer = composer
        self._build = build
        self._clock = clock
        self._luck = luck
        self._threads: dict[int, list[threading.Thread]] = {}
        self._stopping = threading.Event()
        self._stranded: set[int] = set()  # being sent by nobody, and not noted so
        self._looked_at = 0
        self.from_file: Mapping[
            int, Mapping[str, str]
        ] = {}  # settings by id, of the file's channels
        self.reports: dict[str, JobReport] = {}

    def start(self) -> None:
        """Have what was being sent when the last daemon ended tried again."""
        now = int(self._clock())
        again = self._store.writer.run(lambda connection: outbox.take_up(connection, now=now))
        if again:
            log.info("%d messages were being sent when fluxd ended: they are tried again", again)

    def step(self, now: int) -> None:
        """Lend threads to the channels that have something due."""
        if now < self._looked_at:
            self._run(outbox.move_up, by=self._looked_at - now)
        self._looked_at = now
        for entry in list(self._stranded):
            self._run(outbox.put_off, entry, due=now, answer=None)
            self._stranded.discard(entry)
        with self._store.read() as reader:
            due = outbox.due_channels(reader, now)
        for channel in due:
            alive = [one for one in self._threads.get(channel, []) if one.is_alive()]
            if len(alive) < THREADS:
                thread = threading.Thread(
                    target=self._work, args=(channel,), name=f"channel-{channel}", daemon=True
                )
                thread.start()
                alive.append(thread)
            self._threads[channel] = alive

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Begin nothing more, and wait a little for what is being sent."""
        self._stopping.set()
        end = time.monotonic() + timeout_s
        for thread in [one for threads in self._threads.values() for one in threads]:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self, channel: int) -> None:
        """Send what is due for a channel; whatever happens, the next turn tries again."""
        report = self.reports.setdefault(f"channel-{channel}", JobReport(f"send to {channel}"))
        began = self._clock()
        try:
            while not self._stopping.is_set() and self.send_next(channel):
                pass
        except Exception as error:
            report.failures += 1
            described = f"{type(error).__name__}: {error}"
            if report.last_error != described:
                log.exception("sending to channel %d failed, it is tried again", channel)
            report.last_error = described
        else:
            report.last_error = None
        finally:
            report.runs += 1
            report.last_run = began
            report.took_s = self._clock() - began

    def send_next(self, channel: int) -> bool:
        """Try the next message that is due for a channel; return whether there was one."""
        now = int(self._clock())
        entry = self._store.writer.run(
            lambda connection: outbox.claim(connection, channel, now=now)
        )
        if entry is None:
            return False
        try:
            self._send(entry, now)
        except BaseException as error:
            self._strand(entry, error)
            raise
        return True

    def _strand(self, entry: Entry, error: BaseException) -> None:
        """Have what can't be composed or noted now tried again, not at once and not for ever."""
        self._stranded.add(entry.id)  # until this is noted: a full disk does not take it
        # Its text is not ours, and may hold a secret.
        reason = f"fluxd could not send it ({type(error).__name__}): see its log"
        now = int(self._clock())
        if now - entry.created < GIVE_UP_S:
            due = now + int(wait_s(entry.attempts, self._luck()))
            self._run(outbox.put_off, entry.id, due=due, answer=reason)
        else:
            log.error("a message was given up after %d tries: %s", entry.attempts, reason)
            self._finish(entry, "failed", reason)
        self._stranded.discard(entry.id)

    def _send(self, entry: Entry, now: int) -> None:
        with self._store.read() as reader:
            channel = get_channel(reader, entry.channel)
        if channel is None:
            return self._finish(entry, "cancelled", "the channel was deleted")
        if entry.body is None:
            message = self._prepare(entry, channel, now)
            if message is None:
                return None
        else:
            message = from_json(json.loads(entry.body))
        self._note(entry, channel, self._try(channel, message))
        return None

    def _prepare(self, entry: Entry, channel: StoredChannel, now: int) -> Message | None:
        """Write a message that is to go out now; None where it is not, which is noted."""
        offset = self._composer.local.offset(now)
        quiet = read_quiet_hours(channel.quiet_hours)
        left = 0 if quiet is None else quiet.left_s(now, offset)
        with self._store.read() as reader:
            incident = None if entry.incident is None else get_incident(reader, entry.incident)
            is_over = incident is not None and incident.state == "resolved"
            sent = _count_sent(reader, channel, day_began(now, offset))
            heard = gather(reader, entry.incident or 0).heard
            message = self._composer.compose(reader, entry, self._notes(channel, sent))
        if incident is None or message is None:
            self._finish(entry, "cancelled", "its metrics were deleted")
        elif entry.notice != "resolved" and not wants(channel, heard):
            self._finish(entry, "cancelled", incident.silent or "muted")
        elif (entry.notice, is_over) in OVERTAKEN:
            self._finish(entry, "cancelled", "not needed any more")
        elif entry.notice == "resolved" and not channel.resolved:
            self._finish(entry, "withheld", "this channel is not told what is over")
        elif left and incident.severity != "critical":
            self._run(outbox.put_off, entry.id, due=now + left, answer="it waits: quiet hours")
        elif self._admit(entry, channel, message, day_began(now, offset)):
            return message
        return None

    def _admit(self, entry: Entry, channel: StoredChannel, message: Message, since: int) -> bool:
        """Keep a message as it goes out, or withhold it; return which.

        Counted and written in one transaction, or of several threads each would be the last. What
        has changed since it was composed is composed anew.
        """
        body = json.dumps(to_json(message), separators=(",", ":"))
        over = f"over the {channel.daily_cap} messages a day: it is told in the next digest"

        def admit(connection: Connection) -> bool:
            found = get_incident(connection, message.incident or 0)
            told = (message.kind == "resolved", message.severity)
            if found is None or (found.state == "resolved", found.severity) != told:
                outbox.put_off(connection, entry.id, due=entry.due, answer=None)
                return False
            sent = _count_sent(connection, channel, since)
            if within_cap(sent, channel.daily_cap, message.severity):
                outbox.write_body(connection, entry.id, body, message.kind, message.severity)
                return True
            outbox.withhold(connection, entry.id, answer=over)
            return False

        return self._store.writer.run(admit)

    def _notes(self, channel: StoredChannel, sent: int) -> list[str]:
        """Return what a message says of itself: that it is among the last of the day."""
        if channel.daily_cap and sent + 1 >= channel.daily_cap:
            rest = "what comes now is told in the next digest"
            return [f"This is message {sent + 1} of at most {channel.daily_cap} today; {rest}."]
        return []

    def test(self, channel: StoredChannel) -> Outcome:
        """Send a test message now, and note in the outbox what the other side said."""
        now = int(self._clock())
        key = outbox.new_key()
        outcome = self._try(channel, self._composer.test(channel, key, now))
        self._run(
            outbox.note_test, channel.id, key, sent=outcome.sent, answer=outcome.text, now=now
        )
        return outcome

    def _try(self, channel: StoredChannel, message: Message) -> Outcome:
        settings = self.from_file.get(channel.id, {}) if channel.from_file else channel.settings
        try:
            answer = self._build(channel.kind, settings).send(message, TIMEOUT_S)
        except DeliveryError as error:
            return Outcome(error.message, retry=error.retry, retry_after_s=error.retry_after_s)
        except FluxdError as error:  # its settings are wrong
            return Outcome(error.message)
        return Outcome(answer.text, sent=True)

    def _note(self, entry: Entry, channel: StoredChannel, outcome: Outcome) -> None:
        now = int(self._clock())
        if outcome.sent:
            return self._finish(entry, "sent", outcome.text)
        if outcome.retry and now - entry.created < GIVE_UP_S:
            wait = wait_s(entry.attempts, self._luck(), outcome.retry_after_s)
            self._run(outbox.put_off, entry.id, due=now + max(1, round(wait)), answer=outcome.text)
            return None
        log.error(
            "a message to %s was given up after %d tries: %s",
            channel.name,
            entry.attempts,
            outcome.text,
        )
        return self._finish(entry, "failed", outcome.text)

    def _finish(self, entry: Entry, state: str, answer: str) -> None:
        self._run(outbox.finish, entry.id, state, now=int(self._clock()), answer=answer)

    def _run(self, function: Callable[..., None], *args: object, **given: object) -> None:
        def write(connection: Connection) -> None:
            function(connection, *args, **given)

        self._store.writer.run(write)


def _count_sent(reader: Connection, channel: StoredChannel, since: int) -> int:
    """Return what counts for a channel's cap; without one thousands may be on their way."""
    return outbox.count_sent(reader, channel.id, since) if channel.daily_cap else 0
