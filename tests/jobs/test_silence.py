"""Stops: one event a sender, and none where nobody stopped."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs.site import START, TURN_S, Host, Site, site
from store.posting import memory_folder, new_key

from fluxd.core.errors import UnavailableError
from fluxd.core.retention import DAY_S, Retention
from fluxd.jobs import silence
from fluxd.jobs.forgetting import Forgetter
from fluxd.store.places import RECENT_TABLES
from fluxd.store.series import delete_series, mute_series


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as lent:
        yield lent


def forgetter(run: Site) -> Forgetter:
    return Forgetter(run.store, run.analysis, run.saver.save_slice, Retention())


# ---- one event a sender


def test_a_host_that_stops_is_one_event_and_its_return_another(folder: Path) -> None:
    host = Host("web-1", metrics=20)
    with site(folder, host) as run:
        host.up = False
        run.run(4)
        assert run.told() == []
        run.run(26)
        assert run.told() == [("stopped", "web-1.m0", 121, None)]
        (text,) = run.texts()
        assert text == (
            "web-1: all 20 metrics stopped at 00:15 UTC on 2023-11-15, first web-1.m0; "
            "they reported every 60 s."
        )
        host.up = True
        run.run(30)
        assert run.told() == [
            ("stopped", "web-1.m0", 121, 151),
            ("resumed", "web-1.m0", 151, 151),
        ]
        assert [text.partition("Back")[2] for text in run.texts()] == [
            " at 00:45 UTC on 2023-11-15, after 30 minutes.",
            "",
        ]
        assert run.texts()[1] == (
            "web-1: all 20 metrics are back at 00:45 UTC on 2023-11-15, after 30 minutes."
        )
        assert run.rows("SELECT * FROM silences") == []


def test_an_anomaly_is_over_when_its_metric_falls_silent_until_it_goes_on(folder: Path) -> None:
    lasting = "SELECT metric FROM anomalies WHERE ended IS NULL"
    noise = random.Random(2)
    with site(folder, Host("web-1")) as run:
        past = range(run.now - 400 * 60, run.now, 60)
        run.send([("db.load", at, noise.gauss(50, 1), True) for at in past])
        run.send([("db.load", run.now, 1e3)])
        run.turn()
        assert run.rows(lasting) == [("db.load",)]
        run.run(10)
        assert run.rows(lasting) == []
        run.send([("db.load", run.now, 1e3)])
        run.turn()
        assert run.rows(lasting) == [("db.load",)]


def test_an_anomaly_of_a_silent_metric_is_over_once_the_store_takes_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = random.Random(2)
    with site(folder, Host("web-1")) as run:
        past = range(run.now - 400 * 60, run.now, 60)
        run.send([("db.load", at, noise.gauss(50, 1), True) for at in past])
        run.send([("db.load", run.now, 1e3)])
        run.turn()

        def full(*_args: object, **_given: object) -> None:
            raise UnavailableError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(silence, "write_anomalies", full)
            with pytest.raises(UnavailableError):
                run.run(10)
        run.run(10)
        assert run.rows("SELECT metric FROM anomalies WHERE ended IS NULL") == []


def test_what_is_stored_of_a_stop(folder: Path) -> None:
    host = Host("web-1", metrics=2)
    with site(folder, host) as run:
        host.up = False
        run.run(10)
        (row,) = run.rows("SELECT * FROM anomalies WHERE kind = 'stopped'")
        value = float((START + 120 * 60) // 60 % 7)
        assert row[5:12] == (value, value, value, value, 1.0, "down", "stopped")
        (evidence,) = run.rows("SELECT evidence FROM stretches WHERE kind = 'stopped'")
        known = json.loads(evidence[0])
        assert (known["metrics"], known["of"], known["interval"]) == (2, 2, 60.0)
        assert known["members"] == ["web-1.m0", "web-1.m1"]


def test_of_two_hosts_with_one_key_the_one_that_stopped_is_told(folder: Path) -> None:
    gone, other = Host("db", metrics=4), Host("web", metrics=9)
    with site(folder, gone, other) as run:
        gone.up = False
        run.run(20)
        (text,) = run.texts()
        assert text.startswith("db: all 4 metrics stopped at 00:15")
        other.up = False
        run.run(20)
        assert [kind for kind, *_ in run.told()] == ["stopped", "stopped"]
        gone.up = True
        run.run(2)
        assert [(kind, metric) for kind, metric, _, ended in run.told() if ended] == [
            ("stopped", "db.m0"),
            ("resumed", "db.m0"),
        ]


def test_hosts_that_stop_at_once_are_one_event(folder: Path) -> None:
    hosts = [Host(f"web-{n}", metrics=3) for n in range(5)]
    with site(folder, *hosts) as run:
        for host in hosts:
            host.up = False
        run.run(10)
        (text,) = run.texts()
        assert text.startswith("agent: all 15 metrics stopped at 00:15")


def test_hosts_with_keys_of_their_own_are_events_of_their_own(folder: Path) -> None:
    with site(folder) as run:
        hosts = [Host(f"h{n}", key=new_key(run.store, f"key-{n}")) for n in range(3)]
        run.hosts += hosts
        run.run(60)
        for host in hosts:
            host.up = False
        run.run(10)
        assert sorted(metric for _, metric, *_ in run.told()) == ["h0.m0", "h1.m0", "h2.m0"]


def test_some_metrics_of_a_host(folder: Path) -> None:
    host = Host("web-1", metrics=10)
    with site(folder, host) as run:
        host.muted = {4, 7}
        run.run(10)
        assert run.told() == [("stopped", "web-1.m4", 121, None)]
        assert "web-1: 2 of 10 metrics stopped" in run.texts()[0]
        host.muted = {4}
        run.run(3)  # one is back: half of them
        assert run.told()[0][3] is None
        host.muted = set()
        run.run(3)
        assert [kind for kind, *_ in run.told()] == ["stopped", "resumed"]


def test_one_metric_is_told_by_its_name(folder: Path) -> None:
    host = Host("web-1", metrics=3)
    with site(folder, host) as run:
        host.muted = {2}
        run.run(10)
        assert run.texts() == [
            "web-1.m2 stopped at 00:15 UTC on 2023-11-15; it reported every 60 s."
        ]


def test_a_slower_metric_joins_the_event_of_its_host(folder: Path) -> None:
    quick, slow = Host("web-1.cpu", every=20, metrics=6), Host("web-1.disk", every=300, metrics=2)
    with site(folder, quick, slow) as run:
        run.run(60)
        quick.up = slow.up = False
        run.run(5)
        assert "6 of 8 metrics stopped" in run.texts()[0] or "all 6" in run.texts()[0]
        run.run(40)
        (text,) = run.texts()
        assert "web-1: all 8 metrics stopped" in text
        assert "every 20 s" in text


def test_three_thousand_metrics_of_sixty_hosts(folder: Path) -> None:
    hosts = [Host(f"host-{n}", metrics=50) for n in range(60)]
    with site(folder, *hosts) as run:
        hosts[7].up = False
        run.run(10)
        (text,) = run.texts()
        assert text.startswith("host-7: all 50 metrics stopped")
        for host in hosts:
            host.up = False
        run.run(10)
        assert len(run.told()) == 2
        assert run.texts()[1].startswith("agent: all 2,950 metrics stopped")
        for host in hosts[1:]:
            host.up = True
        run.run(5)
        assert [kind for kind, *_ in run.told()] == ["stopped", "stopped", "resumed", "resumed"]


# ---- states


def test_the_view_metrics_tells_who_is_stale(folder: Path) -> None:
    gone, other = Host("db"), Host("web", metrics=2)
    with site(folder, gone, other) as run:

        def states() -> list[tuple[str, int]]:
            run.summaries.save(run.now)
            return run.rows("SELECT state, count(*) FROM metrics GROUP BY state ORDER BY state")

        assert states() == [("analysed", 5)]
        gone.up = False
        run.run(10)
        assert states() == [("analysed", 2), ("stale", 3)]
        assert {state: n for state, n in run.summaries.states().items() if n} == {
            "analysed": 2,
            "stale": 3,
        }
        gone.up = True
        run.run(2)
        assert states() == [("analysed", 5)]


def test_a_metric_known_from_history_alone_is_stale_and_no_event(folder: Path) -> None:
    with site(folder, Host("web")) as run:
        run.send([("old.m", START - 60 * n, float(n % 5), True) for n in range(300)])
        run.turn()
        run.summaries.save(run.now)
        old = "SELECT state FROM metrics WHERE metric = 'old.m'"
        assert run.rows(old) == [("stale",)]
        assert run.told() == []
        run.run(12 * 60)
        assert run.told() == []


# ---- muted, deleted, retired


def test_a_muted_metric_is_not_told(folder: Path) -> None:
    host = Host("web", metrics=3)
    with site(folder, host) as run:
        run.store.writer.run(lambda c: mute_series(c, "web.m1", muted=True))
        host.up = False
        run.run(30)
        assert "2 of 3 metrics stopped" in run.texts()[0]
        assert run.rows("SELECT count(*) FROM silences") == [(2,)]


def test_a_deleted_metric_is_forgotten(folder: Path) -> None:
    host = Host("web", metrics=3)
    with site(folder, host) as run:
        host.up = False
        run.run(10)
        assert run.told() == [("stopped", "web.m0", 121, None)]
        host.muted = {0}
        run.store.writer.run(lambda c: delete_series(c, "web.m0", now=run.now))
        run.store.writer.run(run.store.catalog.refresh)
        run.turn()
        assert run.rows("SELECT count(*) FROM silences") == [(2,)]
        assert run.told() == [("stopped", "web.m1", 121, None)]
        work = forgetter(run)
        for _ in range(100):
            work.run(run.now)
            run.run(1)
        assert run.rows("SELECT count(*) FROM series") == [(2,)]
        host.up = True
        run.run(3)
        assert [(kind, metric) for kind, metric, *_ in run.told()] == [
            ("stopped", "web.m1"),
            ("resumed", "web.m1"),
        ]
        assert "2 of 3 metrics are back" in run.texts()[1]


def test_a_stop_ends_when_its_metrics_retire(folder: Path) -> None:
    host = Host("web")
    with site(folder, host) as run:
        host.up = False
        run.run(10)
        for table in ("blocks", *RECENT_TABLES):
            run.store.writer.run(lambda c, table=table: c.execute(f"DELETE FROM {table}"))
        run.now += 40 * DAY_S
        work = forgetter(run)
        while work.run(run.now):
            pass
        assert run.store.catalog.is_retired(1)
        run.turn()
        (told,) = run.told()
        assert told[3] == round((run.now - START) / 60)
        assert run.rows("SELECT * FROM silences") == []
        host.up = True
        run.run(40)
        assert len(run.told()) == 1


# ---- faults


def test_a_store_that_refuses_is_told_later_and_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host("web")
    with site(folder, host) as run:

        def refuse(*_: object) -> None:
            raise UnavailableError("no")

        for up, count in ((False, 1), (True, 2)):
            host.up = up
            with monkeypatch.context() as patch:
                if up:
                    run.now += 60 - (run.now - START) % 60
                    run.post()
                    run.analysis.step(run.now)
                else:
                    run.run(5)
                    run.now += TURN_S
                    run.listener.listen(run.now)
                patch.setattr(run.store.writer, "run", refuse)
                for _ in range(3):
                    with pytest.raises(UnavailableError):
                        run.watch.run(run.now)
            assert len(run.told()) == count - 1
            run.run(2)
            assert len(run.told()) == count
