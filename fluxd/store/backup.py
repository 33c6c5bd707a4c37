"""Backups: a store's copy that was checked, and what there is to say about one."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import apsw

from fluxd.core.errors import StoreError
from fluxd.store.connection import open_reader
from fluxd.store.copying import (
    Partial,
    Progress,
    nothing_shown,
    open_immutable,
)
from fluxd.store.migrate import refuse_newer, schema_of, written_by

# Tables that every schema so far has.
_TABLES = ("meta", "keys", "series", "summaries", "states")

_IMPORTS_SINCE = 2  # the schema


@dataclass(frozen=True, slots=True)
class Contents:
    """What a store holds.

    `datapoints` were analysed or imported, from `first` to `last` (s; None where there are none, or
    where some were imported that are not learnt yet). The copy was made at `backed_up` (s), None
    for a store that no backup made.
    """

    schema: int
    written_by: str
    metrics: int
    datapoints: int
    first: int | None
    last: int | None
    backed_up: int | None


def back_up(source: apsw.Connection, partial: Partial, progress: Progress = nothing_shown) -> None:
    """Copy what `source` sees, which is in a read transaction; others may write meanwhile."""
    source.execute("SELECT 1 FROM sqlite_schema").fetchall()  # what it sees is settled here
    partial.ensure_space(source, "the backup")
    partial.fill(source, progress)


def finish(partial: Partial, *, now: int, progress: Progress = nothing_shown) -> Contents:
    """Check the copy, stamp it with `now` (s) and give it its name; return what it holds.

    Raises StoreError where the copy is damaged, because the store is: then there is no backup.
    """
    try:
        partial.verify("quick_check", progress)
    except StoreError as error:
        raise StoreError(
            f"the store is damaged, and so would be its backup ({error}): see `fluxd check`; "
            "`fluxd restore` puts an earlier backup in place"
        ) from error
    with partial.edit() as copy:
        copy.execute(
            "INSERT INTO meta VALUES ('backed_up', ?1)"
            " ON CONFLICT DO UPDATE SET value = excluded.value",
            (str(now),),
        )
        contents = read_contents(copy)
    partial.publish()
    return contents


@contextlib.contextmanager
def open_backup(path: Path) -> Iterator[apsw.Connection]:
    """Lend a connection to a store that is to be restored, in a read transaction.

    Every file that it needs is open when it is lent. Raises StoreError for what is no store, or one
    that a newer fluxd has written.
    """
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(contextlib.closing(_open(path)))
            connection.execute("BEGIN")
            _refuse_others(connection, path)
            refuse_newer(connection, path)
        except OSError as error:
            raise StoreError(f"{path} can't be read: {error.strerror}") from error
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise StoreError(f"{path} is no store of fluxd's, or damaged ({error})") from error
        except apsw.Error as error:
            raise StoreError(f"{path} can't be read: {error}") from error
        yield connection


def _open(path: Path) -> apsw.Connection:
    if not path.is_file():
        raise StoreError(f"there is no file {path}")
    # A log beside it belongs to it, and perhaps to a daemon. Without one the file is all there is,
    # and is read without anything being created beside it.
    has_log = path.with_name(f"{path.name}-wal").exists()
    return open_reader(path) if has_log else open_immutable(path)


def _refuse_others(connection: apsw.Connection, path: Path) -> None:
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if not names.issuperset(_TABLES) or not schema_of(connection):
        raise StoreError(f"{path} is no store of fluxd's: name a file that `fluxd backup` made")


def read_contents(reader: apsw.Connection) -> Contents:
    """Return what a store holds, of whatever schema."""
    stamp = reader.execute("SELECT value FROM meta WHERE name = 'backed_up'").fetchone()
    metrics, datapoints, first, last = cast(
        "tuple[int, int, int | None, int | None]",
        reader.execute(
            "SELECT count(*), coalesce(sum(datapoints), 0), min(first), max(last) FROM metrics"
        ).fetchone(),
    )
    imported = _imported(reader)
    if imported:
        datapoints, first, last = datapoints + imported, None, None
    backed_up = int(stamp[0]) if stamp else None
    return Contents(
        schema_of(reader), written_by(reader), metrics, datapoints, first, last, backed_up
    )


def _imported(reader: apsw.Connection) -> int:
    """Return how many datapoints were imported and are not learnt yet, so in no metric's count."""
    if schema_of(reader) < _IMPORTS_SINCE:
        return 0
    row = reader.execute(
        "SELECT coalesce(sum(added), 0) FROM rebuilds JOIN series ON series.id = rebuilds.series"
        " WHERE series.deleted IS NULL"
    ).fetchone()
    return int(cast("tuple[int]", row)[0])
