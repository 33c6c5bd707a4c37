"""One daemon for each data directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fluxd.core.errors import StoreError
from fluxd.daemon.lock import FILE_NAME, DataLock

HOLD = (
    "import pathlib, sys; from fluxd.daemon.lock import DataLock\n"
    "with DataLock(pathlib.Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()"
)


def test_a_second_one_is_told_who_holds_it_and_what_to_do(tmp_path: Path) -> None:
    with DataLock(tmp_path), pytest.raises(StoreError) as caught, DataLock(tmp_path):
        pass
    message = caught.value.message
    assert f"{tmp_path} is in use by process {os.getpid()} (" in message
    assert Path("/proc/self/cmdline").read_text().split("\0")[0] in message
    assert f"kill {os.getpid()}" in message
    assert "--data" in message


def test_it_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with DataLock(tmp_path):
            assert (tmp_path / FILE_NAME).read_text() == f"{os.getpid()}\n"


def test_a_killed_process_locks_nobody_out(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=f"process {other.pid} "), DataLock(tmp_path):
            pass
        other.kill()
    with DataLock(tmp_path):
        pass


def test_a_holder_that_is_hidden_or_has_not_written_yet_is_still_a_holder(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    with DataLock(tmp_path):
        file.write_text("99999999\n")
        with pytest.raises(StoreError, match="by process 99999999: stop it"), DataLock(tmp_path):
            pass
        file.write_text("")
        with pytest.raises(StoreError, match="by another fluxd"), DataLock(tmp_path):
            pass


def test_a_directory_that_cannot_hold_a_lock_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="can't be opened"), DataLock(tmp_path / "absent"):
        pass


def test_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(_descriptor: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(StoreError, match="can't be locked: No locks"), DataLock(tmp_path):
        pass
