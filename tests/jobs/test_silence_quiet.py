"""Silence that is nobody's stop, or one that is known already: restarts, pauses, habits, clocks."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from jobs.site import START, TURN_S, Host, site
from store.posting import memory_folder

from fluxd.core.retention import DAY_S, HOUR_S


@pytest.fixture
def folder() -> Iterator[Path]:
    with memory_folder() as lent:
        yield lent


# ---- restarts


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_restart_during_silence_tells_nothing_twice(folder: Path, how: str) -> None:
    gone, other = Host("db"), Host("web")
    with site(folder, gone, other) as run:
        gone.up = False
        run.run(20)
        getattr(run, how)()
        run.run(15, listening=False)
        run.start()
        run.run(90)
        assert run.told() == [("stopped", "db.m0", 121, None)]
        gone.up = True
        run.run(2)
        assert run.told() == [("stopped", "db.m0", 121, 246), ("resumed", "db.m0", 246, 246)]


def test_what_comes_again_after_a_crash_is_no_return(folder: Path) -> None:
    host = Host("db")
    with site(folder, host) as run:
        run.saver.save_all(run.now, lambda: True)
        run.run(10)  # replayed later on
        host.up = False
        run.run(20)
        for _ in range(2):
            run.kill()
            run.start()
            run.run(10)
        assert run.told() == [("stopped", "db.m0", 131, None)]
        assert "all 3 metrics" in run.texts()[0]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_hour_without_the_daemon_is_nobodys_stop(folder: Path, how: str) -> None:
    host, slow = Host("web"), Host("slow", every=900)
    with site(folder, host, slow) as run:
        run.run(600)
        getattr(run, how)()
        run.run(60, listening=False)
        run.start()
        run.turn()
        run.run(120)
        assert run.told() == []
        host.up = False  # that hour was no gap that is usual
        run.run(6)
        assert len(run.told()) == 1


def test_who_was_silent_before_a_restart_gets_a_chance(folder: Path) -> None:
    host, other = Host("web"), Host("db")
    with site(folder, host, other) as run:
        host.up = False
        run.run(4)
        run.stop()
        run.run(10, listening=False)
        run.start()
        run.turn()
        run.run(3)
        host.up = True
        run.run(10)
        assert run.told() == []


def test_who_stopped_meanwhile_is_told_later(folder: Path) -> None:
    gone, other = Host("db"), Host("web")
    with site(folder, gone, other) as run:
        run.stop()
        gone.up = False
        run.run(60, listening=False)
        run.start()
        run.turn()
        run.run(4)
        assert run.told() == []
        run.run(3)
        assert run.told() == [("stopped", "db.m0", 121, None)]


def test_a_first_start_over_an_old_store_tells_nothing(folder: Path) -> None:
    host = Host("web")
    with site(folder, host) as run:
        run.stop()
        run.start()
        run.store.writer.run(lambda connection: connection.execute("DELETE FROM arrivals"))
        run.kill()
        run.run(10_000, listening=False)
        host.up = False
        run.start()
        run.run(60)
        assert run.told() == []


# ---- nothing could be received


def test_a_machine_that_slept(folder: Path) -> None:
    host, slow = Host("web"), Host("slow", every=900)
    with site(folder, host, slow) as run:
        run.run(600)
        run.now += 8 * HOUR_S
        run.turn()
        run.run(60)
        assert run.told() == []
        host.up = False
        run.run(8)
        assert [metric for _, metric, *_ in run.told()] == ["web.m0"]


def test_a_clock_that_is_set_back_and_forth(folder: Path) -> None:
    host = Host("web")
    with site(folder, host) as run:
        for jump in (-3 * HOUR_S, 3 * HOUR_S, -DAY_S, 2 * DAY_S):
            run.now += jump // 60 * 60
            run.turn()
            run.run(20)
            assert run.told() == []
        host.up = False
        run.run(8)
        assert len(run.told()) == 1


def test_a_store_that_could_not_be_written(folder: Path) -> None:
    host = Host("web")
    with site(folder, host) as run:
        run.deaf = True
        run.run(90)
        run.deaf = False
        run.run(30)
        assert run.told() == []
        assert len(run.rows("SELECT value FROM meta WHERE name = 'listening'")) == 1


def test_analysis_that_lags(folder: Path) -> None:
    host = Host("web")
    with site(folder, host) as run:
        for _ in range(90):
            run.now += TURN_S
            run.post()
            run.listener.listen(run.now)
            run.watch.run(run.now)
        run.run(10)
        assert run.told() == []


def test_a_queue_that_overran_is_read_from_the_table_first(folder: Path) -> None:
    host = Host("web", off_s=-1800)
    with site(folder, host) as run:
        run.store.feed._max_rows = 2
        run.run(30)
        assert run.told() == []


# ---- who is silent by habit


def test_a_sender_in_batches(folder: Path) -> None:
    host = Host("web", batch=30)
    with site(folder, host) as run:
        run.run(24 * 60)
        assert run.told() == []
        host.up = False
        run.run(50)
        assert run.told() == []
        run.run(60)
        (told,) = run.told()
        assert told[:2] == ("stopped", "web.m0")


def test_a_first_batch_tells_nothing(folder: Path) -> None:
    with site(folder) as run:
        run.hosts.append(Host("web", batch=60))
        run.run(5 * 60)
        assert run.told() == []


def test_what_reports_when_something_happens(folder: Path) -> None:
    rng = random.Random(5)
    with site(folder) as run:
        at = run.now
        events = [at := at + rng.choice([20, 40, 400, 4000]) for _ in range(80)]
        for now in events:
            while run.now + TURN_S < now:
                run.run(TURN_S / 60)
            run.now = now
            run.send([("door.opened", now, 1.0 + now % 3)])
            run.turn()
        assert run.told() == []


def test_a_job_at_night_is_told_twice_at_most(folder: Path) -> None:
    job = Host("backup", every=20)
    with site(folder) as run:
        run.hosts.append(job)
        for _ in range(5):
            job.up = True
            run.run(40)
            job.up = False
            run.run(24 * 60 - 40)
        assert len([kind for kind, *_ in run.told() if kind == "stopped"]) <= 2
        assert run.told()[-1][2] < 2 * 24 * 60 + 120 + 60


# ---- history, and clocks


def test_history_is_no_sign_of_life_and_no_stop(folder: Path) -> None:
    host = Host("web")
    with site(folder, host) as run:
        old = START - 30 * DAY_S
        run.send([("old.m", old + 60 * n, float(n % 5), True) for n in range(300)])
        run.run(30)
        assert run.told() == []
        host.up = False
        run.run(10)
        run.send([("web.m0", run.now - 60 * n, 1.0, True) for n in range(8)])
        run.run(10)
        assert run.told() == [("stopped", "web.m0", 151, None)]


@pytest.mark.parametrize("off_s", [-3000, 55])
def test_a_sender_whose_clock_is_wrong(folder: Path, off_s: int) -> None:
    host = Host("web", off_s=off_s)
    with site(folder, host) as run:
        run.run(60)
        assert run.told() == []
        host.up = False
        run.run(10)
        (told,) = run.told()
        assert 181 <= told[2] <= 182
        host.up = True
        run.run(10)
        (*_, started, ended) = run.told()[1]
        assert started == ended
        assert 191 <= started <= 192
