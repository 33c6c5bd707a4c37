"""The anomalies of an incident, as what is told of it needs them."""

from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.core.hush import HISTORY
from fluxd.core.incidents.members import Member
from fluxd.store.incident_queue import DOWN, names_of

# Anomalies that stand for an incident of more: so many that came first, and as many that came last.
# A flood of 100,000 changes twice a second, and the writer has datapoints to store.
MOST = 1_000


@dataclass(frozen=True, slots=True)
class Gathered:
    """Anomalies of an incident: all, or of very many those that came first and last.

    `reasons` says of each why it is not sent, None where it is. `anomalies` and `series` count all;
    `history`: all these are history; `left`: all went on in other incidents.
    """

    members: list[Member]
    reasons: dict[int, str | None]
    history: bool
    left: bool
    anomalies: int
    series: int

    @property
    def least(self) -> int | None:
        """How many metrics there are at the least, None where the members are all that there are.

        Those of a metric that was deleted just now are gone, and no others.
        """
        return self.series if self.anomalies > 2 * MOST else None

    @property
    def heard(self) -> set[str]:
        """The names of the metrics that nobody has silenced."""
        return {name for one in self.members if not one.silent for name in one.names}


def gather(reader: apsw.Connection, incident: int) -> Gathered:
    """Return the anomalies of an incident."""
    counts: Any = reader.execute(
        "SELECT count(*), count(DISTINCT series) FILTER (WHERE silent IS NULL)"
        " FROM incident_members WHERE incident = ?",
        (incident,),
    ).fetchone()
    rows: list[Any] = reader.execute(
        "WITH some AS (SELECT anomaly, silent, since, until FROM ("
        "    SELECT * FROM incident_members WHERE incident = ?1 ORDER BY anomaly LIMIT ?2)"
        "  UNION SELECT anomaly, silent, since, until FROM ("
        "    SELECT * FROM incident_members WHERE incident = ?1 ORDER BY anomaly DESC LIMIT ?2))"
        " SELECT stretches.id, stretches.series, series.name, coalesce(since, started),"
        # Of what went on elsewhere the score may be what it is there: here it leads no more.
        " coalesce(until, ended), iif(until IS NULL, score, 0.0), kind, direction, severity,"
        " CASE kind WHEN 'stopped' THEN json_extract(evidence, '$.metrics') END,"
        " CASE kind WHEN 'stopped' THEN json_extract(evidence, '$.members') END, silent,"
        f" iif(until IS NULL, history, silent = ?3), until IS NOT NULL, {DOWN}"
        " FROM some JOIN stretches ON stretches.id = some.anomaly"
        " JOIN series ON series.id = stretches.series WHERE series.deleted IS NULL",
        (incident, MOST, HISTORY),
    ).fetchall()
    members = [
        Member(
            *[
                *row[:8],
                row[8] == "low",
                row[9] or 1,
                bool(row[11]),
                names_of(row[10], row[2]),
                bool(row[14]),
            ]
        )
        for row in rows
    ]
    reasons = {row[0]: row[11] for row in rows}
    history, left = (all(row[column] for row in rows) for column in (12, 13))
    return Gathered(members, reasons, history, left, int(counts[0]), int(counts[1]))


def is_lasting(reader: apsw.Connection, incident: int, *, since: int) -> bool:
    """Whether an anomaly of an incident lasts that began, or went on, after `since` (Unix s)."""
    row: Any = reader.execute(
        "SELECT EXISTS (SELECT 1 FROM incident_members"
        " JOIN stretches ON stretches.id = incident_members.anomaly"
        " JOIN series ON series.id = stretches.series"
        " WHERE incident = ? AND until IS NULL AND ended IS NULL"
        " AND coalesce(went_on, started) > ? AND deleted IS NULL)",
        (incident, since),
    ).fetchone()
    return bool(row[0])


def lasting_since(reader: apsw.Connection, incident: int) -> int | None:
    """Return when what lasts of an incident began (Unix s), None where all is over or silent."""
    row: Any = reader.execute(
        "SELECT min(coalesce(since, started)) FROM incident_members"
        " JOIN stretches ON stretches.id = incident_members.anomaly"
        " WHERE incident = ? AND until IS NULL AND ended IS NULL AND silent IS NULL",
        (incident,),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def last_end(reader: apsw.Connection, incident: int) -> int | None:
    """Return when the last anomaly of an incident was over (Unix s), None where none is."""
    row: Any = reader.execute(
        "SELECT max(coalesce(until, ended)) FROM incident_members"
        " JOIN stretches ON stretches.id = incident_members.anomaly WHERE incident = ?",
        (incident,),
    ).fetchone()
    return None if row[0] is None else int(row[0])
