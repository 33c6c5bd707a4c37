"""The outbox: a row is a message, from the moment that its reason is stored until it is out.

waiting    until it is due; `claim` makes it
sending    for as long as one thread tries; a failed try makes it waiting again
sent       the other side has taken it
failed     given up, after a day or because trying again can't help
withheld   over the day's cap: it is told in the next digest, and `finished` then; or an end that
           the channel is not told of, which counts as told: what comes after it is news
cancelled  of no use any more
"""

import json
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import apsw

from fluxd.core.incidents.notices import Notice as IncidentNotice
from fluxd.core.incidents.notices import Told
from fluxd.core.message import Severity, worst

Notice: TypeAlias = Literal["opened", "worsened", "resolved", "digest", "test"]

KEPT_S = 90 * 86_400

# Beyond a day in which the clock is set back, what is noted was noted before a clock was mended.
LONGEST_DAY_S = 90_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: times in Unix s; `answer` is what the other side said, or why it failed."""

    id: int
    channel: int
    incident: int | None
    notice: Notice
    key: str
    state: str
    severity: Severity
    created: int
    due: int
    attempts: int
    finished: int | None
    answer: str | None
    body: str | None


_MEMBERS = (
    "id, channel, incident, notice, key, state, severity, created, due, attempts, finished,"
    " answer, body"
)


def new_key() -> str:
    """Return what no other message has."""
    return f"fluxd-{secrets.token_hex(16)}"


def put(
    connection: apsw.Connection,
    channel: int,
    notice: Notice,
    *,
    severity: Severity,
    due: int,
    now: int,
    incident: int | None = None,
    written: tuple[str, str] | None = None,
) -> int:
    """Queue a message and return its id; `written`: its key and body, where it has them already."""
    key, body = written or (new_key(), None)
    connection.execute(
        "INSERT INTO outbox (channel, incident, notice, key, state, severity, created, due, body)"
        " VALUES (?, ?, ?, ?, 'waiting', ?, ?, ?, ?)",
        (channel, incident, notice, key, severity, now, due, body),
    )
    return connection.last_insert_rowid()


def note_test(
    connection: apsw.Connection, channel: int, key: str, *, sent: bool, answer: str, now: int
) -> None:
    """Note what came of a channel's test."""
    connection.execute(
        "INSERT INTO outbox (channel, notice, key, state, severity, created, due, attempts,"
        " finished, answer) VALUES (?1, 'test', ?2, ?3, 'normal', ?4, ?4, 1, ?4, ?5)",
        (channel, key, "sent" if sent else "failed", now, answer),
    )


def cancel(
    connection: apsw.Connection, channel: int, incident: int, notices: Sequence[str], *, now: int
) -> None:
    """Take back messages of an incident that have not been tried."""
    for notice in notices:
        connection.execute(
            "UPDATE outbox SET state = 'cancelled', finished = ?4, answer = 'not needed any more'"
            " WHERE incident = ?1 AND channel = ?2 AND notice = ?3 AND state = 'waiting'"
            " AND body IS NULL",
            (incident, channel, notice, now),
        )


def take_back(connection: apsw.Connection, incident: int, *, now: int) -> None:
    """Take back every message of an incident that has not been tried."""
    connection.execute(
        "UPDATE outbox SET state = 'cancelled', finished = ?2, answer = 'not needed any more'"
        " WHERE incident = ?1 AND state = 'waiting' AND body IS NULL",
        (incident, now),
    )


def hurry(connection: apsw.Connection, channel: int, incident: int, *, latest: int) -> None:
    """Have what was not written yet of an incident due at `latest` (Unix s), if not earlier."""
    connection.execute(
        "UPDATE outbox SET due = ?3 WHERE incident = ?1 AND channel = ?2 AND due > ?3"
        " AND state = 'waiting' AND body IS NULL",
        (incident, channel, latest),
    )


# In these states a message that is not written yet has told nothing.
_UNTOLD = ("waiting", "sending")


