"""Incidents as people read them: the view, one with its anomalies, and what a digest tells."""

from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.core.incidents.lifecycle import State
from fluxd.core.message import SEVERITIES, Severity
from fluxd.store.anomalies import StoredAnomaly

_MEMBERS = (
    "id, state, severity, started, ended, metrics, anomalies, first, leading, title, explanation,"
    " acknowledged, silent"
)
_ANOMALY = (
    "stretches.id, series.name, coalesce(since, stretches.started),"
    " coalesce(until, stretches.ended), peak, value, expected, lower,"
    " upper, score, direction, kind, stretches.explanation, stretches.severity"
)


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """A row of the view `incidents`: times in Unix s, `ended` None while it is not resolved.

    `first` is the metric that was odd first, `leading` the one that tells most; `silent` says why
    none of it is sent.
    """

    id: int
    state: State
    severity: Severity
    started: int
    ended: int | None
    metrics: int
    anomalies: int
    first: str | None
    leading: str | None
    title: str
    explanation: str
    acknowledged: int | None
    silent: str | None


@dataclass(frozen=True, slots=True)
class Membership:
    """An anomaly of an incident, and why it is not sent, None where it is."""

    anomaly: StoredAnomaly
    silent: str | None


def page_incidents(
    reader: apsw.Connection,
    *,
    state: State | None = None,
    since: int | None = None,
    until: int | None = None,
    least: Severity | None = None,
    metric: str | None = None,
    limit: int = 100,
    cursor: int | None = None,
) -> tuple[list[StoredIncident], int | None]:
    """Return the incidents that overlap [since, until], the newest id first, and the next cursor.

    `least` is the least severity, `metric` one that has an anomaly of it, `cursor` the id after
    which the page begins.
    """
    conditions: dict[str, Any] = {
        "state = ?": state,
        "(ended IS NULL OR ended >= ?)": since,
        "started <= ?": until,
        "id IN (SELECT incident FROM incident_members JOIN series ON series.id = series"
        " WHERE series.name = ?)": metric,
        "id < ?": cursor,
    }
    used = {text: value for text, value in conditions.items() if value is not None}
    texts = list(used)
    if least is not None:
        wanted = SEVERITIES[SEVERITIES.index(least) :]
        texts.append(f"severity IN ({', '.join(repr(one) for one in wanted)})")
    where = f" WHERE {' AND '.join(texts)}" if texts else ""
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} FROM incidents{where} ORDER BY id DESC LIMIT ?",
        (*used.values(), limit + 1),
    ).fetchall()
    page = [StoredIncident(*row) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit else None


def read_present(reader: apsw.Connection, *, since: int, limit: int) -> list[StoredIncident]:
    """Return what lasts or was over since `since` (Unix s): what lasts first, then the worst."""
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} FROM incidents WHERE ended IS NULL OR ended >= ?"
        " ORDER BY ended IS NOT NULL, silent IS NOT NULL,"
        " CASE severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'normal' THEN 2 ELSE 3 END,"
        " started DESC LIMIT ?",
        (since, limit),
    ).fetchall()
    return [StoredIncident(*row) for row in rows]


def get_incident(reader: apsw.Connection, number: int) -> StoredIncident | None:
    """Return one incident, or None."""
    row = reader.execute(f"SELECT {_MEMBERS} FROM incidents WHERE id = ?", (number,)).fetchone()
    return StoredIncident(*row) if row else None


def count_down(reader: apsw.Connection, number: int) -> int | None:
    """Return how many hosts, or senders, of an incident have stopped, None if not known."""
    row: Any = reader.execute("SELECT down FROM incident_rows WHERE id = ?", (number,)).fetchone()
    return None if row is None else row[0]


def incident_of(reader: apsw.Connection, anomaly: int) -> int | None:
    """Return the incident of an anomaly, None while it has none."""
    row: Any = reader.execute(
        "SELECT incident FROM incident_members WHERE anomaly = ? AND until IS NULL", (anomaly,)
    ).fetchone()
    return int(row[0]) if row else None


def read_memberships(reader: apsw.Connection, number: int, *, limit: int) -> list[Membership]:
    """Return the anomalies of an incident in the order in which they appeared."""
    rows: list[Any] = reader.execute(
        f"SELECT {_ANOMALY}, silent FROM incident_members"
        " JOIN stretches ON stretches.id = incident_members.anomaly"
        " JOIN series ON series.id = stretches.series"
        " WHERE incident = ? AND series.deleted IS NULL"
        " ORDER BY coalesce(since, stretches.started), stretches.id LIMIT ?",
        (number, limit),
    ).fetchall()
    return [Membership(StoredAnomaly(*row[:14]), row[14]) for row in rows]


def read_leading(reader: apsw.Connection, number: int, *, limit: int) -> list[StoredAnomaly]:
    """Return the anomalies of an incident that tell most: the leading one, then by score."""
    rows: list[Any] = reader.execute(
        f"SELECT {_ANOMALY} FROM incident_members"
        " JOIN incident_rows ON incident_rows.id = incident_members.incident"
        " JOIN stretches ON stretches.id = incident_members.anomaly"
        " JOIN series ON series.id = stretches.series"
        " WHERE incident = ? AND series.deleted IS NULL"
        " ORDER BY stretches.id != incident_rows.leading, stretches.severity = 'low', score DESC,"
        " stretches.id LIMIT ?",
        (number, limit),
    ).fetchall()
    return [StoredAnomaly(*row) for row in rows]


def read_found_between(
    reader: apsw.Connection, since: int, until: int, *, limit: int
) -> list[StoredIncident]:
    """Return the incidents found in [since, until) (Unix s), the first to begin first.

    A stop is found long after it began. What is all history is left out.
    """
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} FROM incidents WHERE id IN (SELECT id FROM incident_rows"
        "   WHERE found >= ? AND found < ? AND NOT history)"
        " ORDER BY started LIMIT ?",
        (since, until, limit),
    ).fetchall()
    return [StoredIncident(*row) for row in rows]
