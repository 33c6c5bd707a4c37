import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs.happenings import CHANNEL, Happenings, fleet, happenings, sent

from fluxd.core.errors import BadRequestError, NotFoundError
from fluxd.core.hush import Window
from fluxd.core.incidents.lifecycle import REOPEN_S
from fluxd.core.incidents.notices import CALM_S, GATHER_S, SETTLE_S
from fluxd.jobs import grouping
from fluxd.store import incident_members
from fluxd.store.channels import StoredChannel, change_channel, delete_channel
from fluxd.store.hushes import add_mute, add_window, read_mutes, remove_mute
from fluxd.store.incident_queue import STALE_S
from fluxd.store.series import delete_series, mute_series

FLEET = fleet(60, 50)


def test_a_network_cut_is_one_incident_and_two_notices() -> None:
    """3,000 metrics of 60 hosts bend within two minutes, then stop; each host has a phase."""
    noise = random.Random(5)
    phases = {metric.rsplit(".", 1)[0]: noise.randrange(120) for metric in FLEET}
    with happenings(*FLEET) as site:
        site.add_channel()
        began = site.now
        for second in range(130):
            site.now = began + second
            odd = [one for one in FLEET if phases[one.rsplit(".", 1)[0]] == second]
            if odd:
                site.happen(*odd)
            site.group()
        for _ in range(20):
            site.now += 30
            site.group()
        assert [(one.metrics, one.severity, one.state) for one in site.incidents] == [
            (3_000, "critical", "open")
        ]
        assert len(site.members(1)) == 3_000
        assert site.queued == [("opened", "waiting")]  # nobody has sent it: it will tell all


def test_of_a_flood_its_first_and_its_last_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_members, "MOST", 40)
    monkeypatch.setattr(grouping, "MOST_KNOWN", 40)
    monkeypatch.setattr(grouping, "BATCH", 90)
    metrics = fleet(12, 50)
    with happenings(*metrics) as site:
        site.add_channel()
        site.happen(*metrics)
        site.group()
        (one,) = site.incidents
        assert (one.metrics, one.anomalies, one.severity) == (600, 600, "critical")
        assert one.title == "600 metrics odd on host-00, host-11 at least"
        started, site.now = site.now, site.now + 600
        site.happen(*metrics[1:], at=started, ended=site.now)
        site.group()
        assert site.incidents[0].state == "open"  # one in its midst lasts
        site.happen(metrics[0], at=started, ended=site.now + 60)
        site.group()
        assert (site.incidents[0].state, site.incidents[0].ended) == ("resolved", site.now + 60)


def test_all_senders_that_stop_are_one_incident() -> None:
    with happenings(*FLEET) as site:
        for host in range(60):
            site.now += 2
            site.stop(f"host-{host:02}", FLEET[50 * host : 50 * host + 50])
            site.group()
        assert [(one.metrics, one.severity) for one in site.incidents] == [(3_000, "critical")]
        assert site.incidents[0].title == "3,000 metrics stopped on host-00, host-01 and 58 more"


def test_two_causes_ten_minutes_apart_are_two_incidents() -> None:
    with happenings(*FLEET) as site:
        for minute, hosts in ((0, range(10)), (10, range(5, 15))):
            for host in hosts:
                kinds = range(10) if minute == 0 else range(10, 20)
                odd = [f"prod.host-{host:02}.m{kind}" for kind in kinds]
                site.happen(*odd, at=site.now + 60 * minute + 5 * host)
        site.now += 800
        site.group()
        assert [one.metrics for one in site.incidents] == [100, 100]


