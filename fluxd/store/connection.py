"""How the store's one file is opened, for the writer and for readers."""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

from fluxd.core.errors import StoreError

FILE_NAME = "fluxd.db"

# For the layers above, which do not know apsw.
Connection = apsw.Connection

# SQLite before 3.51.3 can corrupt a WAL database when two connections write and checkpoint at once.
OLDEST_SQLITE = 3_051_003

# How long another process's write lock is waited for: longer than any transaction of our own
# commands. The daemon's writer waits less, since the web threads wait with it.
BUSY_MS = 5_000
WRITER_BUSY_MS = 1_000


def open_writer(path: Path, *, create: bool = False, vfs: str | None = None) -> apsw.Connection:
    """Open `path` for writing; every commit is on stable storage when it returns.

    `vfs` names the SQLite VFS that does the input and output, None for the usual one.

    Raises StoreError where the file is missing (and `create` is false) or is no database.
    """
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
        raise StoreError(
            f"apsw carries SQLite {apsw.sqlite_lib_version()}, which can corrupt a store: "
            "install apsw 3.53 or newer"
        )
    if not create and not path.exists():
        raise StoreError(f"there is no store at {path}: `fluxd serve` creates one")
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    try:
        connection = apsw.Connection(os.fspath(path), flags=flags, vfs=vfs)
        connection.set_busy_timeout(BUSY_MS)
        if create:
            connection.pragma("auto_vacuum", "INCREMENTAL")  # counts only before the first table
        connection.pragma("journal_mode", "WAL")
        connection.pragma("synchronous", "FULL")
        # Checkpoints are the scheduler's: inside a commit they stall whoever waits (52 ms seen).
        connection.pragma("wal_autocheckpoint", 0)
        connection.pragma("journal_size_limit", 64 << 20)
        connection.pragma("cache_size", -16_384)
        connection.pragma("foreign_keys", 1)
        if create and not connection.pragma("schema_version"):
            # The page header that a power cut tore at the very first start made SQLite ignore the
            # pragma above; in a store without tables this sets it, and costs nothing.
            connection.execute("VACUUM")
    except apsw.Error as error:
        raise StoreError(f"{path} can't be opened: {error}") from error
    _register(connection)
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """Open `path` for reading only."""
    try:
        connection = apsw.Connection(os.fspath(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise StoreError(f"{path} can't be opened: {error}") from error
    connection.set_busy_timeout(BUSY_MS)
    connection.pragma("query_only", 1)
    connection.pragma("cache_size", -4_096)
    _register(connection)
    return connection


@contextlib.contextmanager
def transaction(connection: apsw.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """Commit at the end, or roll back on an exception.

    In place of apsw's own `with connection`, which keeps the GIL while SQLite waits for another
    process's lock (3 s) or for the disk: every thread of the daemon stood still meanwhile.
    """
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures have rolled back by themselves
            connection.execute("ROLLBACK")
        raise


def _register(connection: apsw.Connection) -> None:
    """Give the connection what the stock shell has and SQLite's library has not."""
    connection.create_scalar_function("sqlar_uncompress", _sqlar_uncompress, 2, deterministic=True)


def _sqlar_uncompress(*arguments: Any) -> Any:  # noqa: ANN401  # whatever SQL passes
    body, size = arguments
    if not isinstance(body, bytes) or not isinstance(size, int) or size <= 0 or size == len(body):
        return body
    return zlib.decompress(body, bufsize=size)
