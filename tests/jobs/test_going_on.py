"""Anomalies that go on after they were over: whose they are then, and what of it is told."""

import pytest
from jobs.happenings import Happenings, fleet, happenings, sent

from fluxd.core.hush import HISTORY
from fluxd.core.incidents.grouping import SPREAD_S
from fluxd.core.incidents.lifecycle import REOPEN_S
from fluxd.core.incidents.notices import CALM_S, GATHER_S
from fluxd.jobs import grouping
from fluxd.store.check import check_incidents
from fluxd.store.incident_list import incident_of, page_incidents, read_memberships

FLEET = fleet(6, 10)
ODD = FLEET[3]


def odd_before(site: Happenings, *metrics: str, history: bool) -> int:
    """Let metrics be odd for a minute, and the incident be told and over; return when it began."""
    began = site.now
    site.happen(*metrics, history=history)
    site.group()
    sent(site)
    site.happen(*metrics, at=began, ended=began + 60, history=history)
    site.group()
    sent(site)
    site.now = began + 1_200
    return began


def cut(site: Happenings, *returning: str, began: int) -> None:
    """Let all metrics be odd, a host every 2 s, those of `returning` as ones that go on."""
    for host in range(6):
        site.now += 2
        mine = FLEET[10 * host : 10 * host + 10]
        again = [one for one in mine if one in returning]
        site.happen(*again, at=began, went_on=site.now, score=0.9)
        site.happen(*[one for one in mine if one not in again])
        site.group()


def since_of(site: Happenings, incident: int) -> list[tuple[int, int | None]]:
    """Return from when to when an incident's anomalies were odd in it."""
    with site.store.read() as reader:
        found = read_memberships(reader, incident, limit=10_000)
    return [(one.anomaly.started, one.anomaly.ended) for one in found]


def test_a_cut_is_one_incident_whatever_was_odd_in_history() -> None:
    """Metrics have history filled in, with false alarms; nobody is told of those."""
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, ODD, FLEET[41], history=True)
        before = site.incidents
        cut(site, ODD, FLEET[41], began=began)
        assert site.queued == [("opened", "waiting")]
        assert [(one.metrics, one.state) for one in site.incidents] == [
            (2, "resolved"),
            (len(FLEET), "open"),
        ]
        assert site.incidents[:1] == before
        assert site.incidents[1].started == site.now - 10  # not when history had them odd
        assert since_of(site, 1) == [(began, began + 60)] * 2
        assert {ended for _, ended in since_of(site, 2)} == {None}
        assert site.incidents[1].silent is None


def test_a_cut_is_one_incident_whatever_was_told_within_the_hour() -> None:
    """What was told before stays what it was, though one anomaly is a part of both."""
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, ODD, history=False)
        before = site.incidents
        cut(site, ODD, began=began)
        assert site.incidents[:1] == before
        assert [one.metrics for one in site.incidents] == [1, len(FLEET)]
        assert site.queued == [("opened", "sent"), ("resolved", "sent"), ("opened", "waiting")]
        with site.store.read() as reader:
            assert incident_of(reader, 1) == 2
            assert [one.id for one in page_incidents(reader, metric=ODD)[0]] == [2, 1]
        # And so it is when all is over, and when one more datapoint is odd.
        starts = sorted({at for at, _ in since_of(site, 2)})
        site.now += 600
        site.happen(ODD, at=began, went_on=starts[0], ended=site.now)
        for host, at in enumerate(starts):
            mine = [one for one in FLEET[10 * host : 10 * host + 10] if one != ODD]
            site.happen(*mine, at=at, ended=site.now)
        site.group()
        assert site.incidents[:1] == before
        assert [one.state for one in site.incidents] == ["resolved", "resolved"]
        site.now += 60
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        assert [one.state for one in site.incidents] == ["resolved", "open"]