def test_an_incident_is_told_from_its_beginning_to_its_end() -> None:
    with happenings("web-1.cpu", "web-1.mem", "db-1.load") as site:
        site.add_channel()
        site.happen("web-1.cpu")
        site.group()
        assert site.queued == [("opened", "waiting")]
        assert site.outbox[0].due == site.now + GATHER_S
        site.happen("web-1.mem", at=site.now + 40)
        site.group()
        (one,) = site.incidents
        assert one.title == "2 metrics odd on web-1"
        assert "First web-1.cpu, 40 seconds before the others" in one.explanation
        assert site.queued == [("opened", "waiting")]
        sent(site)
        site.happen("web-1.cpu", at=one.started, ended=site.now + 60)
        site.group()
        assert site.incidents[0].state == "open"
        site.happen("web-1.mem", at=one.started + 40, ended=site.now + 90)
        site.group()
        (one,) = site.incidents
        assert (one.state, one.ended) == ("resolved", site.now + 90)
        assert site.queued == [("opened", "sent"), ("resolved", "waiting")]
        assert site.outbox[1].due == site.now + CALM_S


def test_what_spreads_is_told_when_it_has_spread() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        site.happen(FLEET[0])
        site.group()
        sent(site)
        told = site.now
        site.now += 10
        for number in range(1, 20):
            site.happen(FLEET[number])
        site.group()
        assert site.queued == [("opened", "sent"), ("worsened", "waiting")]
        assert site.outbox[1].due == told + SETTLE_S
        site.happen(*FLEET[20:40])
        site.group()
        assert len(site.queued) == 2


def test_what_is_critical_by_now_does_not_wait() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        site.happen(FLEET[0])
        site.group()
        sent(site)
        site.now += 10
        site.happen(*FLEET[1:20])
        site.group()
        site.now += 10
        site.happen(*FLEET[20:400])
        site.group()
        assert site.queued[1:] == [("worsened", "waiting")]
        assert site.outbox[1].due == site.now + GATHER_S
        site.now += 1
        site.happen(*FLEET[400:600])
        site.group()
        assert site.outbox[1].due == site.now - 1 + GATHER_S
        assert len(site.queued) == 2


def test_the_score_of_one_metric_that_creeps_up_is_no_news() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        high = site.add_channel(channel("high", least="high"))
        site.happen(FLEET[0])
        site.group()
        sent(site)
        site.act(1, "acknowledge")
        site.act(1, "release")
        site.happen(FLEET[0], at=site.now, score=0.9)
        site.group()
        assert site.incidents[0].severity == "high"
        # But for a channel that takes only what is high.
        assert [(one.channel, one.notice) for one in site.outbox] == [
            (1, "opened"),
            (high, "opened"),
        ]
        sent(site)
        site.act(1, "acknowledge")
        site.happen(FLEET[1])
        site.group()
        assert (len(site.outbox), site.incidents[0].state) == (2, "acknowledged")
        site.happen(*FLEET[2:12])  # no severer than it was, and yet worse
        site.group()
        assert site.incidents[0].state == "open"
        assert [one.notice for one in site.outbox[2:]] == ["worsened", "worsened"]


def test_a_channel_that_takes_less_than_before_is_told_what_reaches_its_minimum() -> None:
    with happenings(*FLEET) as site:
        number = site.add_channel()
        site.happen(FLEET[0])
        site.group()
        sent(site)
        site.store.writer.run(
            lambda writer: change_channel(writer, replace(CHANNEL, id=number, least="high"))
        )
        site.happen(FLEET[0], at=site.now, score=0.8)
        site.group()
        assert site.queued == [("opened", "sent"), ("worsened", "waiting")]
        sent(site)
        site.happen(FLEET[0], at=site.now, score=0.9)
        site.group()
        assert len(site.queued) == 2


def test_a_flapping_metric_is_told_once() -> None:
    with happenings("a.x") as site:
        site.add_channel()
        site.happen("a.x")
        site.group()
        sent(site)
        began = site.now
        for minute in range(1, 40, 2):  # over and back again before the end is told
            site.now = began + 60 * minute
            site.happen("a.x", at=began, ended=site.now)
            site.group()
            site.now += 30
            site.happen("a.x", at=began)
            site.group()
        assert [one for one in site.queued if one[1] != "cancelled"] == [("opened", "sent")]
        assert len(site.incidents) == 1


