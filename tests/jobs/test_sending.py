import json
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from jobs.happenings import CHANNEL, Happenings, fleet, happenings
from store.posting import until

from fluxd.core.detect import UTC
from fluxd.core.errors import DeliveryError, StoreError
from fluxd.core.incidents.notices import CALM_S, GATHER_S, SETTLE_S
from fluxd.core.message import Message
from fluxd.core.sending import DAY_S
from fluxd.jobs.composing import Composer
from fluxd.jobs.digests import Digester
from fluxd.jobs.sending import Sender
from fluxd.notify.channel import Answer
from fluxd.store import outbox
from fluxd.store.channels import StoredChannel, change_channel, delete_channel
from fluxd.store.hushes import add_mute

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


@pytest.fixture
def desk() -> Iterator[Desk]:
    with happenings(*fleet(5, 40), "web.a", "web.b") as site:
        site.now -= site.now % DAY_S - 12 * 3600  # noon
        site.add_channel()
        yield Desk(site)


def test_a_message_goes_out_within_seconds_with_all_that_began_with_it(desk: Desk) -> None:
    desk.site.happen("web.a", score=0.4)
    desk.pass_time(1)
    desk.site.happen("web.b", score=0.5)
    desk.pass_time(GATHER_S - 1)
    assert desk.script.got == []
    desk.pass_time(1)
    (message,) = desk.script.got
    began = desk.site.incidents[0].started
    assert message.subject == f"2 metrics odd on web, since {clock(began)} UTC"
    assert message.kind == "opened"
    assert (message.metrics, message.severity, message.host) == (2, "normal", "db-host")
    assert [one.metric for one in message.members] == ["web.a", "web.b"]
    assert message.members[1].link == f"{URL}/anomalies/2"
    assert message.links.open == f"{URL}/incidents/1"
    assert message.links.mute == f"{URL}/settings/silence?metric=web.b#mute"
    assert desk.state() == ("sent", "204")


def clock(at: int) -> str:
    return f"{at % DAY_S // 3600:02}:{at % 3600 // 60:02}"


def test_a_network_cut_is_one_message_and_its_end() -> None:
    """3,000 metrics of 60 hosts bend within two minutes, each host in its phase, and come back."""
    metrics, noise = fleet(60, 50), random.Random(4)
    phases = {host: noise.randrange(120) for host in range(60)}
    with happenings(*metrics) as site:
        site.add_channel()
        cut = Desk(site)
        began = site.now
        for second in range(0, 600, 5):
            site.now = began + second
            for host, phase in phases.items():
                if second - 5 < phase <= second:
                    site.happen(*metrics[50 * host : 50 * host + 50], at=began + phase)
            cut.pass_time(0)
        assert [(one.kind, one.severity) for one in cut.script.got] == [("opened", "critical")]
        site.now += 1_200
        for host, phase in phases.items():
            some = metrics[50 * host : 50 * host + 50]
            site.happen(*some, at=began + phase, ended=site.now)
        cut.pass_time(0)
        cut.pass_time(CALM_S)
        assert [one.kind for one in cut.script.got] == ["opened", "resolved"]
        assert cut.script.got[1].metrics == 3_000


def test_where_nobody_said_where_the_pages_are_there_are_no_links(desk: Desk) -> None:
    desk.composer = replace(desk.composer, url="")
    desk.restart()
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    links = desk.script.got[0].links
    assert (links.open, links.acknowledge, links.mute) == ("", "", "")


def test_a_story_in_three_messages_of_one_thread(desk: Desk) -> None:
    site = desk.site
    site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    began = site.incidents[0].started
    site.happen(*fleet(5, 40), at=began + 60)
    site.happen("web.b", at=began - 20)  # found later, and begun earlier
    desk.pass_time(1)
    desk.pass_time(SETTLE_S)
    site.happen("web.b", at=began - 20, ended=site.now)
    for metric in (*fleet(5, 40), "web.a"):
        site.happen(metric, at=began + (60 if metric != "web.a" else 0), ended=site.now)
    desk.pass_time(1)
    desk.pass_time(CALM_S)
    assert [one.kind for one in desk.script.got] == ["opened", "worsened", "resolved"]
    assert len({one.thread for one in desk.script.got}) == 1
    assert len({one.key for one in desk.script.got}) == 3
    assert [one.severity for one in desk.script.got] == ["normal", "critical", "critical"]
    assert desk.script.got[2].ended is not None
    assert "since" not in desk.script.got[2].subject


