"""The store as a command opens it, beside a running daemon or without one."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from fluxd.core.errors import StoreError
from fluxd.daemon.lock import FILE_NAME as LOCK_NAME
from fluxd.daemon.paths import become_owner, data_directory
from fluxd.store.connection import FILE_NAME, Connection, open_reader, open_writer, transaction
from fluxd.store.copying import try_lock
from fluxd.store.faults import explained
from fluxd.store.migrate import refuse_newer, refuse_older


def store_path(data: Path | None) -> Path:
    """Return where the store is or would be: in `data`, or where the daemon would look for it."""
    return data_directory(data, dict(os.environ)) / FILE_NAME


@contextlib.contextmanager
def open_offline(data: Path | None, *, write: bool = False) -> Iterator[Connection]:
    """Lend a connection to the store in `data` (or where the daemon would look for it).

    The block is one transaction; `connect_offline` leaves them to the caller.
    """
    with (
        connect_offline(data, write=write) as connection,
        transaction(connection, "IMMEDIATE" if write else "DEFERRED"),
    ):
        yield connection


@contextlib.contextmanager
def connect_offline(data: Path | None, *, write: bool = False) -> Iterator[Connection]:
    """Lend a connection as `open_offline` does, in no transaction.

    Only `serve` creates a store: raises StoreError where there is none or it is hidden. Run by
    root, the process becomes the store's owner first, so that no file of root's appears there.
    """
    path = store_path(data)
    become_owner(path)
    with (
        explained(path),
        _no_restore(path.parent) if write else contextlib.nullcontext(),
        contextlib.closing(open_writer(path) if write else open_reader(path)) as connection,
    ):
        if write:
            refuse_newer(connection, path)
            refuse_older(connection, path)
        yield connection


def daemon_runs(data: Path) -> bool:
    """Say whether a daemon has the data directory: it holds a lock for as long as it lives."""
    try:
        descriptor = os.open(data / LOCK_NAME, os.O_RDONLY)
    except OSError:  # none has ever run here, or it is another user's
        return False
    try:
        return not try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def acting_as_owner(store: Path) -> Iterator[None]:
    """Act as the owner of `store` within the block, when run by root, and as before after it."""
    before = (os.getgroups(), os.getegid(), os.geteuid())
    become_owner(store)
    try:
        yield
    finally:
        if os.geteuid() != before[2]:
            os.seteuid(before[2])
            os.setegid(before[1])
            os.setgroups(before[0])


@contextlib.contextmanager
def restoring(data: Path) -> Iterator[None]:
    """Keep commands that write to the store from opening it.

    One that had the earlier store open would write its log beside the new one, which SQLite would
    then take for the new one's.
    """
    with _locked(data, fcntl.LOCK_EX, "a command of fluxd's is writing to the store"):
        yield


@contextlib.contextmanager
def _no_restore(data: Path) -> Iterator[None]:
    with _locked(data, fcntl.LOCK_SH, "a restore is under way"):
        yield


@contextlib.contextmanager
def _locked(data: Path, kind: int, busy: str) -> Iterator[None]:
    """Hold a lock on the directory itself: it needs no file, and ends with the process."""
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not try_lock(descriptor, kind):
            raise StoreError(f"{busy} in {data}: wait for it to end, then try again")
        yield
    finally:
        os.close(descriptor)
