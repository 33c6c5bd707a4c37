"""Anomalies: written by the analysis as often as one changes, read by page and by id."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.core.anomalies import Anomaly
from fluxd.core.excerpt import Columns, join_columns

_MEMBERS = (
    "id, metric, started, ended, peak, value, expected, lower, upper, score, direction, kind,"
    " explanation, severity"
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
    severity: str


def write_anomalies(connection: apsw.Connection, anomalies: Iterable[Anomaly]) -> None:
    """Store each anomaly, in place of an earlier form of the same (metric, started)."""
    connection.executemany(
        "INSERT INTO stretches (series, started, ended, peak, value, expected, lower, upper, score,"
        " direction, kind, explanation, evidence, history, severity, went_on)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (series, started) WHERE kind NOT IN ('stopped', 'resumed')"
        " DO UPDATE SET ended = excluded.ended, peak = excluded.peak,"
        " value = excluded.value, expected = excluded.expected, lower = excluded.lower,"
        " upper = excluded.upper, score = excluded.score, direction = excluded.direction,"
        " kind = excluded.kind, explanation = excluded.explanation, evidence = excluded.evidence,"
        " history = excluded.history, severity = excluded.severity, went_on = excluded.went_on",
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
                json.dumps(found.evidence, separators=(",", ":")),
                int(found.history),
                found.severity,
                found.went_on,
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
    severity: str | None = None,
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
        "severity = ?": severity,
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
    """Return what is kept with an anomaly, or None where there is no such anomaly.

    The numbers behind its sentence, and `datapoints`: columns of one length with what was before
    it, its own and what followed at once.
    """
    row: Any = reader.execute(
        "SELECT evidence, before FROM stretches WHERE id = ?", (anomaly_id,)
    ).fetchone()
    if row is None:
        return None
    evidence = dict(json.loads(row[0]))
    before = json.loads(row[1]) if row[1] else None
    if before or "datapoints" in evidence:
        evidence["datapoints"] = join_columns(before or None, evidence.get("datapoints"))
    return evidence


# ---- the datapoints before it


@dataclass(frozen=True, slots=True)
class Bare:
    """An anomaly that has not got the datapoints before it."""

    id: int
    series: int
    started: int
    interval: float | None  # s, None where it is not known
    first: int  # timestamp of the first datapoint that came with it
    rate: bool  # its numbers are of a counter's rate


def read_bare(reader: apsw.Connection, limit: int) -> list[Bare]:
    """Return anomalies that lack the datapoints before them, the first found first."""
    rows: list[Any] = reader.execute(
        "SELECT id, series, started, json_extract(evidence, '$.interval'),"
        " coalesce(json_extract(evidence, '$.datapoints.timestamps[0]'), started),"
        " coalesce(json_extract(evidence, '$.rate'), 0) FROM stretches"
        " WHERE before IS NULL ORDER BY id LIMIT ?",
        (limit,),
    ).fetchall()
    return [
        Bare(number, series, started, interval, first, rate=bool(rate))
        for number, series, started, interval, first, rate in rows
    ]


def write_before(connection: apsw.Connection, found: Iterable[tuple[int, Columns]]) -> None:
    """Store the datapoints before anomalies, by id, where there are none yet."""
    connection.executemany(
        "UPDATE stretches SET before = ?2 WHERE id = ?1 AND before IS NULL",
        [(one, json.dumps(columns, separators=(",", ":"))) for one, columns in found],
    )
