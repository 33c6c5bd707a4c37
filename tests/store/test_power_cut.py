import contextlib
import logging
import random
from collections.abc import Iterator

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


LEAST_ROUNDS = 60
MOST_ROUNDS = 600  # the threads decide what a round comes to: some sixty seal next to nothing


def rounds(synchronous: str | None = None) -> Iterator[Outcome]:
    rng = random.Random(60)
    found = Found({}, {})
    for _ in range(MOST_ROUNDS):
        outcome, found = play(rng, found, synchronous=synchronous)
        yield outcome
        if outcome.faults or rng.random() < 0.3:
            found = Found({}, {})


def test_what_was_acknowledged_survives_a_power_cut() -> None:
    acknowledged = sealed = pruned = 0
    for played, outcome in enumerate(rounds(), 1):
        assert outcome.faults == []
        acknowledged += outcome.acknowledged
        sealed += outcome.sealed
        pruned += outcome.pruned
        if played >= LEAST_ROUNDS and acknowledged > 1000 and sealed > 100 and pruned > 0:
            return
    pytest.fail(f"too little to lose: {acknowledged=}, {sealed=}, {pruned=}")


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
    assert any(outcome.lost for outcome in rounds(synchronous))
