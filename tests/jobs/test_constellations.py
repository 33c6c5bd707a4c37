"""Causes that stand near each other: what is told of them, and whether it is true."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs.happenings import CHANNEL, fleet, happenings, sent
from jobs.site import Site
from store.posting import memory_folder

from fluxd.core.detect import UTC
from fluxd.core.incidents.notices import SETTLE_S
from fluxd.jobs.grouping import Grouper
from fluxd.store.channels import add_channel
from fluxd.store.incident_list import page_incidents
from fluxd.store.incident_queue import read_found, read_queue
from fluxd.store.odd import count_odd
from fluxd.store.outbox import read_entries
from fluxd.store.series import mute_series

WEB = [f"web-{host}.{kind}" for host in (1, 2, 3) for kind in ("cpu", "mem", "rps", "lat")]
OTHERS = ["api.calls", "mail.sent", "queue.len", "sales.sum", "db.locks", "pay.rate", "edge.hits"]


def test_a_host_that_dies_three_minutes_after_another_was_odd_is_an_incident_of_its_own() -> None:
    """They share nothing but the kinds of their metrics, as all hosts do."""
    with happenings(*WEB, *OTHERS) as site:
        site.happen(*WEB[4:8])
        site.group()
        site.now += 180
        site.stop("web-3", WEB[8:])
        site.group()
        assert [(one.title, one.metrics) for one in site.incidents] == [
            ("4 metrics odd on web-2", 4),
            ("4 metrics stopped on web-3", 4),
        ]


def test_a_host_that_dies_beside_one_that_is_odd_is_told_apart_from_it() -> None:
    with happenings(*WEB, *OTHERS) as site:
        began = site.now
        site.happen(*WEB[4:8], score=0.9)
        site.now += 60
        stop = site.stop("web-3", WEB[8:])
        site.group()
        assert [(one.title, one.leading) for one in site.incidents] == [
            ("4 metrics stopped on web-3; 4 odd on web-2", "web-3.cpu")
        ]
        site.happen(*WEB[4:8], at=began, ended=site.now, score=0.9)
        site.group()
        (one,) = site.incidents
        assert (one.title, one.metrics) == ("4 metrics stopped on web-3; 4 more over", 8)
        assert one.explanation.endswith("First web-2.cpu and 3 more. web-3: 4 metrics stopped.")
        site.end_stop(stop, "web-3", WEB[8:])
        site.group()
        (one,) = site.incidents
        assert (one.title, one.state) == ("4 metrics stopped on web-3; 4 odd on web-2", "resolved")


def test_a_stop_that_returns_while_others_are_odd_is_over_and_they_are_not() -> None:
    with happenings(*WEB, *OTHERS) as site:
        stop = site.stop("web-3", WEB[8:])
        site.happen("api.calls", "pay.rate")
        site.group()
        assert site.incidents[0].title == (
            "4 metrics stopped on web-3; 2 odd: api.calls and pay.rate"
        )
        site.now += 600
        site.end_stop(stop, "web-3", WEB[8:])
        site.group()
        (one,) = site.incidents
        assert one.title == "2 metrics odd: api.calls and pay.rate; 4 more over"
        assert (one.state, one.leading) == ("open", "api.calls")


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_host_that_dies_is_told_though_it_joins_what_was_told(*, acknowledged: bool) -> None:
    """It is neither ten metrics nor a higher severity."""
    with happenings(*WEB, *OTHERS) as site:
        site.add_channel()
        site.happen(*WEB[4:8])
        site.group()
        sent(site)
        told = site.now
        if acknowledged:
            site.act(1, "acknowledge")
        site.now += 60
        site.happen(WEB[0])  # one more metric is no news
        site.group()
        assert site.queued == [("opened", "sent")]
        stop = site.stop("web-3", WEB[8:])
        site.group()
        assert site.queued == [("opened", "sent"), ("worsened", "waiting")]
        assert site.outbox[1].due == told + SETTLE_S
        sent(site)
        site.store.writer.run(  # it changes, and is news no more
            lambda writer: writer.execute(
                "UPDATE stretches SET explanation = 'longer' WHERE id = ?", (stop,)
            )
        )
        site.group()
        assert len(site.queued) == 2
        site.now += 30
        site.stop("web-1", WEB[:4])
        site.group()
        assert site.queued[2:] == [("worsened", "waiting")]
        assert [one.title for one in site.incidents] == [
            "8 metrics stopped on web-1, web-3; 4 odd on web-2"
        ]


def test_some_metrics_of_a_host_that_stop_are_no_host_that_dies() -> None:
    with happenings(*WEB, *OTHERS) as site:
        site.add_channel()
        site.happen("api.calls")
        site.group()
        sent(site)
        stop = site.stop("web-3", WEB[8:10], of=4)
        site.group()
        assert site.queued == [("opened", "sent")]
        site.grow_stop(stop, "web-3", WEB[8:11], of=4)
        site.group()
        assert site.queued == [("opened", "sent"), ("worsened", "waiting")]


def test_a_host_that_dies_amid_a_shift_of_ten_hosts_is_told() -> None:
    metrics = fleet(10, 9)
    with happenings(*metrics, *WEB) as site:
        site.add_channel()
        shifted = [f"prod.host-{host:02}.m0" for host in range(10)]
        site.happen(*shifted, kind="level shift")
        site.group()
        sent(site)
        site.now += 100
        site.stop("prod.host-03", metrics[27:36])
        site.group()
        (one,) = site.incidents
        assert (
            one.title == "9 metrics stopped on prod.host-03; 9 odd on host-00, host-01 and 7 more"
        )
        assert one.metrics == 18
        assert site.queued == [("opened", "sent"), ("worsened", "waiting")]


def test_a_host_that_dies_an_hour_after_a_shift_that_lasts_is_an_incident_of_its_own() -> None:
    """One of its metrics is in that, and yet it has stopped by itself."""
    metrics = fleet(60, 50)
    with happenings(*metrics) as site:
        site.add_channel()
        site.happen(*(one for one in metrics if one.endswith(("m0", "m1"))), kind="level shift")
        site.group()
        sent(site)
        site.now += 3_600
        stop = site.stop("prod.host-03", metrics[150:200])
        site.group()
        assert [one.metrics for one in site.incidents] == [120, 50]
        assert site.queued == [("opened", "sent"), ("opened", "waiting")]
        sent(site)
        site.now += 600
        site.end_stop(stop, "prod.host-03", metrics[150:200])
        site.group()
        site.now += 600
        site.stop("prod.host-03", metrics[150:200])  # again: the same trouble
        site.group()
        assert [one.metrics for one in site.incidents] == [120, 50]


def test_hosts_that_die_one_by_one_in_a_cut_are_two_messages() -> None:
    """60 hosts, each told as soon as it is silent; half of them were odd before that."""
    metrics = fleet(60, 50)
    with happenings(*metrics) as site:
        site.add_channel()
        for host in range(0, 60, 2):
            site.now += 2
            site.happen(*metrics[50 * host : 50 * host + 50])
            site.group()
            if host == 0:
                sent(site)
        for host in range(60):
            site.now += 1
            site.stop(f"host-{host:02}", metrics[50 * host : 50 * host + 50])
            site.group()
            if site.outbox[-1].due <= site.now:
                sent(site)
        site.now += 2 * SETTLE_S
        site.group()
        assert [one.metrics for one in site.incidents] == [3_000]
        assert site.queued == [("opened", "sent"), ("worsened", "sent")]


@pytest.mark.parametrize("kinds", [1, 4, 10])
def test_small_hosts_that_die_one_by_one_are_two_messages(kinds: int) -> None:
    metrics = fleet(60, kinds)
    with happenings(*metrics) as site:
        site.add_channel()
        for host in range(60):
            site.now += 2
            site.stop(f"host-{host:02}", metrics[kinds * host : kinds * host + kinds])
            site.group()
            if site.outbox[-1].due <= site.now:
                sent(site)
        site.now += 2 * SETTLE_S
        site.group()
        assert [one.metrics for one in site.incidents] == [60 * kinds]
        assert site.queued == [("opened", "sent"), ("worsened", "sent")]


def test_a_cut_that_was_told_at_once_may_say_that_hosts_died() -> None:
    metrics = fleet(60, 50)
    with happenings(*metrics) as site:
        site.add_channel()
        site.happen(*metrics)
        site.group()
        sent(site)
        site.now += 100
        for host in range(60):
            site.stop(f"host-{host:02}", metrics[50 * host : 50 * host + 50])
            site.group()
            if host in (0, 30):
                sent(site)
        assert [one.metrics for one in site.incidents] == [3_000]
        assert site.queued == [("opened", "sent"), ("worsened", "sent")]


def test_the_queue_says_whether_a_host_has_stopped() -> None:
    with happenings(*WEB) as site:
        site.happen(WEB[0])
        site.stop("web-2", WEB[4:8], of=4)
        site.stop("web-3", WEB[8:10], of=4)
        with site.store.read() as reader:
            found = read_found(reader, read_queue(reader, 10)[1])
        assert {one.metric: one.down for one in found} == {
            "web-1.cpu": False,
            "web-2.cpu": True,
            "web-3.cpu": False,
        }


def test_what_is_odd_now_is_counted_without_what_is_over() -> None:
    with happenings(*WEB, *OTHERS) as site:
        site.happen(*WEB[3:8])
        began = site.now
        stop = site.stop("web-3", WEB[8:])
        site.happen(WEB[8], "api.calls")  # the one is silent now
        site.group()

        def count() -> int:
            with site.store.read() as reader:
                return count_odd(reader, [1])

        assert (site.incidents[0].metrics, count()) == (10, 10)
        site.happen(*WEB[4:8], at=began, ended=began + 60)
        site.group()
        assert count() == 6
        assert site.incidents[0].title == (
            "4 metrics stopped on web-3; 2 odd: api.calls and web-1.lat; 4 more over"
        )
        site.store.writer.run(lambda writer: mute_series(writer, "api.calls", muted=True))
        site.happen("api.calls", at=began, score=0.5)
        site.end_stop(stop, "web-3", WEB[8:])
        site.happen(WEB[8], at=began, ended=began + 60)
        site.group()
        assert count() == 1
        assert site.incidents[0].title == "web-1.lat: spike; 8 more over"


def test_names_without_hosts_are_told_themselves() -> None:
    with happenings("load", "swap", "users", "rain", *OTHERS) as site:
        site.add_channel()
        site.happen("load", "swap", score=0.5)
        site.group()
        sent(site)
        site.now += 90
        site.stop("shed", ["rain", "users"])
        site.group()
        (one,) = site.incidents
        assert one.title == "2 metrics stopped: rain and users; 2 odd: load and swap"
        assert site.queued == [("opened", "sent"), ("worsened", "waiting")]


def test_of_a_stop_that_lists_only_some_no_hosts_are_counted() -> None:
    metrics = fleet(60, 20)
    with happenings(*metrics) as site:
        site.stop("agent", metrics)
        site.group()
        assert site.incidents[0].title == "1,200 metrics stopped on host-00, host-01 and others"


EVERY_S = 5
USUAL = {"cpu": (30, 2), "mem": (60, 0.3), "rps": (120, 5), "lat": (20, 1)}


@pytest.fixture
def live() -> Iterator[Site]:
    """Lend a detector that has seen three hosts and some others for a quarter of an hour."""
    with memory_folder() as folder:
        running = running_site(folder)
        yield running
        running.kill()


def running_site(folder: Path) -> Site:
    site = Site(folder)
    site.send([(name, site.now, 1.0) for name in OTHERS])
    go_on(site, 900)
    return site


def go_on(
    site: Site, seconds: int, *, odd: str = "", dead: str = "", grouper: Grouper | None = None
) -> None:
    """Let three hosts report, one of them at 1.8 times its values, one of them not at all."""
    for _ in range(0, seconds, EVERY_S):
        site.now += EVERY_S
        noise = random.Random(site.now)
        rows = []
        for name in WEB:
            host, kind = name.split(".")
            level, spread = USUAL[kind]
            value = noise.gauss(level, spread) * (1.8 if host == odd else 1.0)
            if host != dead:
                rows.append((name, site.now, round(value, 2)))
        site.send(rows)
        site.turn()
        if grouper is not None:
            while grouper.step(site.now):
                pass
            with site.store.read() as reader:
                due = [one.due for one in read_entries(reader) if one.state == "waiting"]
            if due and min(due) <= site.now:
                sent(site)


@pytest.mark.parametrize(
    ("apart_s", "titles"),
    [
        (120, ["4 metrics odd on web-2", "4 metrics stopped on web-3"]),
        (0, ["4 metrics stopped on web-3; 4 more over"]),
    ],
)
def test_a_spike_on_one_host_and_the_death_of_another_through_the_detector(
    live: Site, apart_s: int, titles: list[str]
) -> None:
    """The one is odd for a minute; the other sends nothing from so long after that on."""
    grouper = Grouper(live.store, UTC)
    live.store.writer.run(lambda writer: add_channel(writer, CHANNEL, now=live.now))
    go_on(live, 60, odd="web-2", grouper=grouper)
    if apart_s:
        go_on(live, apart_s, grouper=grouper)
    go_on(live, 400, dead="web-3", grouper=grouper)
    with live.store.read() as reader:
        found = page_incidents(reader)[0][::-1]
        queued = [one.notice for one in read_entries(reader)][::-1]
        assert count_odd(reader, [one.id for one in found if one.ended is None]) == 4
    assert [one.title for one in found] == titles
    assert queued == ["opened", "resolved", "opened"]
