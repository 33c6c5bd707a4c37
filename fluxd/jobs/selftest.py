"""The nightly self-test: how well the detector does on the metrics of this installation.

See `fluxd.core.selftest`. Reading and running are cut into turns, so that the analysis goes on.
"""

import functools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from fluxd.core.detect import THRESHOLD, UTC, LocalTime
from fluxd.core.selftest import SelfTest
from fluxd.store import Store
from fluxd.store.places import DAY_S, HOUR_S
from fluxd.store.selftests import (
    METRICS,
    read_outcomes,
    read_recent,
    sample_series,
    write_outcome,
)

log = logging.getLogger(__name__)

# A turn takes about so long; how many rounds that is shows as they are done.
BUDGET_S = 0.06
FIRST_ROUNDS, MOST_ROUNDS = 8, 512
LEAST_S = 1e-6  # that a turn is taken to last

# It begins after so much of the day (local time): few look, and the day before is complete.
AFTER_S = 3 * HOUR_S


class SelfTester:
    """The job. `latest` is what was found last, None before the first time."""

    def __init__(
        self,
        store: Store,
        *,
        threshold: float = THRESHOLD,
        local: LocalTime = UTC,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._threshold = threshold
        self._local = local
        self._clock = clock
        self._test: SelfTest | None = None
        self._waiting: list[tuple[int, str]] = []
        self._rounds = FIRST_ROUNDS
        self._not_before = 0
        with store.read() as reader:
            self.latest: Mapping[str, Any] | None = next(iter(read_outcomes(reader)), None)

    def step(self, now: int) -> bool:
        """Begin, if it is time to, or go on for about BUDGET_S; return whether there is more.

        What fails, or finds no metric that it can use, is tried again in the next hour.
        """
        test = self._test
        if test is None:
            return self._begin(now)
        try:
            if self._go_on(test):
                return True
            self._test = None
            if len(test):
                self._tell(test)
            else:
                self._put_off(now)
        except BaseException:
            self._put_off(now)
            raise
        return False

    def _put_off(self, now: int) -> None:
        self._test, self._not_before = None, (now // HOUR_S + 1) * HOUR_S

    def _begin(self, now: int) -> bool:
        if now < self._not_before <= now + HOUR_S:  # or the clock was set back
            return False
        local = now + self._local.offset(now)
        day = local // DAY_S
        if local % DAY_S < AFTER_S or (self.latest is not None and self.latest["day"] == day):
            return False
        with self._store.read() as reader:
            self._waiting = sample_series(reader, day, METRICS)
        self._test = SelfTest(day, threshold=self._threshold, local=self._local)
        self._rounds = FIRST_ROUNDS
        return True

    def _go_on(self, test: SelfTest) -> bool:
        if self._waiting:
            self._read(test)
            return True
        if not len(test):
            return False
        began, width = self._clock(), test.width
        more = test.step(self._rounds)
        took = self._clock() - began
        if test.width != width:
            self._rounds = FIRST_ROUNDS
        else:
            fitting = int(self._rounds * BUDGET_S / max(took, LEAST_S))
            self._rounds = max(1, min(fitting, 2 * self._rounds, MOST_ROUNDS))
        return more

    def _read(self, test: SelfTest) -> None:
        end = self._clock() + BUDGET_S
        while self._waiting:
            series, name = self._waiting.pop()
            with self._store.read() as reader:
                timestamps, values = read_recent(reader, series, test.day)
            test.add(name, timestamps, values)
            if len(test) == METRICS:
                self._waiting.clear()
            if self._clock() >= end:
                return

    def _tell(self, test: SelfTest) -> None:
        self._store.writer.run(functools.partial(write_outcome, outcome=test.outcome()))
        with self._store.read() as reader:
            self.latest = read_outcomes(reader)[0]
        log.info("self-test of %d metrics is done", len(test))
