"""The store as the daemon holds it: one writer, readers, and what is kept in memory of the file."""

import contextlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import apsw

from fluxd.core.errors import StoreError, UnavailableError
from fluxd.store.catalog import Catalog
from fluxd.store.connection import open_reader, open_writer, transaction
from fluxd.store.feed import Feed
from fluxd.store.ingestion_tests import IngestionTests
from fluxd.store.keys import KeyRing
from fluxd.store.logins import SessionRing
from fluxd.store.migrate import migrate
from fluxd.store.rejections import RejectionLedger
from fluxd.store.writer import Writer, reserved_seq

# Frames that a checkpoint leaves to the writer's own short one.
WAL_RESET_BYTES = 8 << 20

# The content of the log is moved into the file once there is so much of it, or after so long: a
# page that every commit writes to is then moved once, not every second (12 bytes a datapoint), nor
# every minute where little comes (1,000 metrics: 258 bytes a datapoint, every five minutes 231).
LOG_STEP_BYTES = 8 << 20
LOG_STEP_S = 300


class Store:
    """An open store. Its parts may be used from any thread."""

    def __init__(self, path: Path, connection: apsw.Connection, *, vfs: str | None = None) -> None:
        self.path = path
        self.keys = KeyRing()
        self.sessions = SessionRing()
        self.catalog = Catalog()
        self.rejections = RejectionLedger()
        self.ingestion_tests = IngestionTests()
        self.keys.load(connection)
        self.sessions.load(connection)
        self.catalog.load(connection)
        self.rejections.load(connection)
        self.ingestion_tests.load(connection)
        seq = reserved_seq(connection)
        self.feed = Feed(seq)
        self._readers: deque[apsw.Connection] = deque()
        self._files: dict[Path, tuple[int, int]] = {}
        self._checkpointer = open_writer(path, vfs=vfs)
        self._page_size = int(connection.pragma("page_size"))
        self._log_tended = 0
        self.writer = Writer(connection, self.catalog, self.feed, seq, self._reload)

    def _reload(self, connection: apsw.Connection) -> None:
        """Take over what other processes have changed."""
        self.keys.load(connection)
        self.sessions.load(connection)
        self.catalog.refresh(connection)

    @contextlib.contextmanager
    def read(self) -> Iterator[apsw.Connection]:
        """Lend a read-only connection that sees one state of the store.

        Fetch everything before leaving: an open cursor keeps the log from being checkpointed.
        """
        try:
            reader = self._readers.pop()
        except IndexError:
            reader = self._open_reader()
        try:
            with transaction(reader, "DEFERRED"):
                yield reader
        except apsw.Error as error:
            reader.close()
            raise UnavailableError(f"the store can't be read now: {error}") from error
        except BaseException:
            reader.close()
            raise
        self._readers.append(reader)

    def _open_reader(self) -> apsw.Connection:
        try:
            return open_reader(self.path)
        except StoreError as error:
            raise UnavailableError(f"the store can't be read now: {error}") from error

    def tend_log(self, now: int) -> None:
        """Move the log's content into the file where that is due at `now` (Unix s)."""
        frames, moved = self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        waiting = max(0, frames - moved) * self._page_size
        rested = 0 <= now - self._log_tended < LOG_STEP_S
        if waiting >= LOG_STEP_BYTES or (waiting and not rested):
            self.checkpoint()
            self._log_tended = now

    def checkpoint(self) -> None:
        """Move the log's content into the file, so that the log can begin anew.

        The bulk goes on a connection of its own, while commits continue. What they add meanwhile
        keeps a growing log from being reset, so the writer then moves that little remainder.
        """
        self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        if self.log_bytes > WAL_RESET_BYTES:
            self.writer.checkpoint()

    def misplaced(self) -> str | None:
        """Say what is wrong where the store's files are no longer those that are open, else None.

        Whoever moves or deletes them under a running daemon would lose all that it acknowledges.
        """
        for path in (self.path, self._log):
            try:
                status = path.stat()
                found = (status.st_dev, status.st_ino)
            except FileNotFoundError:
                found = None
            known = self._files.get(path)
            if known is None and found is not None:
                self._files[path] = found
            elif known != found:
                return f"{path} was moved, deleted or replaced: put it back, or restart fluxd"
        return None

    @property
    def _log(self) -> Path:
        return self.path.with_name(f"{self.path.name}-wal")

    @property
    def log_bytes(self) -> int:
        """The size of the write-ahead log."""
        return _size(self._log)

    @property
    def bytes(self) -> int:
        """The size of the store on disk, its log included."""
        return _size(self.path) + self.log_bytes

    def close(self) -> None:
        """Finish what was handed to the writer, then close every connection."""
        self.writer.close()
        while self._readers:
            self._readers.pop().close()
        self._checkpointer.close()


def open_store(path: Path, *, create: bool = False, vfs: str | None = None) -> Store:
    """Open the store at `path`, its schema brought up to date. Raises StoreError.

    `vfs` names the SQLite VFS that writes, None for the usual one; readers always have that.
    """
    connection = open_writer(path, create=create, vfs=vfs)
    try:
        migrate(connection, path)
        return Store(path, connection, vfs=vfs)
    except apsw.Error as error:
        connection.close()
        raise StoreError(f"{path} can't be used: {error}") from error
    except BaseException:
        connection.close()
        raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
