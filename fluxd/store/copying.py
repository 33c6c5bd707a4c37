"""A store copied into one file, page by page, while others write to it.

SQLite's backup begins anew whenever the source has changed, unless the reading connection is in a
transaction: then it copies the state that this one sees, however long that takes. (`VACUUM INTO`
would hold the same transaction for longer: it inserts every row again.) What is written meanwhile
stays in the log, which therefore grows until the copy is done.

The copy grows as `<target>.partial` and gets its name when it is whole and on stable storage. It
has no log or journal beside it at any time, so that one rename is all that it takes.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import apsw

from fluxd.core.errors import StoreError

SUFFIX = ".partial"

# What is done, how much of it and how much in all: for a progress bar.
Progress = Callable[[str, int, int], None]

# Pages copied between two syncs: 16 MB. All of it left to one sync at the end would make the
# daemon's own, and so its senders, wait behind gigabytes.
PAGES_A_STEP = 4_096

# What SQLite does between two calls of a progress handler: about 2 ms of work.
STEPS_A_CALL = 20_000

# Left free on the disk: the daemon that writes to it needs some too.
SPARE_BYTES = 64 << 20

# Format version bytes of the header: 1 is a rollback journal, 2 a write-ahead log.
_VERSIONS_AT, _ROLLBACK = 18, b"\1\1"


def nothing_shown(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


class Partial:
    """A copy under construction: gone at the end of the `with` block unless it was published.

    Only its owner may read it (0600): a store has keys in it. One that an earlier process left
    behind is written anew. Raises StoreError where it can't be written, or another process does.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + SUFFIX)
        self._descriptor = -1
        self._published = False

    def __enter__(self) -> Self:
        """Create the file. What `fill` does later needs no right to the directory any more."""
        try:
            self._descriptor = _create(self.path)
        except OSError as error:
            raise StoreError(f"{self.path} can't be created: {error.strerror}") from error
        self._copy = self._open()
        self._copy.pragma("journal_mode", "OFF")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Delete the file if it was not published."""
        self._copy.close()
        if not self._published:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._descriptor)

    def ensure_space(self, source: apsw.Connection, purpose: str) -> None:
        """Raise StoreError where there is no room for a copy of `source` and some to spare."""
        needed = source.pragma("page_count") * source.pragma("page_size") + SPARE_BYTES
        disk = os.fstatvfs(self._descriptor)
        free = disk.f_bavail * disk.f_frsize
        if free < needed:
            raise StoreError(
                f"{purpose} needs {megabytes(needed)} in {self.target.parent}, where "
                f"{megabytes(free)} are free: free some space"
            )

    def fill(self, source: apsw.Connection, progress: Progress = nothing_shown) -> None:
        """Copy what `source` sees; the caller has it in a transaction that has read something."""
        try:
            with self._copy.backup("main", source, "main") as backup:
                while not backup.done:
                    backup.step(PAGES_A_STEP)
                    os.fdatasync(self._descriptor)
                    total = backup.page_count
                    progress("copying", total - backup.remaining, total)
        except (apsw.FullError, apsw.IOError, OSError) as error:
            raise StoreError(f"the copy to {self.path} failed: {error}") from error
        self._copy.close()
        # The source's header says that a log belongs to it; none belongs to the copy.
        os.pwrite(self._descriptor, _ROLLBACK, _VERSIONS_AT)

    @contextlib.contextmanager
    def edit(self) -> Iterator[apsw.Connection]:
        """Lend a connection that may change the copy."""
        try:
            with contextlib.closing(self._open()) as connection:
                connection.pragma("journal_mode", "MEMORY")
                yield connection
        except apsw.Error as error:
            raise StoreError(f"the copy to {self.path} failed: {error}") from error

    def verify(self, check: str, progress: Progress = nothing_shown) -> None:
        """Run `check` (quick_check or integrity_check). Raises StoreError with what it finds."""
        os.fsync(self._descriptor)
        with contextlib.closing(open_immutable(self.path)) as connection:
            faults = run_check(connection, check, progress)
        if faults:
            raise StoreError("; ".join(faults[:3]))

    def publish(self, *, replace: bool = False) -> None:
        """Give the file its name. Raises StoreError where that is taken, and not to be replaced."""
        os.fsync(self._descriptor)
        if replace:
            self.path.replace(self.target)
        else:
            self._link()
        self._published = True
        sync_directory(self.target.parent)

    def _open(self) -> apsw.Connection:
        """Open the file. Nobody else writes it: it is not locked, as not every file system can."""
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW
        path = self.path.parent.resolve() / self.path.name  # NOFOLLOW means every part of it
        connection = apsw.Connection(os.fspath(path), flags=flags, vfs="unix-none")
        connection.pragma("locking_mode", "EXCLUSIVE")
        connection.pragma("synchronous", "OFF")  # `publish` syncs
        return connection

    def _link(self) -> None:
        """Rename without replacing: a new link to the file, then the end of the old one."""
        try:
            os.link(self.path, self.target)
        except FileExistsError as error:
            raise StoreError(taken(self.target)) from error
        except OSError:  # a file system without links, on a memory stick
            if os.path.lexists(self.target):
                raise StoreError(taken(self.target)) from None
            self.path.rename(self.target)
        else:
            self.path.unlink()


def _create(path: Path) -> int:
    """Open the file, empty and locked against others that would write it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if _claim(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _claim(descriptor: int, path: Path) -> bool:
    """Make sure that the file is ours alone, and empty it; False where another is to be opened."""
    if not try_lock(descriptor, fcntl.LOCK_EX):
        raise StoreError(f"another process is writing {path}: wait for it to end")
    opened = os.fstat(descriptor)
    try:
        found = path.lstat()
    except FileNotFoundError:  # deleted, or published, a moment ago
        return False
    if not os.path.samestat(opened, found):
        return False
    if not stat.S_ISREG(opened.st_mode) or opened.st_uid != os.geteuid():
        raise StoreError(f"{path} belongs to somebody else: delete it, or name another file")
    if (
        opened.st_nlink > 1
    ):  # a finished copy too, whose maker was killed before it could delete this
        path.unlink()
        return False
    os.ftruncate(descriptor, 0)
    os.fchmod(descriptor, 0o600)
    return True


def try_lock(descriptor: int, kind: int) -> bool:
    """Take the kernel's lock on an open file or directory; False where another has it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system that can't lock: then nobody has it
        return True
    return True


def taken(path: Path) -> str:
    """Say that a file exists and will not be overwritten."""
    return f"{path} exists and is not overwritten: name another file, or delete that one"


def open_immutable(path: Path) -> apsw.Connection:
    """Open a file that nobody changes for reading; nothing is created beside it."""
    uri = f"file:{quote(os.fspath(path.absolute()))}?immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(uri, flags=flags)
    connection.pragma("cache_size", -16_384)
    return connection


def run_check(
    connection: apsw.Connection, check: str, progress: Progress = nothing_shown
) -> list[str]:
    """Return what quick_check or integrity_check finds, nothing for a sound file.

    One statement reads every page, most of them twice; Ctrl-C may end it.
    """
    before = connection.status(apsw.SQLITE_DBSTATUS_CACHE_MISS)[0]

    def tell() -> bool:
        read = connection.status(apsw.SQLITE_DBSTATUS_CACHE_MISS)[0] - before
        progress("checking", min(read, reads), reads)
        return False

    try:
        reads = 2 * connection.pragma("page_count")
        connection.set_progress_handler(tell, STEPS_A_CALL)
        rows = connection.execute(f"PRAGMA {check}").fetchall()
    except (apsw.CorruptError, apsw.NotADBError, apsw.IOError) as error:
        return [str(error)]
    finally:
        connection.set_progress_handler(None)
    faults = [str(line) for (text,) in rows for line in str(text).splitlines()]
    return [] if faults == ["ok"] else faults


def sync_directory(folder: Path) -> None:
    """Bring the names in a directory to stable storage."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def megabytes(size: int) -> str:
    """Return a number of bytes as people say it.

    >>> megabytes(5_300_000_000), megabytes(20_480)
    ('5,300 MB', '1 MB')
    """
    return f"{max(1, round(size / 1e6)):,} MB"
