from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.incidents.grouping import (
    ALONE_S,
    FLOOD,
    KIN_S,
    SPREAD_S,
    Cluster,
    Grouping,
    Onset,
    alone_s,
)
from fluxd.core.incidents.kinship import Fleet, parts_of
from fluxd.core.incidents.lifecycle import REOPEN_S

NOW = 1_700_000_000
NAMES = [f"prod.host-{host:02}.{kind}" for host in range(60) for kind in ("cpu", "mem", "disk")]
BUSY = 10_000.0  # causes a day: time alone says little


def fleet() -> Fleet:
    found = Fleet()
    found.add((name, 1) for name in NAMES)
    return found


def onset(name: str, started: int, sender: int = 1) -> Onset:
    return Onset(NAMES.index(name) + 1000, NAMES.index(name), started, parts_of(name), sender)


def grouped(
    *onsets: Onset,
    clusters: Sequence[Cluster] = (),
    causes: float = 1.0,
    together: frozenset[int] = frozenset(),
) -> list[list[str]]:
    grouping = Grouping(
        clusters,
        fleet(),
        causes_per_day=causes,
        together=lambda series, _others: series in together,
    )
    for one in onsets:
        grouping.place(one)
    return [[NAMES[one.series] for one in cluster.added] for cluster in grouping.clusters]


def test_where_little_happens_time_alone_joins() -> None:
    first, second = onset("prod.host-01.cpu", NOW), onset("prod.host-02.mem", NOW + ALONE_S)
    assert len(grouped(first, second)) == 1
    assert len(grouped(first, second, causes=BUSY)) == 2
    later = onset("prod.host-02.mem", NOW + ALONE_S + 1)
    assert len(grouped(first, later)) == 2


@pytest.mark.parametrize("name", ["prod.host-01.mem", "prod.host-02.cpu"])
def test_kin_join_for_longer(name: str) -> None:
    first = onset("prod.host-01.cpu", NOW)
    # The kind "cpu" is a third of all metrics': it makes nobody kin. A host does.
    kin = name == "prod.host-01.mem"
    assert len(grouped(first, onset(name, NOW + KIN_S), causes=BUSY)) == (1 if kin else 2)
    assert len(grouped(first, onset(name, NOW + KIN_S + 1), causes=BUSY)) == 2


def test_what_went_together_before_joins_for_as_long() -> None:
    first, second = onset("prod.host-01.cpu", NOW), onset("prod.host-07.mem", NOW + KIN_S)
    before = frozenset([second.series])
    assert len(grouped(first, second, causes=BUSY, together=before)) == 1
    assert len(grouped(first, second, causes=BUSY)) == 2


def test_a_flood_takes_whatever_begins_with_it() -> None:
    flood = [onset(f"prod.host-01.{kind}", NOW) for kind in ("cpu", "mem", "disk")]
    flood += [onset(f"prod.host-{n:02}.cpu", NOW) for n in range(2, 2 + FLOOD)]
    stranger = onset("prod.host-50.disk", NOW + ALONE_S)
    apart = onset("prod.host-51.disk", NOW + 2 * ALONE_S + 1)
    found = grouped(*flood, stranger, apart, clusters=(flooded(),), causes=BUSY)
    assert "prod.host-50.disk" in found[0]
    assert "prod.host-51.disk" not in found[0]


def flooded() -> Cluster:
    """Return an incident that all hosts are in, so that none of them is its own."""
    cluster = Cluster(7, NOW, NOW)
    for number in range(0, 60, 5):
        cluster.know(onset(f"prod.host-{number:02}.cpu", NOW))
    return cluster


def test_two_causes_ten_minutes_apart_are_two() -> None:
    """In the same fleet, even of the same hosts."""
    onsets = [
        onset(f"prod.host-{host:02}.{kind}", NOW + minute * 60 + 10 * host)
        for minute, kinds in ((0, ("cpu", "mem")), (10, ("disk",)))
        for kind in kinds
        for host in range(10)
    ]
    found = grouped(*sorted(onsets, key=lambda one: one.started))
    assert [len(group) for group in found] == [20, 10]


def test_a_metric_returns_to_its_incident_within_the_hour() -> None:
    def earlier() -> Cluster:
        cluster = Cluster(3, NOW - 900, NOW - 900, over=NOW)
        cluster.know(onset("prod.host-01.cpu", NOW - 900))
        return cluster

    again = onset("prod.host-01.cpu", NOW + REOPEN_S)
    assert len(grouped(again, clusters=[earlier()])) == 1
    assert len(grouped(onset("prod.host-01.cpu", NOW + REOPEN_S + 1), clusters=[earlier()])) == 2
    lasting = earlier()
    lasting.over = None
    assert len(grouped(onset("prod.host-01.cpu", NOW + 90_000), clusters=[lasting])) == 1
    # Its return draws no strangers in: they would have had to begin with it.
    assert len(grouped(again, onset("prod.host-30.mem", again.started), clusters=[earlier()])) == 2


