"""SQL on the store that can only read.

Three bars, as one of them may have a gap: the file is open for reading only, `query_only` is set,
and no other file can be attached, which `VACUUM INTO` would do too.
"""

import contextlib
import zlib
from collections.abc import Iterator
from typing import Any

import apsw

from fluxd.core.errors import StoreError

# Settings of the connection that would lift a bar, or hold a lock that the daemon needs.
_REFUSED = {"query_only", "journal_mode", "locking_mode", "writable_schema"}

# What SQLite does between two looks whether Ctrl-C was pressed: about 2 ms of work.
_STEPS_A_LOOK = 20_000

Row = tuple[Any, ...]


class Columns(tuple[str, ...]):
    """The names of a result's columns."""

    __slots__ = ()


def results(connection: apsw.Connection, sql: str) -> Iterator[tuple[str, ...] | Row]:
    """Run statements; yield of each that returns something its columns' names, then its rows.

    Names come as a `Columns`, even where there are no rows. Raises StoreError for what is no SQL
    or would write.
    """
    waiting: list[Columns] = []

    def begin(cursor: apsw.Cursor, _statement: str, _bindings: object) -> bool:
        with contextlib.suppress(apsw.ExecutionCompleteError):
            if columns := [name for name, *_ in cursor.get_description()]:
                waiting.append(Columns(columns))
        return True

    cursor = connection.cursor()
    cursor.exec_trace = begin
    restrict(connection)
    with _told():
        for row in cursor.execute(sql):
            yield from waiting
            waiting.clear()
            yield row
        yield from waiting


def restrict(connection: apsw.Connection) -> None:
    """Let a connection read the store and nothing else, and be interrupted by Ctrl-C."""

    def authorise(
        action: int, first: str | None, second: str | None, _database: str | None, _by: str | None
    ) -> int:
        if action == apsw.SQLITE_ATTACH and first not in ("", ":memory:"):
            return apsw.SQLITE_DENY
        if action == apsw.SQLITE_PRAGMA and second is not None and str(first).lower() in _REFUSED:
            return apsw.SQLITE_DENY
        return apsw.SQLITE_OK

    connection.authorizer = authorise
    # A key that interrupts is noticed in Python only.
    connection.set_progress_handler(lambda: False, _STEPS_A_LOOK)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (apsw.ReadOnlyError, apsw.AuthError) as error:
        raise StoreError(f"`fluxd sql` only reads: {error}") from error
    except (apsw.SQLError, apsw.MismatchError, apsw.TooBigError, apsw.BindingsError) as error:
        raise StoreError(str(error)) from error
    except zlib.error as error:
        raise StoreError(f"a damaged row ({error}): see `fluxd check`") from error