def test_within_the_hour_it_opens_again_and_later_it_is_another() -> None:
    with happenings("a.x", "b.y") as site:
        site.add_channel()
        site.happen("a.x", ended=site.now + 60)
        site.group()
        sent(site)
        site.happen("a.x", ended=site.now + 60, score=0.45)
        site.group()
        sent(site)
        assert site.incidents[0].state == "resolved"
        ended = site.now + 60
        site.now = ended + REOPEN_S
        site.happen("a.x")
        site.group()
        assert [one.state for one in site.incidents] == ["open"]
        assert site.queued[-1] == ("opened", "waiting")
        site.happen("a.x", at=site.now, ended=site.now)
        site.group()
        site.now += REOPEN_S + 1
        site.happen("a.x", at=site.now)
        site.group()
        assert [one.state for one in site.incidents] == ["resolved", "open"]


def test_what_was_over_when_it_was_found_is_told_if_it_is_fresh() -> None:
    with happenings("a.x", "b.y") as site:
        site.add_channel()
        site.happen("a.x", at=site.now - 600, ended=site.now - 300)
        site.group()
        assert site.queued == [("opened", "waiting")]
        site.happen("b.y", at=site.now - STALE_S - 100, ended=site.now - STALE_S - 1)
        site.group()
        assert site.queued == [("opened", "waiting")]
        assert site.incidents[1].silent == "it was over before it was found"


def test_history_is_shown_and_never_sent() -> None:
    with happenings("a.x") as site:
        site.add_channel()
        site.happen("a.x", history=True)
        site.group()
        assert [one.silent for one in site.incidents] == ["it was over before it was found"]
        assert site.queued == []
        site.happen("a.x", at=site.now, history=False)  # and goes on, live
        site.group()
        assert [one.silent for one in site.incidents] == [None]
        assert site.queued == [("opened", "waiting")]


def test_what_was_odd_twice_in_a_year_of_history_was_so_in_two_incidents() -> None:
    """Also where both are looked at in one turn."""
    with happenings("web.a") as site:
        for days in (300, 100):
            began = site.now - days * 86_400
            site.happen("web.a", at=began, ended=began + 60, history=True)
            site.happen("web.a", at=began + 3_000, ended=began + 3_060, history=True)
        site.group()
        assert [one.anomalies for one in site.incidents] == [2, 2]


def test_people_acknowledge_release_and_resolve() -> None:
    with happenings("a.x", "a.y") as site:
        site.add_channel()
        site.happen("a.x")
        site.group()
        sent(site)
        assert site.act(1, "acknowledge") == "acknowledged"
        assert site.incidents[0].acknowledged == site.now
        site.happen("a.y")
        site.group()
        assert site.incidents[0].state == "acknowledged"
        assert site.act(1, "release") == "open"
        assert site.act(1, "resolve") == "resolved"
        assert site.queued == [("opened", "sent"), ("resolved", "waiting")]
        sent(site)
        site.happen("a.x", at=site.now, score=0.45)  # what lasted then keeps it open no more
        site.group()
        assert site.incidents[0].state == "resolved"
        with pytest.raises(BadRequestError, match="is resolved: there is nothing to acknowledge"):
            site.act(1, "acknowledge")
        with pytest.raises(NotFoundError):
            site.act(2, "resolve")


def test_more_than_was_known_reopens_what_was_acknowledged() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        site.happen(FLEET[0])
        site.group()
        sent(site)
        site.act(1, "acknowledge")
        site.happen(*FLEET[1:40])
        site.group()
        assert site.incidents[0].state == "open"
        assert site.queued == [("opened", "sent"), ("worsened", "waiting")]