def test_the_first_of_a_flood_may_be_one_that_returns() -> None:
    """Its incident is open again until the others are there: nobody was told of that yet."""
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, ODD, history=False)
        before = site.incidents
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        assert site.incidents[0].state == "open"
        others = [one for one in FLEET if one != ODD]
        for second in range(GATHER_S - 1):
            site.now += 1
            site.happen(*others[20 * second : 20 * second + 20])
            site.group()
        assert site.incidents[:1] == before
        assert site.incidents[1].metrics == len(FLEET)
        assert [one for one in site.queued if one[1] != "sent"] == [
            ("opened", "cancelled"),
            ("opened", "waiting"),
        ]


def test_what_returned_and_was_told_stays_where_it_is() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, ODD, history=False)
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        site.now += GATHER_S
        site.happen(*[one for one in FLEET if one != ODD])
        site.group()
        assert [(one.metrics, one.state) for one in site.incidents] == [
            (1, "open"),
            (len(FLEET) - 1, "open"),
        ]


def test_a_told_incident_of_several_keeps_what_it_was() -> None:
    with happenings(*FLEET, "db.a") as site:
        site.add_channel()
        began = odd_before(site, ODD, "db.a", history=False)
        before = site.incidents
        cut(site, ODD, began=began)
        site.happen("db.a", at=began, ended=began + 60, score=0.41)  # it is looked at again
        site.group()
        (one,) = site.incidents[:1]
        assert (one.metrics, one.severity, one.state) == (2, "normal", "resolved")
        assert (one.started, one.ended) == (before[0].started, before[0].ended)
        assert one.leading == "db.a"


def test_what_lasts_from_history_on_is_one_of_the_flood_and_else_told_as_what_it_is() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        began = site.now
        site.happen(ODD, history=True)
        site.group()
        assert site.incidents[0].state == "open"
        site.now += 120
        cut(site, ODD, began=began)
        assert [(one.metrics, one.state) for one in site.incidents] == [
            (1, "resolved"),
            (len(FLEET), "open"),
        ]
        assert (site.incidents[0].silent, site.incidents[0].ended) == (HISTORY, site.now - 10)
        assert len(site.queued) == 1
    with happenings(*FLEET) as site:
        site.add_channel()
        site.happen(ODD, history=True)
        site.group()
        site.happen(ODD, at=site.now, went_on=site.now + 60)
        site.now += 60
        site.group()
        assert [(one.started, one.silent) for one in site.incidents] == [(site.now - 60, None)]
        assert site.queued == [("opened", "waiting")]


def test_a_false_alarm_in_history_that_goes_on_alone_is_told_since_now() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, ODD, history=True)
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        assert [(one.started, one.silent) for one in site.incidents] == [
            (began, HISTORY),
            (site.now, None),
        ]
        assert site.queued == [("opened", "waiting")]
        site.happen(ODD, at=began, went_on=site.now, ended=site.now)  # over before it is sent
        site.group()
        assert [one.silent for one in site.incidents] == [HISTORY, None]


def test_without_a_flood_what_goes_on_reopens_its_incident() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, ODD, history=False)
        site.happen(ODD, at=began, went_on=site.now)
        site.happen(FLEET[50])
        site.group()
        assert [(one.metrics, one.state) for one in site.incidents] == [(1, "open"), (1, "open")]
        assert since_of(site, 1) == [(began, None)]


def test_history_that_is_grouped_late_is_history_and_its_return_is_not() -> None:
    """The queue may be long: an anomaly was over and goes on before anybody has looked at it."""
    with happenings(*FLEET) as site:
        site.add_channel()
        began = site.now
        site.happen(ODD, ended=began + 60, history=True)
        site.now += 1_200
        cut(site, ODD, began=began)
        assert [(one.metrics, one.started) for one in site.incidents] == [
            (len(FLEET), began + 1_202)
        ]


def test_what_somebody_resolved_is_told_again_if_it_goes_on_after_an_end() -> None:
    with happenings("a.x") as site:
        site.add_channel()
        began = site.now
        site.happen("a.x")
        site.group()
        sent(site)
        site.act(1, "resolve")
        sent(site)
        site.now += REOPEN_S // 2
        site.happen("a.x", at=began, ended=site.now)
        site.group()
        assert site.incidents[0].state == "resolved"
        site.happen("a.x", at=began, went_on=site.now)
        site.group()
        assert site.incidents[0].state == "open"
        assert site.queued[-1] == ("opened", "waiting")


