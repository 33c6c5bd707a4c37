from typing import Any

import pytest
from core.incidents.made import NOW, member

from fluxd.core.incidents.members import Member
from fluxd.core.incidents.telling import (
    EXTREME,
    MANY,
    VERY_MANY,
    account_of,
    sentence_of,
    severity_of,
)


def many(count: int, **other: Any) -> list[Member]:
    return [member(number, f"web-{number % 7}.m{number}", **other) for number in range(count)]


@pytest.mark.parametrize(
    ("members", "fleet", "severity"),
    [
        (many(1), 1_000, "normal"),
        (many(3, minor=True), 1_000, "low"),
        (many(MANY - 1), 1_000, "normal"),
        (many(MANY), 1_000, "high"),
        (many(MANY), 2 * MANY, "critical"),
        (many(VERY_MANY), 100_000, "critical"),
        (many(1, score=EXTREME), 1_000, "high"),
        (many(1, score=1.0, kind="stopped"), 1_000, "normal"),
        (many(1, score=1.0, kind="stopped", stands_for=VERY_MANY), 10_000, "critical"),
    ],
)
def test_how_bad_it_is(members: list[Member], fleet: int, severity: str) -> None:
    account = account_of(members, fleet)
    assert account.severity == severity
    assert severity_of(members, account.metrics, fleet) == severity


def test_one_metric_is_told_by_its_own_sentence() -> None:
    one = member(1, "db-1.disk.await", kind="level shift", direction="down")
    account = account_of([one], 100)
    assert account.title == "db-1.disk.await: shift down"
    assert sentence_of([one], account, "43 at 14:05.", offset=0) == "43 at 14:05."


def test_several_are_told_by_what_came_first_and_what_is_oddest() -> None:
    members = [
        member(1, "db-1.disk.await", started=NOW - 40, ended=NOW + 60),
        member(2, "db-1.cpu", score=0.5),
        member(3, "db-1.load", started=NOW + 5, ended=NOW + 600),
    ]
    account = account_of(members, 100)
    assert account.title == "db-1.cpu: spike; 2 more over"
    assert account.started == NOW - 40
    assert account.leading.metric == "db-1.cpu"
    assert sentence_of(members, account, "97 at 14:05.", offset=0) == (
        "db-1.cpu: spike; 2 more over, from 14:04 UTC on 2026-11-03. First db-1.disk.await, "
        "40 seconds before the others. Oddest db-1.cpu: 97 at 14:05."
    )


def test_a_machine_that_stops_twice_is_one() -> None:
    names = tuple(f"web-1.m{n}" for n in range(8))
    twice = [
        member(at, names[at], kind="stopped", started=NOW + 600 * at, stands_for=8, names=names)
        for at in range(2)
    ]
    account = account_of(twice, 1_000)
    assert (account.severity, account.title) == ("normal", "8 metrics stopped on web-1")
    more = member(9, "web-2.a", kind="stopped", stands_for=2, names=("web-2.a", "web-1.m1"))
    assert account_of([*twice, more], 1_000).metrics == 9


def test_a_sender_that_stopped_stands_for_its_metrics() -> None:
    stop = member(9, "web-1.cpu", kind="stopped", score=1.0, stands_for=200)
    members = [*many(3, started=NOW + 30), stop]
    account = account_of(members, 5_000)
    assert account.metrics == 200
    assert account.leading is stop
    assert account.title.startswith("200 metrics stopped on ")


def test_what_nobody_wants_to_hear_of_is_not_told_of() -> None:
    quiet = [member(n, f"batch.m{n}", silent=True, score=0.9) for n in range(50)]
    account = account_of([*quiet, member(99, "db-1.cpu", ended=NOW + 60)], 1_000)
    assert (account.metrics, account.title, account.severity) == (1, "db-1.cpu: spike", "normal")
    assert account_of(quiet, 1_000).metrics == 50


def test_where_only_some_are_known_the_others_count() -> None:
    account = account_of(many(20), 1_000, least=5_000)
    assert (account.metrics, account.severity) == (5_000, "critical")
    assert account.title == "5,000 metrics odd on web-0, web-1 and others"


def stop(host: str, count: int, *, started: int = NOW, **other: Any) -> Member:
    """Return that all metrics of a host stopped, stored with the first of them."""
    names = tuple(f"{host}.m{number}" for number in range(count))
    told = {"kind": "stopped", "score": 1.0, "stands_for": count, "names": names, "down": True}
    number = 1_000 + int(host.rpartition("-")[2])
    return member(number, names[0], started=started, **(told | other))


def test_what_is_over_leads_no_longer() -> None:
    spikes = [
        member(n, f"web-2.m{n}", ended=NOW + 60, score=0.9, started=NOW - 100) for n in range(4)
    ]
    account = account_of([*spikes, stop("web-3", 4)], 1_000)
    assert account.leading.metric == "web-3.m0"
    assert account.metrics == 8
    assert account.title == "4 metrics stopped on web-3; 4 more over"
    told = sentence_of([*spikes, stop("web-3", 4)], account, "web-3: all 4 stopped.", offset=0)
    assert told == (
        "4 metrics stopped on web-3; 4 more over, from 14:03 UTC on 2026-11-03. First web-2.m0 and "
        "3 more. web-3: all 4 stopped."
    )


def test_a_stop_of_several_is_not_before_the_others_that_it_tells_of() -> None:
    stops = [stop("web-3", 4), stop("web-4", 5, started=NOW + 40, score=0.9)]
    account = account_of(stops, 1_000)
    assert sentence_of(stops, account, "web-3: all 4 stopped.", offset=0) == (
        "9 metrics stopped on web-3, web-4, from 14:05 UTC on 2026-11-03. web-3: all 4 stopped."
    )


def test_that_a_stop_is_back_is_not_one_that_came_later() -> None:
    """Be it told of another of its metrics."""
    back = member(5, "web-3.m2", kind="resumed", started=NOW + 600, ended=NOW + 600)
    members = [stop("web-3", 4, ended=NOW + 600), back]
    account = account_of(members, 1_000)
    assert (account.title, account.metrics) == ("4 metrics stopped on web-3", 4)
    assert sentence_of(members, account, "web-3: all 4 stopped.", offset=0) == (
        "web-3: all 4 stopped."
    )


def test_of_what_began_at_once_nothing_was_first() -> None:
    members = [member(1, "a.x"), member(2, "b.y", score=0.5)]
    account = account_of(members, 100)
    assert sentence_of(members, account, "97 at 14:05.", offset=0) == (
        "2 metrics odd: a.x and b.y, from 14:05 UTC on 2026-11-03. Oddest b.y: 97 at 14:05."
    )
    stopped = [*members, stop("web-3", 4)]
    told = sentence_of(stopped, account_of(stopped, 100), "web-3: all 4 stopped.", offset=0)
    assert told == (
        "4 metrics stopped on web-3; 2 odd: a.x and b.y, from 14:05 UTC on 2026-11-03. "
        "web-3: all 4 stopped."
    )
