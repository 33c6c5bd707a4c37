"""Stops and returns: anomalies that silence tells, and the metrics that each of them has told.

Rows of kind 'stopped' and 'resumed' are not the analysis's: it never writes over them.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import apsw

from fluxd.store.places import LATEST

Kind: TypeAlias = Literal["stopped", "resumed"]

# Both are facts, not estimates.
SCORE = 1.0

_LISTENING = "listening"


@dataclass(frozen=True, slots=True)
class Notice:
    """An anomaly of kind stopped or resumed; `value` is the metric's last one."""

    series: int
    kind: Kind
    started: int
    ended: int | None
    value: float
    explanation: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A stop that some metrics are still silent of, as it is stored; `ended` None while open."""

    id: int
    series: int
    started: int
    ended: int | None
    evidence: dict[str, Any]


def add_notice(connection: apsw.Connection, notice: Notice) -> int:
    """Store a new anomaly and return its id."""
    connection.execute(
        "INSERT INTO stretches (series, started, ended, peak, value, expected, lower, upper, score,"
        " direction, kind, explanation, evidence, history, severity)"
        " VALUES (?1, ?2, ?3, ?2, ?4, ?4, ?4, ?4, ?5, ?6, ?7, ?8, ?9, 0, 'normal')",
        (
            notice.series,
            notice.started,
            notice.ended,
            notice.value,
            SCORE,
            "down" if notice.kind == "stopped" else "up",
            notice.kind,
            notice.explanation,
            json.dumps(notice.evidence),
        ),
    )
    return connection.last_insert_rowid()


def change_stop(
    connection: apsw.Connection,
    event: int,
    *,
    series: int,
    ended: int | None,
    explanation: str,
    evidence: Mapping[str, Any],
) -> None:
    """Store what became of a stop; one that was deleted with its metric stays away."""
    connection.execute(
        "UPDATE stretches SET series = ?2, ended = ?3, explanation = ?4, evidence = ?5"
        " WHERE id = ?1",
        (event, series, ended, explanation, json.dumps(evidence)),
    )


def add_silences(connection: apsw.Connection, event: int, marks: Iterable[tuple[int, int]]) -> None:
    """Note for (series, last timestamp) that a stop has told their silence."""
    connection.executemany(
        "INSERT OR REPLACE INTO silences (series, event, mark) VALUES (?1, ?2, ?3)",
        [(series, event, mark) for series, mark in marks],
    )


def end_silences(connection: apsw.Connection, ids: Collection[int]) -> None:
    """Note that series are back, or gone for good."""
    connection.execute(
        "DELETE FROM silences WHERE series IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )


def read_silences(reader: apsw.Connection) -> list[tuple[int, int, int]]:
    """Return (series, event, last timestamp) of the metrics whose silence is told."""
    rows: list[Any] = reader.execute("SELECT series, event, mark FROM silences").fetchall()
    return rows


def read_stops(reader: apsw.Connection) -> list[Told]:
    """Return the stops that have metrics which are still silent."""
    rows: list[Any] = reader.execute(
        "SELECT id, series, started, ended, evidence FROM stretches"
        " WHERE id IN (SELECT event FROM silences) ORDER BY id"
    ).fetchall()
    return [
        Told(number, series, started, ended, json.loads(evidence))
        for number, series, started, ended, evidence in rows
    ]


def muted_among(reader: apsw.Connection, ids: Collection[int]) -> set[int]:
    """Return those series that are muted."""
    rows: list[Any] = reader.execute(
        "SELECT id FROM series WHERE id IN (SELECT value FROM json_each(?)) AND muted",
        (json.dumps(list(ids)),),
    ).fetchall()
    return {row[0] for row in rows}


def key_names(reader: apsw.Connection, keys: Collection[int]) -> dict[int, str]:
    """Return the names of keys, the revoked ones too."""
    rows: list[Any] = reader.execute(
        "SELECT id, name FROM keys WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(keys)),),
    ).fetchall()
    return dict(rows)


# ---- arrivals


def write_arrival_times(connection: apsw.Connection, index: int, body: bytes) -> None:
    """Store when the datapoints of a slice of series came, in place of what was known earlier."""
    connection.execute("INSERT OR REPLACE INTO arrivals (slice, body) VALUES (?, ?)", (index, body))


def read_arrival_times(reader: apsw.Connection) -> list[tuple[int, bytes]]:
    """Return (slice, body) of all slices."""
    rows: list[Any] = reader.execute("SELECT slice, body FROM arrivals").fetchall()
    return rows


def write_missed(connection: apsw.Connection, spans: Iterable[tuple[int, int]]) -> None:
    """Store the times (from, until) in which nothing could be received."""
    connection.execute(
        "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
        (_LISTENING, json.dumps(list(spans))),
    )


def read_missed(reader: apsw.Connection) -> list[tuple[int, int]]:
    """Return the times in which nothing could be received."""
    row: Any = reader.execute("SELECT value FROM meta WHERE name = ?", (_LISTENING,)).fetchone()
    spans = json.loads(row[0]) if row else []
    return [(max(0, since), min(until, LATEST)) for since, until in spans]