def test_what_is_over_before_it_is_told_is_one_message(desk: Desk) -> None:
    desk.site.happen("web.a", ended=desk.site.now + 60)
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    desk.pass_time(DAY_S)
    assert [one.kind for one in desk.script.got] == ["resolved"]


def test_tries_follow_each_other_at_growing_distance_with_the_same_message(desk: Desk) -> None:
    desk.script.faults = [BUSY] * 4
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    waits = []
    body = desk.site.outbox[0].body
    desk.site.happen("web.b", at=desk.site.now)  # it changes meanwhile; the message does not
    while not desk.script.got:
        entry = desk.site.outbox[0]
        assert (entry.state, entry.answer) == ("waiting", "the other side is busy")
        waits.append(entry.due - desk.site.now)
        desk.pass_time(entry.due - desk.site.now - 1)
        assert desk.script.got == []
        desk.pass_time(1)
    assert waits == [5, 10, 20, 40]
    assert desk.site.outbox[0].attempts == 5
    assert desk.site.outbox[0].body == body
    assert desk.script.got[0].key == desk.site.outbox[0].key
    assert desk.script.got[0].metrics == 1


def test_the_other_side_says_when_to_come_again(desk: Desk) -> None:
    desk.script.faults = [DeliveryError("slow down", retry=True, retry_after_s=120.0)]
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    assert desk.site.outbox[0].due == desk.site.now + 120


def test_what_cannot_succeed_is_given_up_loudly(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.script.faults = [REFUSED]
    desk.site.happen("web.a")
    desk.pass_time(0)
    with caplog.at_level(logging.ERROR):
        desk.pass_time(GATHER_S)
    assert desk.state() == ("failed", "the key is wrong: make a new one")
    assert "a message to ops was given up after 1 tries" in caplog.text


def test_after_a_day_it_is_given_up(desk: Desk) -> None:
    desk.script.faults = [BUSY] * 200
    desk.site.happen("web.a")
    desk.pass_time(0)
    for _ in range(120):
        desk.pass_time(900)
    assert desk.state() == ("failed", "the other side is busy")
    assert desk.site.now - desk.site.outbox[0].created >= DAY_S
    assert 90 < desk.site.outbox[0].attempts < 120


def test_messages_of_one_incident_keep_their_order(desk: Desk) -> None:
    desk.script.faults = [BUSY] * 3
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    desk.site.happen("web.a", at=desk.site.incidents[0].started, ended=desk.site.now)
    for _ in range(20):
        desk.pass_time(30)
    assert [one.kind for one in desk.script.got] == ["opened", "resolved"]


def test_what_opens_again_while_its_end_is_tried_is_told_after_it(desk: Desk) -> None:
    began = desk.site.now
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    desk.site.happen("web.a", at=began, ended=began + 60)
    desk.pass_time(60)
    desk.script.faults = [BUSY]
    desk.pass_time(CALM_S)
    assert desk.state() == ("waiting", BUSY.message)
    desk.site.happen("web.a", at=began)  # it goes on
    desk.pass_time(0)
    desk.pass_time(60)
    assert [one.kind for one in desk.script.got] == ["opened", "resolved", "opened"]


@pytest.mark.parametrize("late", [False, True])
def test_what_is_over_while_its_opening_is_written_is_told_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, late: bool
) -> None:
    """Whether it is over just before it is read, or just after."""
    compose, began = Composer.compose, desk.site.now

    def composed(*given: Any) -> Message | None:
        monkeypatch.undo()
        found = compose(*given) if late else None
        desk.site.happen("web.a", at=began, ended=began + 1)
        desk.site.group()
        return found if late else compose(*given)

    desk.site.happen("web.a", at=began)
    desk.pass_time(0)
    monkeypatch.setattr(Composer, "compose", composed)
    desk.pass_time(GATHER_S)
    desk.pass_time(DAY_S)
    assert [one.kind for one in desk.script.got] == ["resolved"]


