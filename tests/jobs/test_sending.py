import json
import logging
import random
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from jobs.happenings import CHANNEL, fleet, happenings
from jobs.outgoing import BUSY, REFUSED, URL, Desk, Script, a_desk, change, clock
from store.posting import until

from fluxd.core.errors import DeliveryError, StoreError
from fluxd.core.incidents.notices import CALM_S, GATHER_S, SETTLE_S
from fluxd.core.message import Message
from fluxd.core.sending import DAY_S
from fluxd.jobs.composing import Composer
from fluxd.store import outbox
from fluxd.store.channels import StoredChannel, delete_channel


@pytest.fixture
def desk() -> Iterator[Desk]:
    with a_desk() as lent:
        yield lent


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


def test_a_subject_says_since_when_what_lasts_does(desk: Desk) -> None:
    site, began = desk.site, desk.site.now
    for metric, before in (("web.a", 200), ("web.b", 100)):
        site.happen(metric, at=began - before)
        site.happen(metric, at=began - before, ended=began - 60)
    site.stop("host-00", fleet(5, 40)[:40])
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    (message,) = desk.script.got
    assert message.subject == (
        f"40 metrics stopped on prod.host-00; 2 more over, since {clock(began)} UTC"
    )
    assert message.started == began - 200
    assert message.down == 1


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
