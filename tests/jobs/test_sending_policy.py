"""What a channel takes and when: quiet hours, the cap, digests, mutes, a clock that is wrong."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from jobs.happenings import fleet
from jobs.outgoing import BUSY, URL, Desk, a_desk, change, clock
from store.posting import until

from fluxd.core.errors import NotFoundError
from fluxd.core.incidents.notices import CALM_S, GATHER_S
from fluxd.core.message import Message
from fluxd.core.sending import DAY_S
from fluxd.jobs.composing import Composer
from fluxd.store.channels import switch_channel
from fluxd.store.hushes import add_mute


@pytest.fixture
def desk() -> Iterator[Desk]:
    with a_desk() as lent:
        yield lent


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


def test_a_channel_may_be_told_no_ends(desk: Desk) -> None:
    change(desk, resolved=False)
    site, began = desk.site, desk.site.now
    site.happen("web.a")
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    site.happen("web.a", at=began, ended=began + 60)
    desk.pass_time(1)
    desk.pass_time(CALM_S)
    assert [one.kind for one in desk.script.got] == ["opened"]
    assert desk.state() == ("withheld", "this channel is not told what is over")
    site.happen("web.a", at=began, went_on=site.now)  # it counts as told: this is news again
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    assert [one.kind for one in desk.script.got] == ["opened", "opened"]
    site.happen("web.b", at=site.now + 8_000, ended=site.now + 8_000)
    desk.pass_time(8_001)
    desk.pass_time(GATHER_S)
    assert desk.script.got[2].subject == "web.b: spike"  # over at once: the only word of it
    desk.digester.step(site.now + DAY_S)
    assert len(site.outbox) == 4


def switch(desk: Desk, *, on: bool) -> None:
    desk.site.store.writer.run(lambda writer: switch_channel(writer, 1, on=on, now=desk.site.now))


def test_what_waited_for_long_is_not_sent_when_a_channel_is_switched_on(desk: Desk) -> None:
    change(desk, daily_cap=1, digest="also")
    site, began = desk.site, desk.site.now
    site.happen("web.a", score=0.9)
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    site.happen("web.b", at=site.now + 1_000)
    desk.pass_time(1_000)
    desk.pass_time(GATHER_S)
    site.happen("web.a", at=began, ended=site.now, score=0.9)
    desk.pass_time(0)
    assert [one.state for one in site.outbox] == ["sent", "withheld", "waiting"]
    switch(desk, on=False)
    desk.pass_time(30 * DAY_S)
    desk.digester.step(site.now)
    switch(desk, on=True)
    desk.pass_time(0)
    reason = "it had waited for more than a day when the channel was switched on"
    assert [desk.state(entry) for entry in (1, 2)] == [("cancelled", reason)] * 2
    desk.digester.step(site.now)
    desk.pass_time(0)
    kinds = [(one.kind, one.stories) for one in desk.script.got]
    assert [kind for kind, _ in kinds] == ["opened", "digest"]
    assert kinds[1][1] == ()  # of the last day, not of a month
    assert desk.script.got[1].started == site.now - DAY_S
    site.happen("web.b", at=began + GATHER_S + 1_000, score=0.5)  # it lasts: that is news
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    assert [one.kind for one in desk.script.got][2:] == ["opened"]


def test_what_waits_when_a_channel_is_off_for_an_hour_is_sent(desk: Desk) -> None:
    desk.site.happen("web.a")
    desk.pass_time(0)
    switch(desk, on=False)
    desk.pass_time(DAY_S - 1)
    assert desk.script.got == []
    switch(desk, on=True)
    desk.pass_time(0)
    assert [one.kind for one in desk.script.got] == ["opened"]
    with pytest.raises(NotFoundError):
        desk.site.store.writer.run(lambda writer: switch_channel(writer, 7, on=True, now=0))


def test_what_waits_for_the_end_of_quiet_hours_goes_out_once_it_is_critical(desk: Desk) -> None:
    """An outage at night begins with few."""
    change(desk, quiet_hours="11:00-13:00")
    desk.site.happen(*fleet(5, 40)[:20])
    desk.pass_time(0)
    desk.pass_time(GATHER_S)
    assert desk.state() == ("waiting", "it waits: quiet hours")
    desk.site.happen(*fleet(5, 40)[20:])
    desk.pass_time(60)
    desk.pass_time(GATHER_S)
    assert [(one.kind, one.severity) for one in desk.script.got] == [("opened", "critical")]