def test_channels_take_what_they_are_for() -> None:
    with happenings("web.a", "db.b") as site:
        site.add_channel(CHANNEL)
        site.add_channel(channel("only-db", metrics=("db.*",)))
        high = site.add_channel(channel("high", least="high"))
        site.add_channel(channel("off", enabled=False))
        site.add_channel(channel("daily", digest="only"))
        gone = site.add_channel(channel("gone"))
        site.store.writer.run(lambda writer: delete_channel(writer, gone, now=site.now))
        site.happen("web.a")
        site.group()
        assert [one.channel for one in site.outbox] == [1]
        site.happen("db.b", score=0.9)
        site.group()
        assert sorted(one.channel for one in site.outbox) == [1, 2, high]


def channel(name: str, **other: Any) -> StoredChannel:
    return replace(CHANNEL, name=name, **other)


def test_what_is_muted_is_shown_and_not_sent() -> None:
    with happenings("web.a", "web.b", "db.c", "db.d") as site:
        site.add_channel()
        now = site.now
        mute = site.store.writer.run(
            lambda writer: add_mute(writer, "glob", "web.*", until=now + 900, reason="x", now=now)
        )
        site.store.writer.run(lambda writer: mute_series(writer, "db.d", muted=True))
        site.happen("web.a")
        site.happen("db.d", at=now + 1_000)
        site.group()
        assert [one.silent for one in site.incidents] == ["muted by web.* (x)", "muted"]
        assert site.queued == []
        site.store.writer.run(lambda writer: remove_mute(writer, mute))
        site.group()
        assert site.incidents[0].silent is None
        assert site.queued == [("opened", "waiting")]
        site.happen("db.c")  # joins the muted company of web.a and counts alone
        site.group()
        with site.store.read() as reader:
            assert read_mutes(reader, now) == []


@pytest.mark.parametrize("restarted", [False, True])
def test_what_lasts_longer_than_its_mute_is_told_when_that_is_up(*, restarted: bool) -> None:
    with happenings("web.a") as site:
        site.add_channel()
        until = site.now + 900
        site.store.writer.run(
            lambda writer: add_mute(writer, "metric", "web.a", until=until, reason="", now=site.now)
        )
        site.happen("web.a")
        site.group()
        site.now = until - 1
        site.group()
        assert site.queued == []
        site.now = until
        if restarted:
            site.restart()
        site.group()
        assert site.queued == [("opened", "waiting")]


def test_a_deploy_is_expected() -> None:
    with happenings("web.a", "db.b") as site:
        site.add_channel()
        window = Window(0, "deploy", site.now, site.now + 600, ("web.*",))
        site.store.writer.run(lambda writer: add_window(writer, window, now=site.now))
        site.happen("web.a", at=site.now + 600)
        site.group()
        assert [one.silent for one in site.incidents] == ["expected: deploy"]
        assert site.queued == []
        site.happen("db.b", at=site.now + 600)
        site.group()
        assert [(one.metrics, one.silent) for one in site.incidents] == [(1, None)]
        assert site.queued == [("opened", "waiting")]


def test_an_incident_goes_with_its_metrics() -> None:
    with happenings("a.x", "a.y") as site:
        site.add_channel()
        site.happen("a.x", "a.y")
        site.group()
        for series in (1, 2):
            site.store.writer.run(
                lambda writer, series=series: writer.execute(
                    "DELETE FROM stretches WHERE series = ?", (series,)
                )
            )
            site.group()
            assert [one.metrics for one in site.incidents] == [1] * (2 - series)
        assert site.queued == [("opened", "cancelled")]


def delete(site: Happenings, series: int) -> None:
    """Let the anomalies of a metric go, as they do when it was deleted."""
    site.store.writer.run(
        lambda writer: writer.execute("DELETE FROM stretches WHERE series = ?", (series,))
    )


