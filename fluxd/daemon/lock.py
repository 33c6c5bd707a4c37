"""One daemon for each data directory."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from fluxd.core.errors import StoreError

FILE_NAME = "fluxd.lock"


class DataLock:
    """The sole use of a data directory, for the length of a `with` block.

    A lock of the kernel's (flock) on `fluxd.lock`: it ends with the process, however that dies,
    so a file that is left behind locks nobody out. The file holds the process id, for people. It
    is never deleted: a third process could lock the deleted one and a fourth its successor.
    """

    def __init__(self, data: Path) -> None:
        self._path = data / FILE_NAME
        self._descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock. Raises StoreError, naming the process that has it."""
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path} can't be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise StoreError(_in_use(self._path.parent, holder)) from None
        except OSError as error:
            os.close(self._descriptor)
            raise StoreError(f"{self._path} can't be locked: {error.strerror}") from error
        return self

    def misplaced(self) -> str | None:
        """Say what is wrong where the file is no longer the one that is locked, else None."""
        try:
            there = self._path.stat().st_ino
        except FileNotFoundError:
            there = None
        if there == os.fstat(self._descriptor).st_ino:
            return None
        return f"{self._path} was deleted or replaced, another fluxd could start: restart this one"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let go."""
        os.close(self._descriptor)


def _in_use(data: Path, holder: str) -> str:
    if not holder.isdecimal():  # it locked the file a moment ago and has not written yet
        return f"{data} is in use by another fluxd: stop that one, or name another with --data"
    command = _command_line(holder)
    process = f"process {holder} ({command})" if command else f"process {holder}"
    return (
        f"{data} is in use by {process}: stop it (`systemctl stop fluxd`, or `kill {holder}`), "
        "or give this one a directory of its own with --data"
    )


def _command_line(process: str) -> str:
    """Return a process's command line, or "" where it is gone or hidden."""
    try:
        line = Path("/proc", process, "cmdline").read_bytes()
    except OSError:
        return ""
    return line.replace(b"\0", b" ").decode(errors="replace").strip()