def test_what_opens_again_as_its_end_is_written_is_not_told_over(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = desk.site.now
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    desk.site.happen("web.a", at=began, ended=began + 60)
    desk.pass_time(60)
    compose = Composer.compose

    def composed(*given: Any) -> Message | None:
        monkeypatch.undo()
        desk.site.happen("web.a", at=began)
        desk.site.group()
        return compose(*given)

    monkeypatch.setattr(Composer, "compose", composed)
    desk.pass_time(CALM_S)
    assert [one.kind for one in desk.script.got] == ["opened"]
    desk.site.happen("web.a", at=began, ended=desk.site.now)
    desk.pass_time(60)
    desk.pass_time(CALM_S)
    assert [one.kind for one in desk.script.got] == ["opened", "resolved"]


def test_in_quiet_hours_messages_wait_but_for_critical_ones(desk: Desk) -> None:
    change(desk, quiet_hours="11:00-13:00")
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    assert desk.state() == ("waiting", "it waits: quiet hours")
    assert clock(desk.site.outbox[0].due) == "13:00"
    desk.site.happen(*fleet(5, 40), at=desk.site.now + 1_000)
    desk.pass_time(1_000)
    desk.pass_time(GATHER_S)
    assert [one.severity for one in desk.script.got] == ["critical"]
    desk.pass_time(3 * 3_600)
    assert [one.severity for one in desk.script.got] == ["critical", "normal"]


def change(desk: Desk, **policy: Any) -> None:
    channel = replace(CHANNEL, id=1, **policy)
    desk.site.store.writer.run(lambda writer: change_channel(writer, channel))


def test_in_quiet_hours_the_digest_waits_too(desk: Desk) -> None:
    change(desk, quiet_hours="22:00-09:00", digest="also")
    desk.pass_time(20 * 3600)  # 8 o'clock
    desk.digester.step(desk.site.now)
    desk.pass_time(3_599)
    assert desk.script.got == []
    desk.pass_time(1)
    assert [one.kind for one in desk.script.got] == ["digest"]


def test_over_the_cap_the_worst_go_out_and_a_digest_tells_the_rest(desk: Desk) -> None:
    change(desk, daily_cap=4)
    for number, metric in enumerate(fleet(5, 1)):
        desk.site.happen(metric, at=desk.site.now + 1_000 * number, score=0.4)
    desk.site.happen("web.a", at=desk.site.now + 9_000, score=0.9)
    desk.pass_time(10_000)
    desk.pass_time(GATHER_S)
    states = [one.state for one in desk.site.outbox]
    assert states == ["sent", "sent", "sent", "withheld", "withheld", "sent"]
    assert desk.script.got[-1].severity == "high"
    assert desk.script.got[-1].notes == (
        "This is message 4 of at most 4 today; what comes now is told in the next digest.",
    )
    desk.digester.step(desk.site.now)
    desk.pass_time(DAY_S)
    desk.digester.step(desk.site.now)
    desk.pass_time(0)
    digest = desk.script.got[-1]
    assert digest.kind == "digest"
    assert digest.subject == "2 incidents on db-host"
    assert [story[2] for story in digest.stories] == [f"{URL}/incidents/4", f"{URL}/incidents/5"]
    assert "2 of them were not sent when they began" in digest.notes[0]
    desk.pass_time(DAY_S)
    desk.digester.step(desk.site.now)
    desk.pass_time(0)
    assert desk.script.got[-1] is digest


def test_what_waits_for_a_service_that_is_down_counts_for_the_cap(desk: Desk) -> None:
    change(desk, daily_cap=4)
    desk.script.faults = [BUSY] * 5
    for number, metric in enumerate(fleet(5, 1)):
        desk.site.happen(metric, at=desk.site.now + 1_000 * number, score=0.4)
    desk.pass_time(10_000)
    desk.pass_time(GATHER_S)
    desk.script.faults = []
    desk.pass_time(60)
    assert [one.state for one in desk.site.outbox] == ["sent"] * 3 + ["withheld"] * 2


def test_of_messages_that_go_out_at_once_as_many_do_as_may(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(desk, daily_cap=4)
    for number, metric in enumerate(fleet(4, 1)):
        desk.site.happen(metric, at=desk.site.now + 1_000 * number, score=0.4)
    desk.site.now += 10_000
    desk.site.group()
    desk.site.now += GATHER_S
    meeting, compose = threading.Barrier(4), Composer.compose

    def composed(*given: Any) -> Message | None:
        meeting.wait(60)
        return compose(*given)

    monkeypatch.setattr(Composer, "compose", composed)
    threads = [threading.Thread(target=desk.sender.send_next, args=(1,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = sorted(one.state for one in desk.site.outbox)
    assert states == ["sent", "sent", "sent", "withheld"]


def test_a_channel_that_is_switched_off_gets_nothing_more(desk: Desk) -> None:
    desk.site.happen("web.a")
    desk.pass_time(0)
    change(desk, enabled=False)
    desk.pass_time(GATHER_S)
    assert desk.state() == ("waiting", None)
    change(desk, enabled=True)
    desk.pass_time(0)
    assert [one.kind for one in desk.script.got] == ["opened"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_was_a_year_ahead_keeps_no_message(desk: Desk, *, restarted: bool) -> None:
    change(desk, daily_cap=1)
    right, desk.site.now = desk.site.now, desk.site.now + 365 * DAY_S
    desk.digester.step(desk.site.now)
    desk.site.happen("web.a", score=0.9)
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    desk.site.happen(fleet(1, 1)[0], at=desk.site.now + 10_000, score=0.9)
    desk.pass_time(10_000)
    desk.sender.step(desk.site.now)
    desk.site.now = right
    desk.digester.step(right)
    if restarted:
        desk.restart()
    desk.sender.step(right)
    desk.pass_time(GATHER_S)
    until(lambda: desk.state()[0] == "sent")
    assert [one.kind for one in desk.script.got] == ["opened", "opened"]
    desk.site.happen("web.b", score=0.9)
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    assert desk.state()[0] == "withheld"
    desk.pass_time(DAY_S)
    desk.digester.step(desk.site.now)
    desk.pass_time(0)
    assert desk.script.got[-1].kind == "digest"


def test_a_daily_digest_tells_what_was_silent_and_why(desk: Desk) -> None:
    change(desk, digest="only")
    now = desk.site.now
    desk.site.store.writer.run(
        lambda writer: add_mute(writer, "glob", "web.*", until=None, reason="", now=now)
    )
    desk.site.happen("web.a", at=now)
    desk.site.happen(fleet(1, 1)[0], at=now + 2_000)
    desk.pass_time(2_000)
    assert desk.site.outbox == []
    for _ in range(3):
        desk.pass_time(DAY_S)
        desk.digester.step(desk.site.now)
        desk.pass_time(0)
    first, second, _third = desk.script.got
    assert first.subject == "1 incident on db-host"
    assert first.notes == ("1 kept silent: muted by web.*.",)
    assert second.subject == "All quiet on db-host"


def test_what_began_before_a_digest_and_was_found_after_it_is_in_the_next(desk: Desk) -> None:
    """A stop is told minutes after it began, or hours."""
    change(desk, digest="only")
    desk.pass_time(20 * 3600)  # 8 o'clock
    desk.digester.step(desk.site.now)
    desk.site.happen("web.a", at=desk.site.now - 1_200)
    desk.site.happen("web.b", at=desk.site.now - 30 * DAY_S, ended=0, history=True)
    desk.pass_time(60)
    for _ in range(2):
        desk.pass_time(DAY_S)
        desk.digester.step(desk.site.now)
    desk.pass_time(0)
    subjects = [one.subject for one in desk.script.got]
    assert subjects == [f"{what} on db-host" for what in ("All quiet", "1 incident", "All quiet")]
    assert desk.script.got[1].notes == ()


def test_what_is_muted_meanwhile_is_not_sent(desk: Desk) -> None:
    now = desk.site.now
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.site.store.writer.run(
        lambda writer: add_mute(writer, "metric", "web.a", until=None, reason="", now=now)
    )
    desk.pass_time(GATHER_S)
    assert desk.script.got == []
    assert desk.state() == ("cancelled", "muted")


def test_a_channel_that_is_deleted_gets_nothing_more(desk: Desk) -> None:
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.site.store.writer.run(lambda writer: delete_channel(writer, 1, now=desk.site.now))
    desk.pass_time(GATHER_S)
    assert desk.script.got == []
    assert desk.state() == ("cancelled", "the channel was deleted")


def test_what_was_being_sent_when_the_daemon_died_is_tried_again_under_its_key(desk: Desk) -> None:
    desk.site.happen("web.a")
    desk.pass_time(0)

    class Death(BaseException):
        pass

    def die() -> None:
        raise Death

    desk.script.hold = die
    desk.sender._run = lambda *_args, **_given: None  # type: ignore[method-assign]  # no last words
    entry = desk.site.outbox[0]
    desk.site.now += GATHER_S
    with pytest.raises(Death):
        desk.sender.send_next(1)
    desk.site.store.writer.run(
        lambda writer: writer.execute("UPDATE outbox SET state = 'sending', due = ?", (entry.due,))
    )
    desk.script.hold = lambda: None
    desk.pass_time(0)
    assert desk.script.got == []  # a thread that is not there holds it
    desk.restart()
    desk.pass_time(0)
    assert [one.key for one in desk.script.got] == [entry.key]


def test_a_row_is_one_threads_alone(desk: Desk) -> None:
    for number, metric in enumerate(fleet(5, 1)):
        desk.site.happen(metric, at=desk.site.now + 1_000 * number)
    desk.site.now += 10_000
    desk.site.group()
    desk.site.now += GATHER_S
    meeting = threading.Barrier(4)
    desk.script.hold = meeting.wait  # four are being sent at once, or nobody goes on
    threads = [threading.Thread(target=desk.sender._work, args=(1,)) for _ in range(4)]
    change(desk, daily_cap=0)

    def release() -> None:
        desk.script.hold = lambda: None

    meeting._action = release  # type: ignore[attr-defined]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({one.key for one in desk.script.got}) == len(desk.script.got) == 5


def test_a_channel_that_hangs_holds_no_other_up(desk: Desk) -> None:
    desk.site.add_channel(replace(CHANNEL, name="second", kind="slack"))
    desk.site.happen("web.a")
    desk.pass_time(0)
    go_on = threading.Event()
    desk.script.hold = lambda: go_on.wait(60)
    desk.site.now += GATHER_S
    desk.sender.step(desk.site.now)
    until(lambda: desk.scripts["slack"].got)
    assert desk.script.got == []
    desk.sender.step(desk.site.now)
    go_on.set()
    until(lambda: desk.script.got)
    desk.sender.stop(30)
    assert [one.state for one in desk.site.outbox] == ["sent", "sent"]


def test_a_thread_survives_what_nobody_thought_of(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.script.faults = [ZeroDivisionError("oops"), ZeroDivisionError("oops")]
    desk.site.happen("web.a")
    desk.pass_time(0)
    for _ in range(3):
        desk.site.now += 1_000
        desk.sender._work(1)
    assert [one.kind for one in desk.script.got] == ["opened"]
    assert caplog.text.count("sending to channel 1 failed, it is tried again") == 1
    report = desk.sender.reports["channel-1"]
    assert (report.runs, report.failures, report.last_error) == (3, 2, None)


def test_what_nobody_thought_of_is_given_up_after_a_day_with_its_reason(desk: Desk) -> None:
    desk.site.happen("web.a")
    desk.pass_time(0)
    for passed, state in ((GATHER_S, "waiting"), (DAY_S, "failed")):
        desk.site.now += passed
        desk.script.faults = [ZeroDivisionError("a secret")]
        with pytest.raises(ZeroDivisionError):
            desk.sender.send_next(1)
        assert desk.state() == (state, "fluxd could not send it (ZeroDivisionError): see its log")


def test_what_a_full_disk_did_not_note_is_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.site.happen("web.a")
    desk.pass_time(0)
    desk.site.now += GATHER_S

    def full(*_args: object, **_given: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        for name in ("write_body", "put_off"):
            patch.setattr(outbox, name, full)
        with pytest.raises(StoreError):
            desk.sender.send_next(1)
    assert desk.state()[0] == "sending"
    desk.sender.step(desk.site.now)
    until(lambda: desk.state()[0] == "sent")
    assert [one.kind for one in desk.script.got] == ["opened"]


def test_a_test_says_what_the_other_side_answered(desk: Desk) -> None:
    channel = StoredChannel(1, "ops", "webhook", {})
    assert desk.sender.test(channel).text == "204"
    assert desk.script.got[0].kind == "test"
    desk.script.faults = [REFUSED]
    outcome = desk.sender.test(channel)
    assert (outcome.sent, outcome.text) == (False, "the key is wrong: make a new one")
    assert [(one.notice, one.state) for one in desk.site.outbox] == [
        ("test", "sent"),
        ("test", "failed"),
    ]


def test_the_settings_of_the_files_channels_are_the_files(desk: Desk) -> None:
    seen: list[Mapping[str, str]] = []

    def build(_kind: str, settings: Mapping[str, str]) -> Script:
        seen.append(settings)
        return desk.script

    desk.sender._build = build
    desk.sender.from_file = {1: {"url": "https://from.file/"}}
    desk.sender.test(replace(CHANNEL, id=1, settings={}, from_file=True))
    assert seen == [{"url": "https://from.file/"}]


def test_a_message_has_the_chart_of_the_leading_metric(desk: Desk) -> None:
    columns = {
        "timestamps": [desk.site.now, desk.site.now + 60],
        "values": [9.0, 9.5],
        "expected": [1.0, 1.0],
        "lower": [0.5, None],
        "upper": [1.5, None],
        "score": [0.4, 0.4],
    }
    desk.site.happen("web.a", evidence={"datapoints": columns})
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    picture = desk.script.got[0].picture
    assert picture is not None
    assert picture.values == (9.0, 9.5)
    assert picture.upper == (1.5, None)
    assert picture.title == "web.a"
    stored = json.loads(desk.site.outbox[0].body or "")
    assert stored["picture"]["values"] == [9.0, 9.5]