def test_a_metric_that_was_deleted_has_no_name_in_its_incident() -> None:
    with happenings("a.x") as site:
        site.happen("a.x")
        site.group()
        site.store.writer.run(lambda writer: delete_series(writer, "a.x", now=site.now))
        assert [(one.first, one.leading) for one in site.incidents] == [(None, None)]


def test_an_incident_after_one_that_is_gone_is_told_as_well() -> None:
    """Its number is not used again, or the outbox would have it told already."""
    with happenings("a.x", "b.y") as site:
        site.add_channel()
        site.happen("a.x")
        site.group()
        site.store.writer.run(lambda writer: writer.execute("UPDATE outbox SET state = 'sent'"))
        delete(site, 1)
        site.group()
        site.now += 7_200
        site.happen("b.y")
        site.group()
        assert [one.id for one in site.incidents] == [2]
        assert site.queued == [("opened", "sent"), ("opened", "waiting")]


def test_an_anomaly_that_takes_the_number_of_one_that_is_gone_is_another() -> None:
    with happenings("a.x", "b.y") as site:
        site.happen("a.x", at=site.now - 4_000, ended=site.now - 3_900)
        site.group()
        delete(site, 1)
        site.happen("b.y")
        site.group()
        assert [(one.id, one.first) for one in site.incidents] == [(2, "b.y")]


def test_what_was_over_long_ago_is_not_told_when_one_of_its_metrics_goes() -> None:
    """Neither to a channel that is newer, nor to one whose messages are forgotten."""
    with happenings("a.x", "a.y") as site:
        site.add_channel()
        site.happen("a.x", "a.y", ended=site.now + 60)
        site.group()
        site.now += 100 * 86_400
        site.store.writer.run(lambda writer: writer.execute("DELETE FROM outbox"))
        site.add_channel(replace(CHANNEL, name="newer"))
        delete(site, 1)
        site.group()
        assert [(one.metrics, one.state) for one in site.incidents] == [(1, "resolved")]
        assert site.queued == []


def test_a_stop_is_told_and_its_return() -> None:
    metrics = fleet(1, 20)
    with happenings(*metrics, *fleet(60, 1)) as site:
        site.add_channel(channel("hosts", metrics=("prod.host-00.m7",)))
        stop = site.stop("host-00", metrics)
        site.group()
        assert site.incidents[0].title == "20 metrics stopped on prod.host-00"
        sent(site)
        site.now += 600
        site.end_stop(stop, "host-00", metrics)
        site.group()
        assert site.incidents[0].state == "resolved"
        assert site.queued == [("opened", "sent"), ("resolved", "waiting")]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 2_000)), max_size=30), st.randoms())
def test_every_anomaly_has_one_incident_whatever_is_lost_in_memory(
    found: list[tuple[int, int]], noise: random.Random
) -> None:
    metrics = fleet(4, 3)
    with happenings(*metrics) as site:
        began = site.now
        for number, at in sorted(found, key=lambda one: one[1]):
            site.now = max(site.now, began + at)
            ended = noise.choice([None, began + at + 60])
            site.happen(metrics[number], at=began + at, ended=ended)
            if noise.random() < 0.4:
                site.group()
            if noise.random() < 0.2:
                site.restart()
        site.group()
        expected = sorted({(metrics[number], began + at) for number, at in found})
        with site.store.read() as reader:
            members = reader.execute(
                "SELECT metric, started FROM incident_members"
                " JOIN anomalies ON anomalies.id = anomaly ORDER BY metric, started"
            ).fetchall()
            left = reader.execute("SELECT count(*) FROM incident_queue").fetchone()
            counts = reader.execute(
                "SELECT anomalies, (SELECT count(*) FROM incident_members"
                " WHERE incident = incident_rows.id) FROM incident_rows"
            ).fetchall()
        assert members == expected
        assert left == (0,)
        assert all(told == real > 0 for told, real in counts)
        for one in site.incidents:
            assert (one.state == "open") == (one.ended is None)
