"""The table of series: how they come, fall silent, are muted and deleted, and go.

    live      → retired   nothing raw is kept of it any more; see `fluxd.jobs.forgetting`
    retired   → live      somebody sends it again, or imports its history
    either    → deleted   `fluxd metric delete`: the name is free at once, the rows are purged later
    deleted   → gone      once nothing of it is left, and its id may be used again

Other processes than the daemon raise `series_version` with each change, and the daemon's catalog
follows it.
"""

import json
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.core.errors import NotFoundError
from fluxd.store.hushes import look_again
from fluxd.store.labels import anywhere, by_label
from fluxd.store.places import LATE_TABLE, RECENT_TABLES, SERIES_BITS, SERIES_MASK

Arrival = tuple[int, str, int, int]  # id, stored name, key id, time (Unix s)

IMPORT_KEY = "import"

# No sender's name has a "#": these are found by the index on names, and are in nobody's way.
_DELETED = "name >= '#' AND name < '$'"


def series_version(connection: apsw.Connection) -> str:
    """Return what differs once another process has created or deleted series."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'series_version'").fetchone()
    return str(row[0]) if row else ""


def raise_series_version(connection: apsw.Connection) -> None:
    """Have a running daemon notice that series were changed."""
    connection.execute(
        "INSERT INTO meta VALUES ('series_version', '1')"
        " ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1"
    )


def top_id(connection: apsw.Connection) -> int:
    """Return the largest id that a series has or had: another process takes the next one."""
    (top,) = connection.execute(
        "SELECT max(coalesce((SELECT max(id) FROM series), 0), coalesce("
        "(SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'top_series'), 0))"
    ).fetchone() or (0,)
    return int(top)


def deleted_ids(connection: apsw.Connection) -> set[int]:
    """Return the ids of the series that are deleted and not yet gone."""
    return {row[0] for row in connection.execute(f"SELECT id FROM series WHERE {_DELETED}")}


def find_series(connection: apsw.Connection, name: str) -> int | None:
    """Return the id of the series stored under `name`, live or retired."""
    row = connection.execute(
        "SELECT id FROM series WHERE name = ? AND deleted IS NULL", (name,)
    ).fetchone()
    return int(row[0]) if row else None


def get_series(connection: apsw.Connection, name: str) -> int:
    """Return the id of the series stored under `name`. Raises NotFoundError."""
    series = find_series(connection, name)
    if series is None:
        raise NotFoundError(f"there is no metric {name!r}: `fluxd metric list` shows them")
    return series


def sender_of(connection: apsw.Connection, series: int) -> str:
    """Return the name of the key that a series belongs to."""
    row = connection.execute(
        "SELECT keys.name FROM series JOIN keys ON keys.id = series.key WHERE series.id = ?",
        (series,),
    ).fetchone()
    return str(row[0]) if row else ""


def count_live(connection: apsw.Connection) -> int:
    """Return how many series are neither retired nor deleted."""
    (count,) = connection.execute(
        "SELECT count(*) FROM series WHERE retired IS NULL AND deleted IS NULL"
    ).fetchone() or (0,)
    return int(count)


# ---- live


def write_arrivals(connection: apsw.Connection, arrivals: Iterable[Arrival]) -> None:
    """Create series, or bring retired ones back, for the keys given."""
    connection.executemany(
        "INSERT INTO series (id, name, key, created) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET retired = NULL, key = excluded.key",
        arrivals,
    )


def create_series(connection: apsw.Connection, name: str, *, now: int) -> int:
    """Create a series for an import and return its id; no sender's quota is touched."""
    series = top_id(connection) + 1
    write_arrivals(connection, [(series, name, import_key(connection, now=now), now)])
    raise_series_version(connection)
    return series


