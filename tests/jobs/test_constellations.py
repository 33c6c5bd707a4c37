"""Causes that stand near each other: what is told of them, and whether it is true."""

from jobs.happenings import happenings

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
        assert one.explanation.endswith("First web-2.cpu. web-3: 4 metrics stopped.")
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
