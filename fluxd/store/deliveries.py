"""What became of messages: of one incident, of each channel, and in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.store.outbox import Entry

# Channels that are told apart in a monitoring system's numbers.
MOST_CHANNELS = 100

# A try of it has failed, and it waits for another or is being tried again.
_RETRIED = "state IN ('waiting', 'sending') AND body IS NOT NULL AND answer IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Condition:
    """How a channel does that fails: since when (Unix s) all that was tried has, and why."""

    failing: int
    why: str


def read_names(reader: apsw.Connection) -> dict[int, str]:
    """Return the names of all channels by id; those that were deleted say so."""
    rows: list[Any] = reader.execute(
        "SELECT id, CASE WHEN deleted IS NULL THEN name"
        " ELSE substr(name, 1, length(name) - length(id) - 1) || ' (deleted)' END FROM channels"
    ).fetchall()
    return dict(rows)


def read_of_incident(reader: apsw.Connection, incident: int, *, limit: int) -> list[Entry]:
    """Return the messages of an incident, the first one first."""
    rows: list[Any] = reader.execute(
        "SELECT id, channel, incident, notice, key, state, severity, created, due, attempts,"
        " finished, answer, NULL FROM outbox WHERE incident = ? ORDER BY id LIMIT ?",
        (incident, limit),
    ).fetchall()
    return [Entry(*row) for row in rows]


def read_last(reader: apsw.Connection) -> dict[int, Entry]:
    """Return the last message that was tried of each channel, by the channel's id."""
    rows: list[Any] = reader.execute(
        "SELECT id, channel, incident, notice, key, state, severity, created, due, attempts,"
        " finished, answer, NULL FROM outbox WHERE id IN ("
        "  SELECT (SELECT id FROM outbox WHERE channel = channels.id AND attempts > 0"
        "   ORDER BY id DESC LIMIT 1) FROM channels WHERE deleted IS NULL)"
    ).fetchall()
    return {row[1]: Entry(*row) for row in rows}


def read_conditions(reader: apsw.Connection) -> dict[int, Condition]:
    """Return how each channel does that fails now, by its id."""
    rows: list[Any] = reader.execute(
        "WITH faults AS (SELECT id, channel, answer,"
        "  CASE state WHEN 'failed' THEN finished ELSE created END AS at FROM outbox"
        f" WHERE state = 'failed' OR ({_RETRIED})),"
        " good AS (SELECT channel, max(finished) AS at, max(id) AS id FROM outbox"
        "  WHERE state = 'sent' GROUP BY channel)"
        " SELECT faults.channel, min(faults.at), max(faults.id), answer FROM faults"
        " JOIN channels ON channels.id = faults.channel AND channels.deleted IS NULL"
        " LEFT JOIN good ON good.channel = faults.channel"
        " WHERE good.at IS NULL OR (faults.at, faults.id) > (good.at, good.id)"
        " GROUP BY faults.channel"
    ).fetchall()
    return {channel: Condition(failing, why) for channel, failing, _, why in rows}


def count_given_up(reader: apsw.Connection, since: int) -> dict[str, int]:
    """Return how many messages were given up since a time (Unix s), by the channel's name."""
    rows: list[Any] = reader.execute(
        "SELECT channels.name, count(*) FROM outbox JOIN channels ON channels.id = outbox.channel"
        " WHERE outbox.state = 'failed' AND notice != 'test' AND finished >= ?"
        " AND channels.deleted IS NULL GROUP BY channels.id ORDER BY channels.name",
        (since,),
    ).fetchall()
    return dict(rows)


def count_messages(reader: apsw.Connection) -> Mapping[tuple[str, str], int]:
    """Return how many messages there are by channel and state."""
    rows: list[Any] = reader.execute(
        "SELECT name, counted.state, messages FROM ("
        "  SELECT state, channel, count(*) AS messages FROM outbox GROUP BY state, channel"
        " ) AS counted JOIN ("
        "  SELECT id, name FROM channels WHERE deleted IS NULL ORDER BY id LIMIT ?"
        " ) AS told ON told.id = counted.channel ORDER BY name, counted.state",
        (MOST_CHANNELS,),
    ).fetchall()
    return {(name, state): count for name, state, count in rows}


def count_incidents(reader: apsw.Connection) -> dict[str, int]:
    """Return how many incidents are in each state."""
    lasting: list[Any] = reader.execute(
        "SELECT state, count(*) FROM incident_rows WHERE ended IS NULL GROUP BY state"
    ).fetchall()
    (total,) = reader.execute("SELECT count(*) FROM incident_rows").fetchone() or (0,)
    counts = {"open": 0, "acknowledged": 0} | dict(lasting)
    return counts | {"resolved": int(total) - sum(counts.values())}
