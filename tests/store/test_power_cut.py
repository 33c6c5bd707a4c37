import contextlib
import logging
import random

import apsw
import pytest
from store.disk import Disk
from store.posting import memory_folder
from store.power import Found, Outcome, play, reopen

from fluxd.core.errors import StoreError
from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME


@pytest.fixture(autouse=True)
def _silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # the store misses the power, and says so


def rounds(count: int, synchronous: str | None = None) -> list[Outcome]:
    rng = random.Random(count)
    outcomes: list[Outcome] = []
    found = Found({}, {})
    for _ in range(count):
        outcome, found = play(rng, found, synchronous=synchronous)
        outcomes.append(outcome)
        if outcome.faults or rng.random() < 0.3:
            found = Found({}, {})
    return outcomes


def test_what_was_acknowledged_survives_a_power_cut() -> None:
    outcomes = rounds(60)
    assert [outcome.faults for outcome in outcomes if outcome.faults] == []
    assert sum(outcome.acknowledged for outcome in outcomes) > 1000
    assert sum(outcome.sealed for outcome in outcomes) > 100
    assert sum(outcome.pruned for outcome in outcomes) > 0


@pytest.mark.parametrize("length", [1, 15, 30, 60, 100, 512, 4096])
def test_a_first_start_that_a_power_cut_ended_leaves_nothing_wrong(length: int) -> None:
    """Above all a page header written up to some byte: SQLite believes in it at first."""
    for cut_at in range(1, 40):
        with memory_folder() as folder, Disk(folder, random.Random(1), {}) as disk:
            disk.cut_at = cut_at
            with contextlib.suppress(StoreError, apsw.IOError):
                open_store(folder / FILE_NAME, create=True, vfs=disk.name).close()
            image = disk.broken(FILE_NAME, length)
        outcome = Outcome()
        reopen(image, outcome)
        assert outcome.faults == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_the_cut_finds_a_store_that_does_not_sync_its_commits(synchronous: str) -> None:
    assert sum(outcome.lost for outcome in rounds(40, synchronous)) > 0
