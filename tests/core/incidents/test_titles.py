from typing import Any
from zlib import crc32

import pytest
from core.incidents.made import NOW, member

from fluxd.core.incidents.members import Member, shares_of
from fluxd.core.incidents.titles import place_of, title_of


def odd(*metrics: str, **other: Any) -> list[Member]:
    return [member(crc32(one.encode()), one, **other) for one in metrics]


def stop(*metrics: str, **other: Any) -> list[Member]:
    told = {"kind": "stopped", "stands_for": len(metrics), "names": metrics}
    return odd(metrics[0], **(told | other))


def host(number: int, count: int = 4) -> list[str]:
    return [f"web-{number}.m{kind}" for kind in range(count)]


OVER = NOW + 60


@pytest.mark.parametrize(
    ("members", "title"),
    [
        # What is said of all holds of all.
        (odd(*host(2)) + stop(*host(3)), "4 metrics stopped on web-3; 4 odd on web-2"),
        (odd("web-2.m0") + stop(*host(3)), "4 metrics stopped on web-3; web-2.m0 odd"),
        (odd(*host(2)) + stop("web-3.m0"), "web-3.m0 stopped; 4 metrics odd on web-2"),
        (odd("web-2.m0") + stop("web-3.m0"), "web-3.m0 stopped; web-2.m0 odd"),
        (odd("web-3.m0", "web-3.m1") + stop(*host(3)), "4 metrics stopped on web-3"),
        # What is over is told apart as long as something lasts.
        (odd(*host(2), ended=OVER) + stop(*host(3)), "4 metrics stopped on web-3; 4 more over"),
        (odd(*host(2)) + stop(*host(3), ended=OVER), "4 metrics odd on web-2; 4 more over"),
        (odd("web-3.m0") + stop(*host(3), ended=OVER), "web-3.m0: spike; 3 more over"),
        (stop(*host(3), ended=OVER) + stop(*host(4)), "4 metrics stopped on web-4; 4 more over"),
        (stop(*host(3), ended=OVER) + stop(*host(3)), "4 metrics stopped on web-3"),
        (odd("a.b", ended=OVER, kind="level shift") + odd("a.c"), "a.c: spike; 1 more over"),
        (
            odd(*host(2), ended=OVER) + stop(*host(3), ended=OVER),
            "4 metrics stopped on web-3; 4 odd on web-2",
        ),
        # Names that say no place are told themselves.
        (odd("jitter.ms", "lab.current_A"), "2 metrics odd: jitter.ms and lab.current_A"),
        (odd("load", "cpu", "swap"), "3 metrics odd: cpu, load and 1 more"),
        (odd("load", "web-1.cpu", "web-1.mem"), "3 metrics odd: load, web-1.cpu and 1 more"),
        (odd("web-1.cpu", "web-2.cpu"), "2 metrics odd on web-1, web-2"),
        (stop("load", "cpu") + odd(*host(2)), "2 metrics stopped: cpu and load; 4 odd on web-2"),
        (odd("load"), "load: spike"),
        # A stop lists only so many; what is odd beside it may be one of the others.
        (stop(*host(3), stands_for=600), "600 metrics stopped on web-3"),
        (stop(*host(1), *host(2), stands_for=600), "600 metrics stopped on web-1, web-2 at least"),
        (stop(*host(3), stands_for=6) + odd(*host(2)), "6 metrics stopped on web-3; 2 odd"),
        (stop(*host(3), stands_for=600) + odd(*host(2)), "600 metrics stopped on web-3"),
        (stop("load", stands_for=600), "600 metrics stopped, load among them"),
    ],
)
def test_a_title_is_true_of_all_that_it_names(members: list[Member], title: str) -> None:
    assert title_of(members) == title
    assert title_of(members[::-1]) == title


@pytest.mark.parametrize(
    ("members", "title"),
    [
        (odd(*host(2)), "5,000 metrics odd on web-2"),
        (odd(*host(1), *host(2)), "5,000 metrics odd on web-1, web-2 at least"),
        (odd(*host(1), *host(2), *host(3)), "5,000 metrics odd on web-1, web-2 and others"),
        (odd(*host(2), ended=OVER) + odd(*host(1)), "5,000 metrics odd on web-1, web-2 at least"),
        (
            odd(*host(2)) + stop(*host(3)),
            "5,000 metrics odd or stopped on web-2, web-3 at least",
        ),
    ],
)
def test_where_only_some_are_known_no_more_is_said(members: list[Member], title: str) -> None:
    assert title_of(members, least=5_000) == title


def test_a_metric_that_is_odd_again_after_its_stop_is_odd() -> None:
    members = stop(*host(3), ended=OVER) + odd("web-3.m1") + stop("web-3.m2")
    assert [(one.what, one.metrics) for one in shares_of(members)] == [("stopped", 3), ("odd", 1)]


@pytest.mark.parametrize(
    ("names", "place"),
    [
        ([], ""),
        (["load"], ""),
        (["load", "cpu"], ""),
        (["web-1.cpu"], "on web-1"),
        (["prod.web-1.cpu", "prod.web-1.mem.free"], "on prod.web-1"),
        (["web-1.cpu", "web-2.cpu"], "on web-1, web-2"),
        ([f"fleet.web-{n}.m{k}" for n in range(9) for k in range(4)], "on web-0, web-1 and 7 more"),
        (["prod.web-1.cpu", "prod.db-2.io.read"], "on db-2, web-1"),
        ([f"prod.service-{n}.m{n}" for n in range(9)], "on prod"),
        ([f"prod.web-{n}.cpu.user" for n in range(8)], "on web-0, web-1 and 6 more"),
        ([f"web-1.disk.{n}.await" for n in range(4)], "on web-1.disk"),
    ],
)
def test_where_it_is(names: list[str], place: str) -> None:
    assert place_of(names) == place
