"""A function killed by SIGKILL before each of its changes to the disk, one after the other.

Its own system calls count, and what SQLite writes through its usual VFS. The process that is killed
is a fork of the test's, so that what it did not write is lost with it.
"""

import os
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw

from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME, open_writer

CALLS = (
    *("fsync", "fdatasync", "ftruncate", "pwrite", "fchmod", "chmod", "utime"),
    *("link", "unlink", "rename", "replace"),
)


class Killer:
    """Counts changes and ends the process at the chosen one, before it is made."""

    def __init__(self, at: int) -> None:
        self._left = at

    def count(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def arm(self, *, sqlite: bool) -> None:
        for name in CALLS:
            setattr(os, name, self._counted(getattr(os, name)))
        self._vfs = KillingVFS(self) if sqlite else None  # unregistered with its last reference

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.count()
            return call(*arguments, **options)

        return counted


class KillingVFS(apsw.VFS):
    """SQLite's usual VFS, the default one from here on."""

    def __init__(self, killer: Killer) -> None:
        self._killer = killer
        super().__init__("killing", base="unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return KillingFile(self._killer, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: FBT001, N802
        self._killer.count()
        super().xDelete(filename, syncdir)


class KillingFile(apsw.VFSFile):
    def __init__(
        self, killer: Killer, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._killer = killer
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._killer.count()
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._killer.count()
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._killer.count()
        super().xSync(flags)


def killed_before_each(act: Callable[[], object], *, sqlite: bool = True) -> Iterator[int]:
    """Call `act` in a process that is killed before its first change, then its second, and so on.

    Yields after each; ends, without yielding, once `act` came to its end. The caller prepares anew
    what `act` works on between two of them. Without `sqlite`, its usual VFS is left out: apsw's
    stand-in for it can't close a read-only log.
    """
    at = 0
    while True:
        at += 1
        status = _run(act, at, sqlite=sqlite)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return
        yield at


def _run(act: Callable[[], object], at: int, *, sqlite: bool) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's threads, which the child does without
        child = os.fork()
    if child == 0:
        code = 1
        try:
            killer = Killer(at)
            killer.arm(sqlite=sqlite)
            act()
            code = 0
        except BaseException:  # noqa: BLE001  # shown by pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def make_store(folder: Path, mark: str) -> Path:
    """Make a store as kill -9 leaves one: one mark of it is in the file, another in the log."""
    folder.mkdir(exist_ok=True)
    draft = folder / "draft"
    draft.mkdir()
    open_store(draft / FILE_NAME, create=True).close()
    connection = open_writer(draft / FILE_NAME)
    connection.execute("INSERT INTO meta VALUES ('mark in the file', ?)", (mark,))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.execute("INSERT INTO meta VALUES ('mark in the log', ?)", (mark,))
    for name in (FILE_NAME, f"{FILE_NAME}-wal"):
        (folder / name).write_bytes((draft / name).read_bytes())
    connection.close()
    for file in draft.iterdir():
        file.unlink()
    draft.rmdir()
    return folder / FILE_NAME


def marks(path: Path) -> list[str]:
    """Return the marks that a store has; it must be sound."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        assert connection.pragma("integrity_check") == "ok"
        rows = connection.execute("SELECT value FROM meta WHERE name LIKE 'mark in %'").fetchall()
        return [value for (value,) in rows]
    finally:
        connection.close()
