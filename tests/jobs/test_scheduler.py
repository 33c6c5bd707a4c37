import logging
import threading

import pytest

from fluxd.jobs.scheduler import TICK_S, Job, Scheduler


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Work:
    """A job that notes when it's called, and fails when told to."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.error: Exception | None = None

    def __call__(self, now: int) -> bool:
        self.calls.append(now)
        if self.error is not None:
            raise self.error
        return False


def scheduler(analyse: Work, jobs: list[Job], clock: Clock) -> Scheduler:
    return Scheduler(analyse, jobs, lambda _: None, lambda: None, clock)


def test_a_job_runs_when_it_is_due() -> None:
    clock, often, seldom = Clock(), Work(), Work()
    turns = scheduler(Work(), [Job("often", often, 10.0), Job("seldom", seldom, 60.0)], clock)
    for _ in range(121):
        turns.tick()
        clock.now += 1
    assert len(often.calls) == 13
    assert [now - 1_700_000_000 for now in seldom.calls] == [0, 60, 120]
    assert turns.last_tick == clock.now - 1


@pytest.mark.parametrize("jump_s", [-86_400.0, -61.0, 86_400.0])
def test_a_clock_that_is_set_delays_no_job(jump_s: float) -> None:
    clock, work = Clock(), Work()
    turns = scheduler(Work(), [Job("work", work, 60.0)], clock)
    turns.tick()
    clock.now += jump_s
    turns.tick()
    clock.now += 60
    turns.tick()
    assert len(work.calls) == 3


def test_a_job_that_fails_is_logged_once_counted_and_called_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock, work, other = Clock(), Work(), Work()
    turns = scheduler(Work(), [Job("work", work, 1.0), Job("other", other, 1.0)], clock)
    work.error = ValueError("out of ink")
    for _ in range(3):
        turns.tick()
        clock.now += 1
    report = turns.reports["work"]
    assert (report.runs, report.failures, report.last_error) == (3, 3, "ValueError: out of ink")
    assert [record.message for record in caplog.records] == ["job work failed, it is tried again"]
    work.error = ValueError("out of paper")
    turns.tick()
    clock.now += 1
    work.error = None
    turns.tick()
    assert (report.runs, report.failures, report.last_error) == (5, 4, None)
    assert report.last_run == clock.now
    assert [record.message for record in caplog.records[1:]] == [
        "job work failed, it is tried again",
        "job work works again",
    ]
    assert len(other.calls) == 5
    assert turns.reports["other"].failures == 0


def test_an_analysis_that_fails_does_not_keep_the_jobs_from_running() -> None:
    clock, analyse, work = Clock(), Work(), Work()
    turns = scheduler(analyse, [Job("work", work, 1.0)], clock)
    analyse.error = RuntimeError("odd")
    assert turns.tick() is False
    assert len(work.calls) == 1
    assert turns.reports["analyse"].failures == 1


def test_the_thread_analyses_until_nothing_waits_and_ends_when_told() -> None:
    waiting = iter([True, True, False])
    waits: list[float] = []
    idle, go_on = threading.Event(), threading.Event()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        idle.set()
        assert go_on.wait(30)

    analysed: list[int] = []

    def analyse(now: int) -> bool:
        analysed.append(now)
        return next(waiting, False)

    rests: list[float] = []

    def rest(took_s: float) -> float:
        rests.append(took_s)
        return 0.0

    turns = Scheduler(analyse, [], wait, go_on.set, rest=rest)
    turns.start()
    assert idle.wait(30)
    assert (len(analysed), waits, len(rests)) == (3, [TICK_S], 2)
    turns.stop(30.0)
    assert not turns._thread.is_alive()
