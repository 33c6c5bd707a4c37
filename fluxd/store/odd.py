"""Anomalies as the pages ask for them: by time, in company, and the like of one."""

import json
from collections.abc import Collection, Iterable
from typing import Any

import apsw

from fluxd.core.hush import HISTORY
from fluxd.store.anomalies import StoredAnomaly
from fluxd.store.places import DAY_S

_MEMBERS = (
    "stretches.id, series.name, started, ended, peak, value, expected, lower, upper, score,"
    " direction, kind, explanation, severity"
)
_FROM = "FROM stretches JOIN series ON series.id = stretches.series"

# An anomaly that began longer before is no company, however long it lasts.
LONGEST_S = DAY_S


def read_odd(reader: apsw.Connection, *, since: int, limit: int) -> list[StoredAnomaly]:
    """Return what is anomalous or was since `since` (s), at most `limit`.

    What lasts comes first, then the highest scores.
    """
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} {_FROM}"
        " WHERE (ended IS NULL OR ended >= ?) AND series.deleted IS NULL"
        " ORDER BY ended IS NOT NULL, score DESC LIMIT ?",
        (since, limit),
    ).fetchall()
    return [StoredAnomaly(*row) for row in rows]


def last_end(reader: apsw.Connection) -> int | None:
    """Return when the last anomaly that is over was over (Unix s), None if none ever was."""
    row: Any = reader.execute("SELECT max(ended) FROM stretches").fetchone()
    return None if row[0] is None else int(row[0])


def read_of_metric(reader: apsw.Connection, series: int, *, limit: int) -> list[StoredAnomaly]:
    """Return the latest anomalies of a series, the latest first."""
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} {_FROM} WHERE series = ? ORDER BY started DESC LIMIT ?",
        (series, limit),
    ).fetchall()
    return [StoredAnomaly(*row) for row in rows]


def read_like(
    reader: apsw.Connection, found: StoredAnomaly, *, limit: int
) -> tuple[list[StoredAnomaly], int]:
    """Return earlier ones of the same metric, kind and direction, the latest first, and how many.

    Of those that there are at most `limit` are returned, all are counted.
    """
    condition = (
        "FROM stretches JOIN series ON series.id = stretches.series WHERE"
        " series = (SELECT series FROM stretches WHERE id = ?1)"
        " AND started < ?2 AND kind = ?3 AND direction = ?4"
    )
    given = (found.id, found.started, found.kind, found.direction)
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} {condition} ORDER BY started DESC LIMIT ?5", (*given, limit)
    ).fetchall()
    (count,) = reader.execute(f"SELECT count(*) {condition}", given).fetchone() or (0,)
    return [StoredAnomaly(*row) for row in rows], int(count)


def read_company(
    reader: apsw.Connection, found: StoredAnomaly, *, within_s: int, limit: int
) -> list[StoredAnomaly]:
    """Return the others that were there while this one was or `within_s` before or after.

    The nearest beginning comes first.
    """
    since = found.started - within_s
    until = (found.started if found.ended is None else found.ended) + within_s
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} {_FROM} WHERE started BETWEEN ?1 AND ?2"
        " AND (ended IS NULL OR ended >= ?3) AND stretches.id != ?4 AND series.deleted IS NULL"
        " ORDER BY abs(started - ?5), score DESC LIMIT ?6",
        (since - LONGEST_S, until, since, found.id, found.started, limit),
    ).fetchall()
    return [StoredAnomaly(*row) for row in rows]


def read_alone(reader: apsw.Connection, *, since: int, limit: int) -> list[StoredAnomaly]:
    """Return what `read_odd` does of what has no incident: for a moment, until it is grouped."""
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} {_FROM} JOIN incident_queue ON incident_queue.anomaly = stretches.id"
        " WHERE (ended IS NULL OR ended >= ?) AND series.deleted IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM incident_members WHERE anomaly = stretches.id)"
        " GROUP BY stretches.id ORDER BY ended IS NOT NULL, score DESC LIMIT ?",
        (since, limit),
    ).fetchall()
    return [StoredAnomaly(*row) for row in rows]


def count_odd(reader: apsw.Connection, incidents: Collection[int]) -> int:
    """Return how many metrics of some incidents are odd or silent now, each once.

    What nobody wants to hear of is not counted, nor are those of a stop that are back or gone.
    """
    row: Any = reader.execute(
        "WITH lasting AS MATERIALIZED (SELECT DISTINCT stretches.id,"
        "   stretches.series AS slot, kind, evidence"
        "   FROM json_each(?1) AS wanted JOIN incident_members ON incident = wanted.value"
        "   JOIN stretches ON stretches.id = anomaly"
        "   WHERE until IS NULL AND ended IS NULL AND kind != 'resumed'"
        "   AND (incident_members.silent IS NULL OR incident_members.silent = ?2)),"
        " stops AS (SELECT * FROM lasting WHERE kind = 'stopped'),"
        " stopped AS (SELECT members.value AS name"
        "   FROM stops, json_each(evidence, '$.members') AS members)"
        " SELECT (SELECT count(DISTINCT slot) FROM lasting JOIN series ON series.id = slot"
        "   WHERE kind != 'stopped' AND deleted IS NULL AND name NOT IN (SELECT name FROM stopped))"
        " + (SELECT coalesce(sum(json_extract(evidence, '$.metrics')"
        "     - coalesce(json_extract(evidence, '$.back'), 0)"
        "     - coalesce(json_extract(evidence, '$.gone'), 0)), 0) FROM stops)",
        (json.dumps(list(incidents)), HISTORY),
    ).fetchone()
    return int(row[0])


def read_reasons(reader: apsw.Connection, anomalies: Iterable[int]) -> dict[int, str]:
    """Return why anomalies were not sent, of those that were not, by their ids."""
    rows: list[Any] = reader.execute(
        "SELECT anomaly, silent FROM json_each(?) AS wanted"
        " JOIN incident_members ON anomaly = wanted.value"
        " WHERE silent IS NOT NULL AND until IS NULL",
        (json.dumps(list(anomalies)),),
    ).fetchall()
    return dict(rows)
