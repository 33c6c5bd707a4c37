"""Anomalies: written by the analysis as often as one changes, read by page and by id."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.core.anomalies import Anomaly

_MEMBERS = (
    "id, metric, started, ended, peak, value, expected, lower, upper, score, direction, kind,"
    " explanation"
)


@dataclass(frozen=True, slots=True)
class StoredAnomaly:
    """A row of the view `anomalies`: times in Unix seconds, `ended` None while it lasts."""

    id: int
    metric: str
    started: int
    ended: int | None
    peak: int
    value: float
    expected: float
    lower: float
    upper: float
    score: float
    direction: str
    kind: str
    explanation: str


def write_anomalies(connection: apsw.Connection, anomalies: Iterable[Anomaly]) -> None:
    """Store each anomaly, in place of an earlier form of the same (metric, started)."""
    connection.executemany(
        "INSERT INTO stretches (series, started, ended, peak, value, expected, lower, upper, score,"
        " direction, kind, explanation, evidence, history)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (series, started) DO UPDATE SET ended = excluded.ended, peak = excluded.peak,"
        " value = excluded.value, expected = excluded.expected, lower = excluded.lower,"
        " upper = excluded.upper, score = excluded.score, direction = excluded.direction,"
        " kind = excluded.kind, explanation = excluded.explanation, evidence = excluded.evidence,"
        " history = excluded.history",
        [
            (
                found.slot,
                found.started,
                found.ended,
                found.peak,
                found.value,
                found.expected,
                found.lower,
                found.upper,
                found.score,
                found.direction,
                found.kind,
                found.explanation,
                json.dumps(found.evidence),
                int(found.history),
            )
            for found in anomalies
        ],
    )


def page_anomalies(
    reader: apsw.Connection,
    *,
    metric: str | None = None,
    since: int | None = None,
    until: int | None = None,
    min_score: float | None = None,
    limit: int = 100,
    cursor: int | None = None,
) -> tuple[list[StoredAnomaly], int | None]:
    """Return the anomalies that overlap [since, until], the newest id first, and the next cursor.

    `cursor` is the id after which the page begins.
    """
    conditions = {
        "metric = ?": metric,
        "(ended IS NULL OR ended >= ?)": since,
        "started <= ?": until,
        "score >= ?": min_score,
        "id < ?": cursor,
    }
    used = {text: value for text, value in conditions.items() if value is not None}
    where = f" WHERE {' AND '.join(used)}" if used else ""
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} FROM anomalies{where} ORDER BY id DESC LIMIT ?",
        (*used.values(), limit + 1),
    ).fetchall()
    page = [StoredAnomaly(*row) for row in rows[:limit]]
    return page, page[-1].id if len(rows) > limit else None


def get_anomaly(reader: apsw.Connection, anomaly_id: int) -> StoredAnomaly | None:
    """Return one anomaly, or None."""
    row = reader.execute(f"SELECT {_MEMBERS} FROM anomalies WHERE id = ?", (anomaly_id,)).fetchone()
    return StoredAnomaly(*row) if row else None


def get_evidence(reader: apsw.Connection, anomaly_id: int) -> dict[str, Any] | None:
    """Return the numbers behind an anomaly's sentence, or None where there is no such anomaly."""
    row = reader.execute("SELECT evidence FROM stretches WHERE id = ?", (anomaly_id,)).fetchone()
    return dict(json.loads(row[0])) if row else None
