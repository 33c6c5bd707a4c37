"""The schema, as numbered SQL files; `PRAGMA user_version` is the last number applied."""

import contextlib
import logging
import os
from importlib import resources
from pathlib import Path

import apsw

import fluxd
from fluxd.core.errors import StoreError
from fluxd.store.connection import transaction
from fluxd.store.copying import Partial, open_immutable

log = logging.getLogger(__name__)


def migrations() -> dict[int, str]:
    """Return the SQL of each migration by its number."""
    folder = resources.files("fluxd.store") / "migrations"
    return {
        int(file.name.split("_")[0]): file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    }


def migrate(connection: apsw.Connection, path: Path) -> None:
    """Bring the schema up to date, each step in a transaction of its own.

    An older store is first copied to `<path>.before-<number>`. Raises StoreError for a store that
    a newer fluxd has written, and where there is no room for the copy or for the change.
    """
    steps = migrations()
    refuse_newer(connection, path)
    version, newest = schema_of(connection), max(steps)
    if 0 < version < newest:
        keep_copy(connection, path, path.with_name(f"{path.name}.before-{newest}"))
    for number in range(version + 1, newest + 1):
        try:
            _apply(connection, number, steps[number])
        except apsw.FullError as error:
            raise StoreError(
                f"the disk is full: bringing {path} to schema {number} needs up to twice its size "
                "for a while; free some space and start again, the store is as it was"
            ) from error


def _apply(connection: apsw.Connection, number: int, step: str) -> None:
    with transaction(connection):
        connection.execute(step).fetchall()  # a statement that returns a row would else be the last
        connection.pragma("user_version", number)
        connection.execute(
            "INSERT INTO meta VALUES ('written_by', ?1)"
            " ON CONFLICT DO UPDATE SET value = excluded.value",
            (fluxd.__version__,),
        )


def refuse_newer(connection: apsw.Connection, path: Path) -> None:
    """Raise StoreError where a newer fluxd has written the store, naming that version."""
    version, newest = schema_of(connection), max(migrations())
    if version > newest:
        raise StoreError(
            f"{path} has schema {version}, written by fluxd {written_by(connection)}; this is "
            f"fluxd {fluxd.__version__}, which knows schemas up to {newest}: "
            "install that version or a newer one"
        )


def refuse_older(connection: apsw.Connection, path: Path) -> None:
    """Raise StoreError where the daemon has yet to bring the schema up to date."""
    version, newest = schema_of(connection), max(migrations())
    if 0 < version < newest:
        raise StoreError(
            f"{path} has schema {version}, written by fluxd {written_by(connection)}: start this "
            f"fluxd's daemon once, which brings it to schema {newest}"
        )


def schema_of(connection: apsw.Connection) -> int:
    """Return the number of the last migration applied, 0 for an empty file."""
    return int(connection.pragma("user_version"))


def written_by(connection: apsw.Connection) -> str:
    """Return the version of fluxd that last changed the schema."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'written_by'").fetchone()
    except apsw.Error:
        row = None
    return str(row[0]) if row else "of an unknown version"


def keep_copy(connection: apsw.Connection, path: Path, target: Path) -> None:
    """Copy the store at `path` to `target`, in place of a copy of the same schema.

    That one is left alone if nobody has written the store since: a migration that fails at every
    start would else copy gigabytes at every start. A copy of an earlier schema may be what this
    store was before a migration that was cut short: it stays, and the new one gets a longer name.
    """
    schema, earlier = schema_of(connection), _schema_of_copy(target)
    if earlier is not None and earlier < schema:
        target = target.with_name(f"{target.name}-from-{schema}")
        earlier = _schema_of_copy(target)
    stamp = _last_write(path)
    if earlier is not None and target.stat().st_mtime_ns == stamp:
        return
    log.info("an older fluxd wrote %s: it is copied to %s before it is changed", path, target)
    with Partial(target) as partial, transaction(connection, "DEFERRED"):
        partial.ensure_space(connection, "a copy before the migration")
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
        partial.fill(connection)
        os.utime(partial.path, ns=(stamp, stamp))
        partial.publish(replace=True)


def _schema_of_copy(copy: Path) -> int | None:
    """Return the schema of a store's copy, None where there is none that can be read."""
    if not copy.exists():
        return None
    try:
        with contextlib.closing(open_immutable(copy)) as connection:
            return schema_of(connection)
    except apsw.Error:
        return None


def _last_write(path: Path) -> int:
    """Return when a store or its log was last written, in Unix ns."""
    log_file = path.with_name(f"{path.name}-wal")
    times = [path.stat().st_mtime_ns]
    with contextlib.suppress(FileNotFoundError):
        status = log_file.stat()
        times += [status.st_mtime_ns] if status.st_size else []
    return max(times)