def import_key(connection: apsw.Connection, *, now: int) -> int:
    """Return the id of the key that imported series belong to: one that nobody can send with."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'import_key'").fetchone()
    if row:
        return int(row[0])
    connection.execute(
        "INSERT INTO keys (name, secret, scope, created, revoked)"
        " VALUES (?1, ?2, 'ingest', ?3, ?3)",
        (IMPORT_KEY, secrets.token_urlsafe(24), now),
    )
    key = connection.last_insert_rowid()
    connection.execute("INSERT INTO meta VALUES ('import_key', ?)", (str(key),))
    return key


def mute_series(connection: apsw.Connection, name: str, *, muted: bool) -> bool:
    """Have a metric's anomalies notified no more, or again; return whether that is a change.

    Raises NotFoundError.
    """
    series = get_series(connection, name)
    connection.execute(
        "UPDATE series SET muted = ?1 WHERE id = ?2 AND muted IS NOT ?1", (int(muted), series)
    )
    changed = bool(connection.changes())
    look_again(connection)
    raise_series_version(connection)
    return changed


# ---- retired


def retire_series(connection: apsw.Connection, ids: Collection[int], *, now: int) -> None:
    """Mark series as retired: their datapoints are gone, their rollups and anomalies stay."""
    connection.executemany(
        "UPDATE series SET retired = ?2 WHERE id = ?1 AND retired IS NULL",
        [(series, now) for series in ids],
    )
    connection.executemany(
        "UPDATE summaries SET state = 'retired' WHERE series = ?", [(series,) for series in ids]
    )


def revive_series(connection: apsw.Connection, series: int, *, now: int) -> Arrival | None:
    """Bring a retired series back for an import; return it for the catalog, None if it is live."""
    row = connection.execute(
        "SELECT name FROM series WHERE id = ? AND retired IS NOT NULL", (series,)
    ).fetchone()
    if row is None:
        return None
    arrival = (series, str(row[0]), import_key(connection, now=now), now)
    write_arrivals(connection, [arrival])
    return arrival


def restore_series(connection: apsw.Connection, ids: Iterable[int]) -> list[Arrival]:
    """Bring retired series back for their own keys; return them for the catalog."""
    arrivals: list[Arrival] = []
    for series in ids:
        rows: list[Any] = connection.execute(
            "UPDATE series SET retired = NULL WHERE id = ? AND deleted IS NULL"
            " RETURNING id, name, key, created",
            (series,),
        ).fetchall()
        arrivals += rows
    return arrivals


def last_seen(connection: apsw.Connection, ids: Collection[int]) -> dict[int, int]:
    """Return when retired series were last seen (Unix s), or retired where that is not known."""
    rows: list[Any] = connection.execute(
        "SELECT id, coalesce(last, retired)"
        " FROM series LEFT JOIN summaries ON summaries.series = series.id"
        " WHERE id IN (SELECT value FROM json_each(?)) AND retired IS NOT NULL",
        (json.dumps(list(ids)),),
    ).fetchall()
    return dict(rows)


# ---- deleted


def delete_series(connection: apsw.Connection, name: str, *, now: int) -> None:
    """Mark a metric as deleted; its name is free at once. Raises NotFoundError."""
    delete_ids(connection, [get_series(connection, name)], now=now)


def delete_ids(connection: apsw.Connection, ids: Iterable[int], *, now: int) -> None:
    """Mark series as deleted, for every catalog to notice."""
    connection.executemany(
        "UPDATE series SET deleted = ?2, name = '#' || id WHERE id = ?1",
        [(series, now) for series in ids],
    )
    raise_series_version(connection)


def remove_series(connection: apsw.Connection, ids: Collection[int]) -> None:
    """Delete the rows of series of which nothing else is left."""
    top = top_id(connection)
    connection.executemany("DELETE FROM series WHERE id = ?", [(series,) for series in ids])
    if top_id(connection) < top:
        connection.execute(
            "INSERT INTO meta VALUES ('top_series', ?)"
            " ON CONFLICT DO UPDATE SET value = excluded.value",
            (str(top),),
        )


# ---- what is stored of a series, by table

# Tables whose key is a place, and those that have few rows a series.
_LABELLED = ("blocks", "day_rollups", "bands", *RECENT_TABLES)


@dataclass(slots=True)
class Purge:
    """How far the rows of some series are deleted: a table's number, and a label in it."""

    ids: list[int]
    table: int = 0
    label: int = 0

    def step(self, connection: apsw.Connection, more: Callable[[], bool]) -> bool:
        """Delete some rows, while `more()` says that there is time; return whether all are gone.

        In a transaction of the caller's. There are few distinct labels, so from one to the next
        two look-ups each lead to the rows.
        """
        ids = json.dumps(self.ids)
        while self.table < len(_LABELLED):
            table = _LABELLED[self.table]
            label = _next_label(connection, table, self.label)
            if label is None:
                self.table, self.label = self.table + 1, 0
                continue
            connection.execute(
                f"DELETE FROM {table} WHERE place IN"
                f" (SELECT (?1 << {SERIES_BITS}) + value FROM json_each(?2))",
                (label, ids),
            )
            self.label = label + 1
            if not more():
                return False
        _purge_others(connection, ids)
        return True


def _next_label(connection: apsw.Connection, table: str, label: int) -> int | None:
    (place,) = connection.execute(
        f"SELECT min(place) FROM {table} WHERE place >= ?", (label << SERIES_BITS,)
    ).fetchone() or (None,)
    return None if place is None else int(place) >> SERIES_BITS


def _purge_others(connection: apsw.Connection, ids: str) -> None:
    for table in ("stretches", "summaries", "rebuilds", "silences"):
        connection.execute(
            f"DELETE FROM {table} WHERE series IN (SELECT value FROM json_each(?))", (ids,)
        )
    # The values of an hour's overwritten datapoints: few, and gone with the next saved state.
    connection.execute(
        f"DELETE FROM overwritten WHERE place & {SERIES_MASK} IN (SELECT value FROM json_each(?))",
        (ids,),
    )


def has_raw(connection: apsw.Connection, series: int, *, silent: bool = False) -> bool:
    """Whether a datapoint is stored of a series.

    Of one that was `silent` for a day the tables of the hours, where it would take 20 ms to look,
    have none.
    """
    tables = ("blocks", LATE_TABLE) if silent else ("blocks", *RECENT_TABLES)
    return any(_has_label(connection, table, series) for table in tables)


def has_rollups(connection: apsw.Connection, series: int) -> bool:
    """Whether a rollup is stored of a series."""
    return _has_label(connection, "day_rollups", series)


def _has_label(connection: apsw.Connection, table: str, series: int) -> bool:
    query = f"{by_label(table, '1')} LIMIT 1"
    rows: list[Any] = connection.execute(query, anywhere(series)).fetchall()
    return bool(rows)
