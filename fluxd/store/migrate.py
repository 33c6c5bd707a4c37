"""The schema, as numbered SQL files; `PRAGMA user_version` is the last number applied."""

from importlib import resources
from pathlib import Path

import apsw

import fluxd
from fluxd.core.errors import StoreError
from fluxd.store.connection import transaction


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
    a newer fluxd has written.
    """
    steps = migrations()
    version = int(connection.pragma("user_version"))
    newest = max(steps)
    if version > newest:
        raise StoreError(
            f"{path} has schema {version}, written by fluxd {_written_by(connection)}; this is "
            f"fluxd {fluxd.__version__}, which knows schemas up to {newest}: "
            "install that version or a newer one"
        )
    if 0 < version < newest:
        _copy(connection, path.with_name(f"{path.name}.before-{newest}"))
    for number in range(version + 1, newest + 1):
        with transaction(connection):
            connection.execute(steps[number])
            connection.pragma("user_version", number)
            connection.execute(
                "INSERT INTO meta VALUES ('written_by', ?1)"
                " ON CONFLICT DO UPDATE SET value = excluded.value",
                (fluxd.__version__,),
            )


def _written_by(connection: apsw.Connection) -> str:
    try:
        row = connection.execute("SELECT value FROM meta WHERE name = 'written_by'").fetchone()
    except apsw.Error:
        row = None
    return str(row[0]) if row else "of an unknown version"


def _copy(connection: apsw.Connection, target: Path) -> None:
    with apsw.Connection(str(target)) as copy, copy.backup("main", connection, "main") as backup:
        while not backup.done:
            backup.step(1_000)
    copy.close()
