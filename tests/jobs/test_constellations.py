"""Causes that stand near each other: what is told of them, and whether it is true."""

from jobs.happenings import happenings

WEB = [f"web-{host}.{kind}" for host in (1, 2, 3) for kind in ("cpu", "mem", "rps", "lat")]
OTHERS = [
    f"{name}.count" for name in ("api", "mail", "queue", "sales", "db", "pump", "pay", "edge")
]


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
