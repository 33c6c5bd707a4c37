"""Sealing, merging and pruning that end in the middle: nothing is lost, nothing is there twice."""

import contextlib
import logging
import random
import threading
from collections.abc import Iterator
from typing import Any

import apsw
import pytest
from jobs.lives import (
    FOR_EVER,
    RETENTIONS,
    Camera,
    Image,
    Life,
    check,
    check_rollups,
    settle,
    small_steps,
)
from store.posting import memory_folder

from fluxd.core.errors import UnavailableError
from fluxd.core.retention import HOUR_S, Retention
from fluxd.store.handover import Submission, Task


@pytest.fixture(autouse=True)
def _silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # the store says what fails


@contextlib.contextmanager
def life(seed: int, retention: Retention) -> Iterator[Life]:
    with memory_folder() as folder, small_steps():
        one = Life(folder, seed, retention)
        try:
            yield one
        finally:
            one.close()


# ---- a kill


class Witness:
    """Takes images of a life: what kill -9 would leave before each statement of the writer.

    Only while the life waits for the writer: what that does by itself is no step of the life's.
    """

    def __init__(self, one: Life, camera: Camera) -> None:
        self.images: list[Image] = []
        self._life = one
        self._camera = camera
        self._lock = threading.Lock()
        self._waits = False
        self._hand_over = one.store.writer._hand_over
        one.store.writer._hand_over = self._handed_over
        one.store.writer._connection.exec_trace = self._traced

    def look(self) -> None:
        files = self._camera.take()
        if files is not None:
            self.images.append(Image(files, self._life.ledger.copy()))

    def _handed_over(self, work: Any) -> None:
        with self._lock:
            self._waits = True
        try:
            self._hand_over(work)
        finally:
            with self._lock:
                self._waits = False

    def _traced(self, *_: object) -> bool:
        with self._lock:
            if self._waits:
                self.look()
        return True


def images(one: Life, events: int) -> list[Image]:
    """Let things happen; return what a kill would leave at each step."""
    # So small a cache that transactions write to the log before they commit, as large ones do.
    one.store.writer.run(lambda connection: connection.pragma("cache_size", 5))
    with contextlib.closing(Camera(one.path.parent)) as camera:
        witness = Witness(one, camera)
        for _ in range(events):
            one.act()
            witness.look()
        return witness.images


@pytest.mark.parametrize("seed", range(5))
def test_a_kill_at_any_step_loses_nothing(seed: int) -> None:
    with life(seed, RETENTIONS[seed % 5]) as one:
        taken = images(one, 24)
        assert len(taken) > 30
        for image in taken:
            image.judge(one.retention)


# ---- failures that the daemon survives


class Faults:
    """In place of a life's sealer: some of what it does fails, in the ways in which it may."""

    def __init__(self, one: Life, seed: int) -> None:
        self._rng = random.Random(seed)
        self._sealer = one.sealer
        self._on = False
        self._delayed: list[Any] = []
        self._hand_over = one.store.writer._hand_over
        self._read = one.store.read
        one.store.writer._hand_over = self._handed_over
        one.store.read = self._lent
        one.store.writer._connection.exec_trace = self._traced
        self.count = 0

    def run(self, now: int) -> bool:
        """Let the sealer do a step, which may fail."""
        self._on = True
        try:
            return self._sealer.run(now)
        except UnavailableError:
            return True
        finally:
            self._on = False

    def _strikes(self, share: float) -> bool:
        strikes = self._on and self._rng.random() < share
        self.count += strikes
        return strikes

    def _traced(self, _cursor: object, statement: str, _bindings: object) -> bool:
        """Let a statement fail, the COMMIT too; what is left of the transaction is undone."""
        if not statement.startswith("ROLLBACK") and self._strikes(0.02):
            raise self._rng.choice([apsw.FullError, apsw.BusyError, apsw.IOError])("a fault")
        return True

    def _handed_over(self, work: Submission | Task[Any]) -> None:
        """Let the writer answer too late: the task is done all the same, at once or as the next."""
        while self._delayed:
            with contextlib.suppress(Exception):
                self._hand_over(self._delayed.pop())
        late = isinstance(work, Task) and self._strikes(0.06)
        if late and self._rng.random() < 0.5:
            self._delayed.append(work)
        else:
            self._hand_over(work)
        if late:
            raise UnavailableError("the store is busy")

    @contextlib.contextmanager
    def _lent(self) -> Iterator[apsw.Connection]:
        if self._strikes(0.01):
            raise UnavailableError("the store can't be read now")
        with self._read() as reader:
            yield reader


@pytest.mark.parametrize("seed", range(12))
def test_what_fails_is_done_again(seed: int) -> None:
    with life(100 + seed, RETENTIONS[seed % 5]) as one:
        faults = Faults(one, seed)
        sealer, one.sealer = one.sealer, faults
        for number in range(80):
            one.act()
            if number % 8 == 0:  # it takes longer than all else here
                check(one.store, one.ledger, one.retention)
        assert faults.count > 3
        one.saved = one.store.writer.last_seq
        one.ledger.now += 2 * HOUR_S
        settle(one.store, sealer, one.ledger.now)
        check(one.store, one.ledger, one.retention)
        if one.retention is FOR_EVER:
            check_rollups(one.store, one.ledger)
