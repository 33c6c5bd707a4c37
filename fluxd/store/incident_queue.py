"""The queue of anomalies that are new or changed, and what their grouping asks the store."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apsw

from fluxd.core.incidents.grouping import KIN_S, SPREAD_S
from fluxd.core.incidents.lifecycle import REOPEN_S

# What was over for longer when it was found is history: it is shown, and never sent.
STALE_S = 7_200

# Metrics of an incident that are looked for when it is asked what went together before, and the
# least times that they did.
COMPARED, LEAST_TOGETHER = 20, 2

# An incident of more anomalies than this says little of which metrics go together.
TELLING_SIZE = 50


# Whether an anomaly tells that most metrics of a host, or of a sender, have stopped.
DOWN = (
    "CASE kind WHEN 'stopped' THEN 2 * json_extract(evidence, '$.metrics')"
    " > coalesce(json_extract(evidence, '$.of'), json_extract(evidence, '$.metrics')) ELSE 0 END"
)


@dataclass(frozen=True, slots=True)
class Found:
    """An anomaly that is new or was changed; `incident` None where it has none yet.

    `started` is when its part in its incident began. `went_on`: it looks for one anew, since it
    went on then; `over` is when it was over before, None where it was not.
    `names` are the metrics that it tells of: those of a stop, else its own. `muted`: its metric is.
    `silent` is why it was not sent so far, if that is so. `down`: a host, or a sender, has stopped.
    """

    anomaly: int
    series: int
    metric: str
    key: int
    sender: str
    started: int
    ended: int | None
    history: bool
    muted: bool
    incident: int | None
    silent: str | None
    went_on: bool
    over: int | None
    down: bool
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """An incident as grouping sees it; times in Unix s, `ended` None while it lasts."""

    id: int
    first: int
    last: int
    ended: int | None
    history: bool


@dataclass(frozen=True, slots=True)
class Queued:
    """An anomaly to be looked at; `went_on` is when it began anew (Unix s), None if it did not.

    `over` is when it was over before that, None where it was not, and `history`: it was that.
    """

    anomaly: int
    went_on: int | None = None
    over: int | None = None
    history: bool = False


def read_queue(reader: apsw.Connection, limit: int) -> tuple[int, list[Queued]]:
    """Return the anomalies to be looked at, each once, and up to which number that is the queue."""
    rows: list[Any] = reader.execute(
        "SELECT seq, anomaly, went_on, over, history FROM incident_queue ORDER BY seq LIMIT ?",
        (limit,),
    ).fetchall()
    found: dict[int, Queued] = {}
    for _, anomaly, went_on, over, history in rows:
        before = found.get(anomaly)
        if before is None or before.went_on is None:
            found[anomaly] = Queued(anomaly, went_on, over, bool(history))
        elif went_on is not None:  # once more: what it was when it was last looked at counts
            found[anomaly] = replace(before, went_on=went_on)
    return (rows[-1][0] if rows else 0), list(found.values())


def read_found(reader: apsw.Connection, queued: Collection[Queued]) -> list[Found]:
    """Return the anomalies themselves, those that are gone left out, the first to begin first.

    One that has no incident yet is placed by its own beginning, be it that it goes on: but for what
    was over when it was found, which nobody was told.
    """
    rows: list[Any] = reader.execute(
        "WITH wanted AS (SELECT json_extract(value, '$[0]') AS id,"
        "   json_extract(value, '$[1]') AS went_on, json_extract(value, '$[2]') AS over,"
        "   json_extract(value, '$[3]') AS was_history FROM json_each(?1)),"
        " found AS (SELECT wanted.*, incident, silent, since,"
        "   wanted.went_on IS NOT NULL"
        "     AND (incident IS NOT NULL OR (was_history AND over IS NOT NULL)) AS anew"
        "   FROM wanted LEFT JOIN incident_members ON anomaly = wanted.id AND until IS NULL)"
        " SELECT stretches.id, stretches.series, series.name, series.key, keys.name,"
        " iif(anew, found.went_on, coalesce(since, started)) AS began, ended, history,"
        f" series.muted, incident, silent, anew, over, {DOWN},"
        " CASE kind WHEN 'stopped' THEN json_extract(evidence, '$.members') END"
        " FROM found JOIN stretches ON stretches.id = found.id"
        " JOIN series ON series.id = stretches.series JOIN keys ON keys.id = series.key"
        " WHERE series.deleted IS NULL ORDER BY began, stretches.id",
        (json.dumps([(one.anomaly, one.went_on, one.over, one.history) for one in queued]),),
    ).fetchall()
    return [Found(*[*row[:-1], names_of(row[-1], row[2])]) for row in rows]


def read_near(
    reader: apsw.Connection, since: int, until: int, series: Collection[int]
) -> list[Row]:
    """Return the incidents that anomalies of these series which began in [since, until] may join.

    That is by their beginnings, or because the series are in them and they last or lately did.
    """
    rows: list[Any] = reader.execute(
        "SELECT id, first, last, ended, history FROM incident_rows"
        " WHERE last BETWEEN ?1 - ?4 AND ?2 + ?4 + ?5"
        " UNION SELECT incident_rows.id, first, last, ended, history FROM ("
        "   SELECT DISTINCT incident FROM json_each(?3) AS wanted CROSS JOIN incident_members"
        "   INDEXED BY incident_members_by_series ON incident_members.series = wanted.value)"
        " JOIN incident_rows ON incident_rows.id = incident"
        " WHERE ended IS NULL OR ended >= ?1 - ?6",
        (since, until, json.dumps(list(series)), KIN_S, SPREAD_S, REOPEN_S),
    ).fetchall()
    return [Row(*row) for row in rows]


def read_series_of(
    reader: apsw.Connection, incident: int, wanted: Collection[int], *, limit: int
) -> list[int]:
    """Return series that an incident has anomalies of: its first ones, and those of `wanted`."""
    rows: list[Any] = reader.execute(
        "SELECT series FROM (SELECT series FROM incident_members WHERE incident = ?1"
        "   ORDER BY anomaly LIMIT ?3)"
        " UNION SELECT series FROM json_each(?2) AS wanted CROSS JOIN incident_members"
        "   INDEXED BY incident_members_by_series ON series = wanted.value AND incident = ?1",
        (incident, json.dumps(list(wanted)), limit),
    ).fetchall()
    return [row[0] for row in rows]


def count_since(reader: apsw.Connection, since: int, until: int) -> int:
    """Return how many incidents began in [since, until] (Unix s)."""
    row: Any = reader.execute(
        "SELECT count(*) FROM incident_rows WHERE started BETWEEN ? AND ?", (since, until)
    ).fetchone()
    return int(row[0])


def went_together(reader: apsw.Connection, series: int, others: Sequence[int]) -> bool:
    """Whether a series was in most of its incidents together with one of some others."""
    counts: Any = reader.execute(
        "WITH mine AS (SELECT DISTINCT incident FROM incident_members WHERE series = ?1)"
        " SELECT count(*), count(*) FILTER (WHERE EXISTS ("
        "   SELECT 1 FROM incident_members AS other JOIN json_each(?2) AS wanted"
        "   ON other.series = wanted.value WHERE other.incident = mine.incident))"
        " FROM mine JOIN incident_rows ON incident_rows.id = mine.incident WHERE anomalies <= ?3",
        (series, json.dumps(list(others[:COMPARED])), TELLING_SIZE),
    ).fetchone()
    of, together = int(counts[0]), int(counts[1])
    return together >= LEAST_TOGETHER and 2 * together >= of


def names_of(listed: str | None, metric: str) -> tuple[str, ...]:
    """Return the metrics that an anomaly tells of: those that a stop lists, else its own."""
    return tuple(json.loads(listed)) if listed else (metric,)
