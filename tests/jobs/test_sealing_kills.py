"""A process that seals, merges and prunes, killed with signal 9 again and again."""

import contextlib
import logging
import os
import pickle
import random
import signal
import traceback
import warnings
from pathlib import Path

import apsw
import pytest
from jobs.lives import FOR_EVER, RETENTIONS, Image, Ledger, Life, small_steps
from store.killing import Killer
from store.posting import memory_folder

from fluxd.core.retention import Retention

EVENTS = 150  # all but always more than a process lives for
MESSAGES = 400
CHANGES = 2_000  # of the disk


def live(folder: Path, seed: int, retention: Retention, ledger: Ledger, pipe: int) -> None:
    """Let things happen, and tell the ledger before and after each; in a process of its own."""
    rng = random.Random(seed)
    killer = Killer(rng.randrange(1, CHANGES) if rng.random() < 0.5 else 0)
    killer.arm(sqlite=True)
    apsw.set_default_vfs("unix")  # for readers
    one = Life(folder, seed, retention, ledger=ledger, vfs="killing")
    with os.fdopen(pipe, "wb") as told:

        def tell() -> None:
            pickle.dump(one.ledger, told)
            told.flush()

        one.told = tell
        for _ in range(EVENTS):
            one.act()


def start(folder: Path, seed: int, retention: Retention, ledger: Ledger) -> tuple[int, int]:
    """Return a new process's id, and where to read what it tells."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's threads, which the child does without
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            live(folder, seed, retention, ledger, writing)
            code = 0
        except BaseException:  # noqa: BLE001  # else it would go on as a second test run
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    return child, reading


def follow(child: int, reading: int, messages: int, ledger: Ledger) -> Ledger:
    """Return what a process told last; it is killed after so many messages."""
    with os.fdopen(reading, "rb") as told, contextlib.suppress(EOFError, pickle.UnpicklingError):
        while True:
            ledger = pickle.load(told)  # noqa: S301  # it's our own child's
            messages -= 1
            if messages == 0:
                os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return ledger


@pytest.mark.parametrize("seed", range(6))
def test_kill_after_kill_loses_nothing(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    rng = random.Random(seed)
    retention = FOR_EVER if seed % 2 else RETENTIONS[seed % len(RETENTIONS)]
    ledger = Ledger()
    with memory_folder() as folder, small_steps():
        for number in range(6):
            child, reading = start(folder, 100 * seed + number, retention, ledger)
            ledger = follow(child, reading, rng.randrange(1, MESSAGES), ledger)
            files = {
                path.name: path.read_bytes()
                for path in folder.iterdir()
                if not path.name.endswith("-shm")
            }
            ledger.end(stored=Image(files, ledger).judge(retention))