def told(reader: apsw.Connection, channel: int, incident: int) -> Told:
    """Return what a channel was told of an incident since it was told that all is over."""
    rows: list[Any] = reader.execute(
        "SELECT notice, state, severity, coalesce(finished, due), body IS NOT NULL,"
        " json_extract(body, '$.metrics'), json_extract(body, '$.down') FROM outbox"
        " WHERE incident = ? AND channel = ? AND state != 'cancelled' ORDER BY id",
        (incident, channel),
    ).fetchall()
    ends = [  # one that is tried again goes out whatever comes, and so does what follows it
        at
        for at, (notice, state, _, _, written, _, _) in enumerate(rows)
        if notice == "resolved" and (written or state not in _UNTOLD)
    ]
    since = rows[ends[-1] + 1 :] if ends else rows
    out: list[tuple[Severity, int, int | None, int | None]] = []
    waiting: set[IncidentNotice] = set()
    for notice, state, severity, at, written, metrics, down in since:
        if written or state not in _UNTOLD:
            out.append((severity, at, metrics, down))
        else:
            waiting.add(notice)
    return Told(
        severity=worst(severity for severity, _, _, _ in out),
        metrics=max((metrics for _, _, metrics, _ in out if metrics is not None), default=None),
        at=max((at for _, at, _, _ in out), default=None),
        waiting=waiting,
        over=bool(ends) and not since,
        down=max((down for _, _, _, down in out if down is not None), default=None),
        messages=len(out),
    )


def first_key(reader: apsw.Connection, channel: int, incident: int) -> str | None:
    """Return what names an incident's thread in a channel: the key of the first message of it.

    Its beginning doesn't: what is found later may have begun earlier.
    """
    row: Any = reader.execute(
        "SELECT key FROM outbox WHERE incident = ? AND channel = ? ORDER BY id LIMIT 1",
        (incident, channel),
    ).fetchone()
    return None if row is None else str(row[0])


def due_channels(reader: apsw.Connection, now: int) -> list[int]:
    """Return the channels that have messages which are due."""
    rows: list[Any] = reader.execute(
        "SELECT DISTINCT outbox.channel FROM outbox JOIN channels ON channels.id = outbox.channel"
        " WHERE outbox.state = 'waiting' AND due <= ? AND enabled",
        (now,),
    ).fetchall()
    return [row[0] for row in rows]


def claim(connection: apsw.Connection, channel: int, *, now: int) -> Entry | None:
    """Take the next message of a channel that is due, None where there is none.

    Messages of one incident go out one after the other, those of a channel that was switched off
    wait. The update is conditional: of two that claim the same row only one gets it.
    """
    row: Any = connection.execute(
        f"UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE id = ("
        "   SELECT id FROM outbox AS mine WHERE channel = ?1 AND state = 'waiting' AND due <= ?2"
        "   AND NOT EXISTS (SELECT 1 FROM outbox AS before WHERE before.incident = mine.incident"
        "     AND before.channel = mine.channel AND before.id < mine.id"
        "     AND before.state IN ('waiting', 'sending'))"
        "   AND (SELECT enabled FROM channels WHERE id = ?1)"
        "   ORDER BY due LIMIT 1"
        f" ) AND state = 'waiting' RETURNING {_MEMBERS}",
        (channel, now),
    ).fetchone()
    return Entry(*row) if row else None


def write_body(
    connection: apsw.Connection, entry: int, body: str, notice: str, severity: str
) -> None:
    """Keep a message as it is tried first: every further try sends the same."""
    connection.execute(
        "UPDATE outbox SET body = ?2, notice = ?3, severity = ?4 WHERE id = ?1",
        (entry, body, notice, severity),
    )


def finish(connection: apsw.Connection, entry: int, state: str, *, now: int, answer: str) -> None:
    """Note what became of a message that was being sent."""
    connection.execute(
        "UPDATE outbox SET state = ?2, finished = ?3, answer = ?4"
        " WHERE id = ?1 AND state = 'sending'",
        (entry, state, now, answer),
    )