@pytest.mark.parametrize("batch", [1, 7, grouping.BATCH])
def test_in_how_many_turns_it_is_grouped_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(grouping, "BATCH", batch)
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, FLEET[-1], history=False)
        cut(site, FLEET[-1], began=began)
        assert [one.metrics for one in site.incidents] == [1, len(FLEET)]
        assert site.queued.count(("opened", "waiting")) == 1


def test_a_told_incident_that_goes_on_in_a_flood_is_told_over() -> None:
    """Its end had waited as one of it was odd again, and then the others came."""
    with happenings(*FLEET) as site:
        site.add_channel()
        began = site.now
        site.happen(ODD)
        site.group()
        site.now += GATHER_S
        sent(site)
        site.now += 300
        site.happen(ODD, at=began, ended=site.now)
        site.group()
        site.now += CALM_S // 2
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        site.now += 1
        site.happen(*[one for one in FLEET if one != ODD])
        site.group()
        assert [one.state for one in site.incidents] == ["resolved", "open"]
        assert {(one.incident, one.notice) for one in site.outbox if one.state == "waiting"} == {
            (1, "resolved"),
            (2, "opened"),
        }


def test_what_returned_is_not_looked_at_again_once_the_clock_was_set_back() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, ODD, history=False)
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        site.now -= 600
        site.happen(*[one for one in FLEET if one != ODD], at=site.now + 602)
        site.group()
        assert [(one.metrics, one.state) for one in site.incidents] == [
            (1, "open"),
            (len(FLEET) - 1, "open"),
        ]


def test_what_went_on_twice_before_it_was_looked_at_is_history_up_to_the_first_time() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        began = site.now
        site.happen(ODD, ended=began + 60, history=True)
        site.happen(ODD, at=began, went_on=began + 600)
        site.happen(ODD, at=began, went_on=began + 600, ended=began + 900)
        site.now += 1_200
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        assert [one.started for one in site.incidents] == [site.now]


def test_an_anomaly_that_is_gone_is_gone_from_both_its_incidents() -> None:
    with happenings(*FLEET, "db.a") as site:
        began = odd_before(site, ODD, "db.a", history=False)
        cut(site, ODD, began=began)
        assert [one.anomalies for one in site.incidents] == [2, len(FLEET)]
        site.happen("db.a", at=began, ended=began + 61)
        site.store.writer.run(
            lambda writer: writer.execute("DELETE FROM stretches WHERE id = 1").fetchall()
        )
        site.group()
        assert [one.anomalies for one in site.incidents] == [1, len(FLEET) - 1]
        assert [one.state for one in site.incidents] == ["resolved", "open"]
        assert site.incidents[0].leading == "db.a"
        with site.store.read() as reader:
            assert list(check_incidents(reader, lambda *_: None)) == []


def test_one_metric_of_an_outage_that_is_odd_again_is_no_outage() -> None:
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, *FLEET, history=False)
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        assert [(one.metrics, one.state) for one in site.incidents] == [
            (len(FLEET), "resolved"),
            (1, "open"),
        ]
        assert site.outbox[-1].severity == "normal"
        # What flaps is the same outage; what returns as a whole is one again.
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, *FLEET, history=False)
        site.now = began + 60 + SPREAD_S
        site.happen(ODD, at=began, went_on=site.now)
        site.group()
        assert [one.metrics for one in site.incidents] == [len(FLEET)]
    with happenings(*FLEET) as site:
        site.add_channel()
        began = odd_before(site, *FLEET, history=False)
        cut(site, *FLEET, began=began)
        assert [(one.metrics, one.state) for one in site.incidents] == [
            (len(FLEET), "resolved"),
            (len(FLEET), "open"),
        ]
        assert site.queued[2:] == [("opened", "waiting")]
