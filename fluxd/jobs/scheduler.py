"""The one background thread: analysis first, then whatever job is due."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from fluxd.core.errors import FluxdError
from fluxd.core.reports import JobReport

log = logging.getLogger(__name__)

# Longest wait for datapoints; jobs are looked at this often.
TICK_S = 0.5


@dataclass(slots=True)
class Job:
    """A function of the time (Unix s), called every `every_s` seconds.

    When it returns True it has more to do, and is called again in the next turn, which comes soon.
    """

    name: str
    run: Callable[[int], object]
    every_s: float
    due: float = 0.0


class Scheduler:
    """Calls `analyse` while it says that there is more, and each job when it is due.

    `rest(took_s)` says how long to rest after a turn. A job that raises is logged once until it
    succeeds again, counted, and called again at its next turn: only `stop` ends the thread.
    """

    def __init__(
        self,
        analyse: Callable[[int], bool],
        jobs: list[Job],
        wait: Callable[[float], None],
        wake: Callable[[], None],
        clock: Callable[[], float] = time.time,
        rest: Callable[[float], float] = lambda _took_s: 0.0,
    ) -> None:
        self._analyse = Job("analyse", analyse, 0.0)
        self._jobs = jobs
        self._wait = wait
        self._wake = wake
        self._rest = rest
        self._clock = clock
        self._stopping = threading.Event()
        self.reports = {job.name: JobReport(job.name) for job in [self._analyse, *jobs]}
        self.last_tick = clock()
        self._thread = threading.Thread(target=self._loop, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the job that is running now."""
        self._stopping.set()
        self._wake()
        self._thread.join(timeout_s)

    def tick(self) -> bool:
        """Do one turn: a step of the analysis and every due job; return whether more waits."""
        more = bool(self._call(self._analyse))
        now = self._clock()
        for job in self._jobs:
            # Or the clock was set back.
            if now >= job.due or job.due - now > job.every_s:
                goes_on = self._call(job) is True
                job.due = now if goes_on else now + job.every_s
                more = more or goes_on
        self.last_tick = self._clock()
        return more

    def _loop(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            if not self.tick():
                self._wait(TICK_S)
            self._stopping.wait(self._rest(time.monotonic() - began))

    def _call(self, job: Job) -> object:
        report = self.reports[job.name]
        began = self._clock()
        try:
            result = job.run(int(began))
        except Exception as error:
            report.failures += 1
            described = f"{type(error).__name__}: {error}"
            if report.last_error != described and isinstance(error, FluxdError):
                log.warning("job %s: %s; it is tried again", job.name, error)
            elif report.last_error != described:
                log.exception("job %s failed, it is tried again", job.name)
            report.last_error = described
            return False
        else:
            if report.last_error is not None:
                log.info("job %s works again", job.name)
                report.last_error = None
            return result
        finally:
            report.runs += 1
            report.last_run = began
            report.took_s = self._clock() - began