def put_off(connection: apsw.Connection, entry: int, *, due: int, answer: str | None) -> None:
    """Have a message that was being sent tried again at `due` (Unix s)."""
    connection.execute(
        "UPDATE outbox SET state = 'waiting', due = ?2, answer = coalesce(?3, answer)"
        " WHERE id = ?1 AND state = 'sending'",
        (entry, due, answer),
    )


def take_up(connection: apsw.Connection, *, now: int) -> int:
    """Have all that was being sent when the last daemon ended tried again; return how many.

    Whether they arrived is not known. They carry the same key, so that the other side can tell.
    """
    connection.execute("UPDATE outbox SET state = 'waiting' WHERE state = 'sending'")
    again = connection.changes()
    # Queued in the future: the clock was set back since.
    connection.execute(
        "UPDATE outbox SET due = ?1 WHERE state = 'waiting' AND created > ?1 AND due > ?1", (now,)
    )
    return again


def move_up(connection: apsw.Connection, *, by: int) -> None:
    """Have what waits due so much (s) earlier: the clock was set back by that."""
    connection.execute("UPDATE outbox SET due = due - ? WHERE state = 'waiting'", (by,))


def count_sent(reader: apsw.Connection, channel: int, since: int) -> int:
    """Return how many messages of incidents a channel was sent in the day from `since` (Unix s).

    One that was written counts from then on: it goes out, be it hours later.
    """
    row: Any = reader.execute(
        "SELECT (SELECT count(*) FROM outbox WHERE channel = ?1 AND state = 'sent'"
        "  AND finished >= ?2 AND finished < ?3 AND notice NOT IN ('digest', 'test'))"
        " + (SELECT count(*) FROM outbox WHERE channel = ?1 AND body IS NOT NULL"
        "  AND finished IS NULL AND notice != 'digest')",
        (channel, since, since + LONGEST_DAY_S),
    ).fetchone()
    return int(row[0])


def read_entries(
    reader: apsw.Connection, *, channel: int | None = None, limit: int = 100
) -> list[Entry]:
    """Return the latest messages, of one channel or all, the latest first."""
    where = "" if channel is None else " WHERE channel = ?"
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} FROM outbox{where} ORDER BY id DESC LIMIT ?",
        (*([] if channel is None else [channel]), limit),
    ).fetchall()
    return [Entry(*row) for row in rows]


def read_withheld(reader: apsw.Connection, channel: int) -> list[int]:
    """Return the incidents whose messages were over a channel's cap and in no digest yet."""
    rows: list[Any] = reader.execute(
        "SELECT DISTINCT incident FROM outbox WHERE channel = ? AND state = 'withheld'"
        " AND finished IS NULL AND incident IS NOT NULL ORDER BY incident",
        (channel,),
    ).fetchall()
    return [row[0] for row in rows]


def withhold(connection: apsw.Connection, entry: int, *, answer: str) -> None:
    """Leave a message that was being sent to the next digest."""
    connection.execute(
        "UPDATE outbox SET state = 'withheld', answer = ?2 WHERE id = ?1 AND state = 'sending'",
        (entry, answer),
    )


def end_withheld(
    connection: apsw.Connection, channel: int, incidents: Collection[int], *, now: int
) -> None:
    """Note that a digest has told what was withheld from a channel of some incidents."""
    connection.execute(
        "UPDATE outbox SET finished = ?3 WHERE channel = ?1 AND state = 'withheld'"
        " AND finished IS NULL AND incident IN (SELECT value FROM json_each(?2))",
        (channel, json.dumps(list(incidents)), now),
    )


def forget_entries(connection: apsw.Connection, before: int, limit: int = 1_000) -> None:
    """Delete some messages that were done with before a time (Unix s)."""
    connection.execute(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE finished < ?1 LIMIT ?2)",
        (before, limit),
    )