def test_a_flood_takes_what_returns_and_leaves_what_lasts() -> None:
    earlier = Cluster(3, NOW - 900, NOW - 900, over=NOW - 600)
    earlier.know(onset("prod.host-01.cpu", NOW - 900))
    lasting = Cluster(4, NOW - 900, NOW - 900)
    lasting.know(onset("prod.host-02.cpu", NOW - 900))
    returned, other = onset("prod.host-01.cpu", NOW), onset("prod.host-02.cpu", NOW)
    flood = [onset(f"prod.host-{n:02}.mem", NOW) for n in range(20, 19 + FLOOD)]
    found = grouped(*flood, returned, other, clusters=[earlier, lasting], causes=BUSY / 1_000)
    assert found[:2] == [[], ["prod.host-02.cpu"]]
    assert found[2] == [NAMES[one.series] for one in (*flood, returned)]
    fewer = grouped(*flood[1:], returned, clusters=[earlier], causes=BUSY / 1_000)
    assert fewer == [["prod.host-01.cpu"], [NAMES[one.series] for one in flood[1:]]]


def test_what_returns_is_placed_after_what_it_may_be_a_part_of() -> None:
    earlier = Cluster(3, NOW - 900, NOW - 900, over=NOW - 600)
    earlier.know(onset("prod.host-01.cpu", NOW - 900))
    grouping = Grouping([earlier], fleet(), causes_per_day=1.0)
    assert grouping.returns(onset("prod.host-01.cpu", NOW))
    assert not grouping.returns(onset("prod.host-01.mem", NOW))


@pytest.mark.parametrize("over", [NOW - 60, None])
def test_what_happens_now_is_no_part_of_history(over: int | None) -> None:
    def earlier() -> Cluster:
        cluster = Cluster(3, NOW - 60, NOW - 60, over=over, history=True)
        cluster.know(onset("prod.host-01.cpu", NOW - 60))
        return cluster

    again, kin = onset("prod.host-01.cpu", NOW), onset("prod.host-01.mem", NOW)
    # Its own, which lasts, goes on: that began then, and nobody was told so far.
    assert len(grouped(again, clusters=[earlier()])) == (1 if over is None else 2)
    assert len(grouped(kin, clusters=[earlier()])) == 2
    assert len(grouped(replace(kin, history=True), clusters=[earlier()])) == 1
    assert len(grouped(replace(again, history=True), clusters=[earlier()])) == 1


times = st.lists(st.integers(0, 4_000), min_size=1, max_size=40)


@given(times, st.data())
def test_incidents_stay_within_their_spread(starts: list[int], data: st.DataObject) -> None:
    names = data.draw(
        st.lists(st.sampled_from(NAMES), min_size=len(starts), max_size=len(starts), unique=True)
    )
    onsets = [onset(name, NOW + at) for name, at in zip(names, sorted(starts), strict=True)]
    grouping = Grouping([], fleet(), causes_per_day=data.draw(st.sampled_from([0.0, 100.0, BUSY])))
    for one in onsets:
        grouping.place(one)
    placed = [one.anomaly for cluster in grouping.clusters for one in cluster.added]
    assert sorted(placed) == sorted(one.anomaly for one in onsets)
    for cluster in grouping.clusters:
        begun = [one.started for one in cluster.added]
        assert (cluster.first, cluster.last) == (min(begun), max(begun))
        assert max(begun) - min(begun) <= SPREAD_S


@given(times)
def test_strangers_join_by_time_as_the_naive_twin_says(starts: list[int]) -> None:
    """With nothing but time, an incident is what begins within ALONE_S of it, up to its spread."""
    onsets = [
        Onset(number, number, NOW + at, frozenset(), number)
        for number, at in enumerate(sorted(starts))
    ]
    grouping = Grouping([], Fleet(), causes_per_day=1.0)
    for one in onsets:
        grouping.place(one)
    naive: list[list[int]] = []
    for one in onsets:
        begun = naive[-1] if naive else []
        if begun and one.started - begun[-1] <= ALONE_S and one.started - begun[0] <= SPREAD_S:
            begun.append(one.started)
        else:
            naive.append([one.started])
    assert [[one.started for one in cluster.added] for cluster in grouping.clusters] == naive


def test_the_busier_the_less_time_alone_says() -> None:
    assert alone_s(0.0) == ALONE_S
    assert alone_s(1_000.0) == pytest.approx(4.32)


def test_what_a_name_tells() -> None:
    known = fleet()
    assert not known.tells("prod")
    assert not known.tells("cpu")
    assert known.tells("host-07")
    assert not known.tells_sender(1)
    known.add((f"lone.{n}", 2) for n in range(5))
    assert known.tells_sender(2)
    assert known.akin(frozenset(), 2, {}, {2: 1}, 3)
    assert not known.akin(frozenset(), 2, {}, {2: 1}, 10)  # one of ten does not stand for them


def test_among_few_metrics_a_host_makes_kin_and_a_kind_does_not() -> None:
    known = Fleet()
    hosts = [f"web-{host}.{kind}" for host in range(1, 4) for kind in ("cpu", "mem", "rps", "lat")]
    labels = [f"{kind}.host=db-{host}" for host in (1, 2) for kind in ("load", "io")]
    known.add((name, 1) for name in (*hosts, *labels, *(f"{n}.x{n}" for n in "abcdefghij")))
    assert known.tells("web-2")
    assert not known.tells("cpu")  # it is rare enough, and yet stands behind each host
    assert known.tells("db-1")  # what a label says stands behind the label alone
    spike = parts_of("web-2.cpu")
    assert not known.akin(parts_of("web-3.cpu"), 1, dict.fromkeys(spike, 1), {1: 1}, 1)
    assert known.akin(parts_of("web-2.mem"), 1, dict.fromkeys(spike, 1), {1: 1}, 1)
