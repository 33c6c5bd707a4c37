"""A backup put in the place of the present store, which is kept under another name.

The trap is the log. SQLite takes a `fluxd.db-wal` for the log of whatever is called `fluxd.db`, so
an earlier store's log beside the new one would ruin it. Hence the order: the copy is complete,
checked and on stable storage as `fluxd.db.partial`; the present store is made one file, its log
moved into it and deleted by SQLite itself; it gets its second name; one rename puts the copy in its
place. Killed at any moment, `fluxd.db` is either of the two, whole.

A store that SQLite can't open any more is kept as it is, log and all. Only then there is a moment
at which `fluxd.db` is without its log; both are under their second names by then.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw

from fluxd.core.errors import StoreError
from fluxd.store.connection import BUSY_MS
from fluxd.store.copying import (
    Partial,
    Progress,
    nothing_shown,
    sync_directory,
)

# What SQLite may keep beside a store and would apply to any other of that name.
_COMPANIONS = ("-wal", "-journal")

_SHARED_MEMORY = "-shm"


def restore(source: apsw.Connection, path: Path, progress: Progress = nothing_shown) -> Path | None:
    """Put what `source` sees (see `open_backup`) at `path`; return where the earlier store is now.

    None says that there was none. The caller sees to it that no daemon and no command of fluxd's
    has the store open. Raises StoreError where the copy is damaged, or the store is in use.
    """
    with Partial(path) as partial:
        partial.ensure_space(source, "the restored store")
        partial.fill(source, progress)
        try:
            partial.verify("integrity_check", progress)
        except StoreError as error:
            raise StoreError(f"the backup is damaged ({error}): take another one") from error
        if not path.exists():
            _delete_companions(path)
            partial.publish(replace=True)
            return None
        with _settled(path):
            kept = _keep(path)
            _delete_companions(path)
            partial.publish(replace=True)
        return kept


@contextlib.contextmanager
def _settled(path: Path) -> Iterator[None]:
    """Make a store one file, and keep everyone else from using it within the block."""
    try:
        connection = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error:  # not even opened: it is kept as it is
        yield
        return
    with contextlib.closing(connection):
        try:
            connection.set_busy_timeout(BUSY_MS)
            connection.pragma("synchronous", "FULL")
            connection.pragma("journal_mode", "DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except (apsw.BusyError, apsw.LockedError) as error:
            raise StoreError(
                f"another program has {path} open, such as `fluxd sql` or `sqlite3`: end it "
                f"(`fuser {path}` shows which)"
            ) from error
        except apsw.FullError as error:
            raise StoreError(
                f"the disk is full: {path} can't take in its log; free some space"
            ) from error
        except apsw.Error:  # damaged: it is kept as it is
            connection.close()
        yield


def _keep(path: Path) -> Path:
    """Give the store at `path`, with what belongs to it, a second name; return that."""
    kept = base = path.with_name(f"{path.name}.before-restore")
    number = 1
    while os.path.lexists(kept) and not _same(kept, path):
        number += 1
        kept = base.with_name(f"{base.name}-{number}")
    for suffix in _COMPANIONS:
        companion = _beside(path, suffix)
        if companion.exists():
            _link(companion, _beside(kept, suffix))
    _link(path, kept)
    sync_directory(path.parent)
    return kept


def _same(one: Path, two: Path) -> bool:
    try:
        return one.samefile(two)
    except OSError:  # a link to nowhere
        return False


def _link(path: Path, second: Path) -> None:
    """Give a file a second name, or where the file system has none, a copy."""
    if os.path.lexists(second):
        if _same(second, path):  # a restore that was killed got as far as this
            return
        second.unlink()  # belongs to a store that has gone
    try:
        os.link(path, second)
    except OSError:
        _copy(path, second)


def _copy(path: Path, second: Path) -> None:
    unfinished = second.with_name(f"{second.name}.partial")
    try:
        shutil.copyfile(path, unfinished)
        unfinished.chmod(0o600)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(second)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise StoreError(f"{second} can't be written: {error.strerror}") from error


def _delete_companions(path: Path) -> None:
    for suffix in (*_COMPANIONS, _SHARED_MEMORY):
        _beside(path, suffix).unlink(missing_ok=True)
    sync_directory(path.parent)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")
