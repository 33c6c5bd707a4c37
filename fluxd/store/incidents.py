"""Incidents as the job that groups anomalies reads and writes them, and as people act on them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.core.errors import BadRequestError, NotFoundError
from fluxd.core.incidents.lifecycle import Event, State, after
from fluxd.core.incidents.members import Member
from fluxd.core.incidents.telling import (
    FLOOD_MESSAGES,
    Account,
    account_of,
    is_loss,
    is_worse,
    sentence_of,
)
from fluxd.core.message import Severity, rank
from fluxd.store import outbox
from fluxd.store.incident_members import Gathered, gather, is_lasting, last_end
from fluxd.store.incident_queue import STALE_S, Found
from fluxd.store.notices import queue_notices


@dataclass(frozen=True, slots=True)
class Grouped:
    """Anomalies that go to one incident; `incident` 0 for a new one.

    `first` and `last` are the beginnings that others are measured by from now on, None: as before.
    `silent` has, by anomaly, why it is not sent, None where it is.
    """

    incident: int
    first: int | None
    last: int | None
    members: Sequence[Found]
    silent: Mapping[int, str | None]


@dataclass(frozen=True, slots=True)
class _Before:
    """An incident as it is stored; `closed` is when somebody resolved it (Unix s)."""

    state: State
    severity: Severity
    closed: int | None
    metrics: int
    down: int | None


def write_groups(
    connection: apsw.Connection,
    groups: Iterable[Grouped],
    upto: int,
    *,
    fleet: int,
    offset: Callable[[int], int],
    now: int,
) -> list[int]:
    """Store what was grouped, and queue what it has to tell; return the incidents that changed.

    The queue is done with up to the number `upto`. `fleet` is how many metrics there are, `offset`
    returns local time less UTC (s) at a time (Unix s).
    """
    lost: list[Any] = connection.execute(
        "SELECT incident FROM incident_queue WHERE seq <= ? AND incident IS NOT NULL", (upto,)
    ).fetchall()
    changed = dict.fromkeys(row[0] for row in lost)
    for group in groups:
        incident = group.incident or _insert(connection, group, now)
        changed |= dict.fromkeys(_leave(connection, incident, group.members, now))
        _join(connection, incident, group)
        changed[incident] = None
    for incident in changed:
        refresh(connection, incident, fleet=fleet, offset=offset, now=now)
    connection.execute("DELETE FROM incident_queue WHERE seq <= ?", (upto,))
    return list(changed)


def _join(connection: apsw.Connection, incident: int, group: Grouped) -> None:
    connection.executemany(
        "INSERT INTO incident_members (anomaly, incident, series, silent, since)"
        " VALUES (?1, ?2, ?3, ?4, ?5)"
        " ON CONFLICT (anomaly, incident) DO UPDATE SET silent = excluded.silent, until = NULL",
        [
            (
                one.anomaly,
                incident,
                one.series,
                group.silent[one.anomaly],
                one.started if one.went_on else None,
            )
            for one in group.members
        ],
    )
    connection.execute(
        "UPDATE incident_rows SET first = coalesce(?2, first), last = coalesce(?3, last)"
        " WHERE id = ?1",
        (incident, group.first, group.last),
    )


def _leave(
    connection: apsw.Connection, incident: int, members: Iterable[Found], now: int
) -> set[int]:
    """End the parts of anomalies in other incidents; return those that this may change.

    What people were told of an incident stays true: that it was over, and what was odd in it. What
    it has not told yet is decided anew.
    """
    gone = [one for one in members if one.incident not in (None, incident)]
    connection.executemany(
        "UPDATE incident_members SET until = ?3 WHERE anomaly = ?1 AND incident = ?2",
        [
            (one.anomaly, one.incident, one.started if one.over is None else one.over)
            for one in gone
        ],
    )
    rows: list[Any] = connection.execute(
        "SELECT incident_rows.id FROM json_each(?) AS wanted"
        " JOIN incident_rows ON incident_rows.id = wanted.value WHERE state != 'resolved'",
        (json.dumps([one.incident for one in gone]),),
    ).fetchall()
    for (number,) in rows:
        outbox.take_back(connection, number, now=now)
    return {row[0] for row in rows}


def _insert(connection: apsw.Connection, group: Grouped, now: int) -> int:
    """Store a new incident; `refresh` fills in what is told of it."""
    connection.execute(
        "INSERT INTO incident_rows (state, severity, started, ended, first, last, metrics,"
        " anomalies, leading, lead, title, explanation, history, found)"
        " VALUES ('open', 'low', ?1, NULL, ?1, ?2, 0, 0, 0, 0, '', '', 1, ?3)",
        (group.first, group.last, now),
    )
    return connection.last_insert_rowid()


def refresh(
    connection: apsw.Connection,
    incident: int,
    *,
    fleet: int,
    offset: Callable[[int], int],
    now: int,
) -> None:
    """Bring an incident up to what its anomalies are now, and queue what that has to tell."""
    gathered = gather(connection, incident)
    row: Any = connection.execute(
        "SELECT state, severity, closed, metrics, down FROM incident_rows WHERE id = ?", (incident,)
    ).fetchone()
    if row is None:
        return
    before = _Before(*row)
    if not gathered.members:
        _remove(connection, incident, now)
    elif gathered.left:
        _close(connection, incident, before, gathered, now)
    else:
        account = account_of(gathered.members, fleet, least=gathered.least)
        text = _sentence(connection, gathered.members, account, offset)
        _renew(connection, incident, before, gathered, account, text, now)


def _developed(
    connection: apsw.Connection, incident: int, before: _Before, account: Account
) -> tuple[State, Severity]:
    """Return the state that an incident has come to, and its severity, which only rises."""
    state, severity = before.state, max(before.severity, account.severity, key=rank)
    spread = is_worse(before.severity, before.metrics, severity, account.metrics)
    if spread or is_loss(before.metrics, before.down, account.down, told=FLOOD_MESSAGES):
        state = after(state, "worsened") or state
    since = -1 if before.closed is None else before.closed
    lasting = is_lasting(connection, incident, since=since)
    return after(state, "appeared" if lasting else "over") or state, severity


def _renew(
    connection: apsw.Connection,
    incident: int,
    before: _Before,
    gathered: Gathered,
    account: Account,
    sentence: str,
    now: int,
) -> None:
    """Store an incident as its anomalies are now."""
    state, severity = _developed(connection, incident, before, account)
    ended = None
    if state == "resolved":
        ended = before.closed or last_end(connection, incident) or now
    connection.execute(
        "UPDATE incident_rows SET state = ?2, severity = ?3, started = ?4, ended = ?5,"
        " metrics = ?6, anomalies = ?7, leading = ?8, lead = ?9, title = ?10, explanation = ?11,"
        " silent = ?12, history = ?13, down = ?14,"
        " closed = CASE WHEN ?2 = 'resolved' THEN closed END,"
        " acknowledged = CASE WHEN ?2 = 'acknowledged' THEN acknowledged END WHERE id = ?1",
        (
            incident,
            state,
            severity,
            account.started,
            ended,
            account.metrics,
            gathered.anomalies,
            account.leading.anomaly,
            account.first.anomaly,
            account.title,
            sentence,
            None if gathered.heard else gathered.reasons[account.leading.anomaly],
            int(gathered.history),
            account.down,
        ),
    )
    if before.state == "resolved" and ended is not None and ended < now - STALE_S:
        return  # an anomaly was pruned, or its metric deleted: no news, whatever a channel was told
    queue_notices(
        connection,
        incident,
        state=state,
        severity=severity,
        metrics=account.metrics,
        down=account.down,
        heard=gathered.heard,
        now=now,
    )


def _close(
    connection: apsw.Connection, incident: int, before: _Before, gathered: Gathered, now: int
) -> None:
    """End an incident whose anomalies went on in others: what is told of it stays as it was."""
    connection.execute(
        "UPDATE incident_rows SET state = 'resolved', ended = coalesce(ended, ?2), anomalies = ?3,"
        " acknowledged = NULL WHERE id = ?1",
        (incident, last_end(connection, incident) or now, gathered.anomalies),
    )
    if before.state == "resolved":
        return
    queue_notices(  # it is over for those who were told of it, and no news for others
        connection,
        incident,
        state="resolved",
        severity=before.severity,
        metrics=before.metrics,
        down=before.down or 0,
        heard=(),
        now=now,
    )


def _sentence(
    reader: apsw.Connection,
    members: Sequence[Member],
    account: Account,
    offset: Callable[[int], int],
) -> str:
    row: Any = reader.execute(
        "SELECT explanation FROM stretches WHERE id = ?", (account.leading.anomaly,)
    ).fetchone()
    return sentence_of(members, account, row[0], offset=offset(account.started))


def _remove(connection: apsw.Connection, incident: int, now: int) -> None:
    """Forget an incident whose anomalies are gone, and what was to be told of it."""
    connection.execute("DELETE FROM incident_rows WHERE id = ?", (incident,))
    connection.execute(
        "UPDATE outbox SET state = 'cancelled', finished = ?2, answer = 'its metrics were deleted'"
        " WHERE incident = ?1 AND state IN ('waiting', 'withheld')",
        (incident, now),
    )


# ---- what people do


def act(connection: apsw.Connection, incident: int, event: Event, *, now: int) -> State:
    """Acknowledge, release or resolve an incident; return its state then.

    Raises NotFoundError, and BadRequestError where the incident is over.
    """
    row: Any = connection.execute(
        "SELECT state, severity, metrics, coalesce(down, 0) FROM incident_rows WHERE id = ?",
        (incident,),
    ).fetchone()
    if row is None:
        raise NotFoundError("there is no such incident")
    state: State | None = after(row[0], event)
    if state is None:
        raise BadRequestError(f"this incident is {row[0]}: there is nothing to {event}")
    if state == row[0]:
        return state
    connection.execute(
        "UPDATE incident_rows SET state = ?2, acknowledged = iif(?2 = 'acknowledged', ?3, NULL),"
        " closed = iif(?2 = 'resolved', ?3, NULL), ended = iif(?2 = 'resolved', ?3, NULL)"
        " WHERE id = ?1",
        (incident, state, now),
    )
    severity: Severity = row[1]
    queue_notices(
        connection,
        incident,
        state=state,
        severity=severity,
        metrics=row[2],
        down=row[3],
        heard=gather(connection, incident).heard,
        now=now,
    )
    return state
