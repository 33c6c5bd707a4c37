"""What a sender is told when SQLite fails: the reason and its mend, once in the log too."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import apsw

from fluxd.core.errors import StoreError, UnavailableError

log = logging.getLogger(__name__)

_HELD = "another process holds the store's write lock: end its transaction"
_DAMAGED = "the store is damaged: restore a backup"

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (apsw.FullError, "the disk is full: free some space, then datapoints are accepted again"),
    (apsw.ReadOnlyError, "the store is read-only: make the data directory writable for the daemon"),
    (apsw.BusyError, _HELD),
    (apsw.LockedError, _HELD),
    (apsw.CorruptError, _DAMAGED),
    (apsw.NotADBError, _DAMAGED),
    (apsw.IOError, "the disk failed: see the daemon's log"),
    (apsw.CantOpenError, "the store's files can't be opened: check the data directory"),
)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises into a StoreError that a person can act on."""
    try:
        yield
    except (apsw.SQLError, apsw.NotADBError) as error:
        raise StoreError(f"{path} is no store of fluxd's ({error})") from error
    except apsw.Error as error:
        reason = next((text for kind, text in _REASONS if isinstance(error, kind)), str(error))
        raise StoreError(f"{path}: {reason}") from error


class FaultLog:
    """The store's present fault, logged when it begins and when it ends."""

    def __init__(self) -> None:
        self.present: str | None = None
        self.count = 0

    def translate(self, error: Exception) -> UnavailableError:
        """Return what the waiting caller is told of `error`."""
        if isinstance(error, UnavailableError):
            return error
        reason = next((text for kind, text in _REASONS if isinstance(error, kind)), None)
        if reason is None:
            reason = "the store failed: see the daemon's log"
        self.count += 1
        if self.present != reason:
            log.error("store: %s (%s: %s)", reason, type(error).__name__, error)
        self.present = reason
        return UnavailableError(reason)

    def clear(self) -> None:
        """Note that a transaction succeeded."""
        if self.present is not None:
            log.info("store: works again")
            self.present = None
