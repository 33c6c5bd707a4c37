"""Mutes and expected windows: what is not to be told."""

import json
from typing import Any

import apsw

from fluxd.core.detect import UTC, LocalTime
from fluxd.core.errors import NotFoundError, TooManyAttemptsError
from fluxd.core.hush import Mute, Scope, Window

# Expected windows that a key may have told of: a script that runs wild is stopped, while a deploy
# every two minutes is not.
MOST_WINDOWS = 1_000
DAY_S, HOUR_S = 86_400, 3_600


def add_mute(
    connection: apsw.Connection,
    scope: Scope,
    pattern: str,
    *,
    until: int | None,
    reason: str,
    now: int,
) -> int:
    """Have metrics sent no more, until a time (Unix s) or for good; return the mute's id."""
    connection.execute(
        "INSERT INTO mutes (scope, pattern, since, until, reason, created)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?3)",
        (scope, pattern, now, until, reason),
    )
    mute = connection.last_insert_rowid()
    look_again(connection)
    return mute


def remove_mute(connection: apsw.Connection, mute: int) -> None:
    """End a mute at once. Raises NotFoundError."""
    connection.execute("DELETE FROM mutes WHERE id = ?", (mute,))
    if not connection.changes():
        raise NotFoundError("there is no such mute: it has ended, or somebody removed it")
    look_again(connection)


def remove_mutes(connection: apsw.Connection, scope: Scope, pattern: str, *, now: int) -> int:
    """End all mutes of just that at once; return how many held."""
    connection.execute(
        "DELETE FROM mutes WHERE scope = ? AND pattern = ? AND (until IS NULL OR until > ?)",
        (scope, pattern, now),
    )
    count = connection.changes()
    look_again(connection)
    return count


def read_mutes(reader: apsw.Connection, now: int) -> list[Mute]:
    """Return the mutes that hold at `now` (Unix s), the newest first."""
    rows: list[Any] = reader.execute(
        "SELECT id, scope, pattern, since, until, reason FROM mutes"
        " WHERE until IS NULL OR until > ? ORDER BY id DESC",
        (now,),
    ).fetchall()
    return [Mute(*row) for row in rows]


def read_muted(reader: apsw.Connection, *, limit: int) -> list[str]:
    """Return the metrics that `fluxd metric mute` has muted, by name."""
    rows: list[Any] = reader.execute(
        "SELECT name FROM series WHERE muted AND deleted IS NULL ORDER BY name LIMIT ?", (limit,)
    ).fetchall()
    return [row[0] for row in rows]


def has_mute_ended(reader: apsw.Connection, since: int, until: int) -> bool:
    """Whether a mute's time was up in (since, until] (Unix s)."""
    row: Any = reader.execute(
        "SELECT EXISTS (SELECT 1 FROM mutes WHERE until > ? AND until <= ?)", (since, until)
    ).fetchone()
    return bool(row[0])


def add_window(
    connection: apsw.Connection, window: Window, *, now: int, key: int | None = None
) -> int:
    """Store an expected window and return its id; `key` is the one that tells of it.

    Raises TooManyAttemptsError where a key has told of too many that still count.
    """
    if key is not None:
        _check_room(connection, key, now)
    connection.execute(
        "INSERT INTO expected_windows (title, started, ended, metrics, weekly, created, key)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            window.title,
            window.started,
            window.ended,
            json.dumps(window.metrics),
            int(window.weekly),
            now,
            key,
        ),
    )
    number = connection.last_insert_rowid()
    look_again(connection)
    return number


def _check_room(connection: apsw.Connection, key: int, now: int) -> None:
    row: Any = connection.execute(
        "SELECT count(*) FROM expected_windows"
        " WHERE key = ?1 AND (weekly OR ended >= ?2 OR created > ?2 - ?3)",
        (key, now, DAY_S),
    ).fetchone()
    if row[0] >= MOST_WINDOWS:
        raise TooManyAttemptsError(
            f"this key has told of {row[0]:,} events that are weekly, not over, or of the last day:"
            " forget some with DELETE /api/v1/events/ID, or say them as one weekly event",
            retry_after_s=HOUR_S,
        )


def remove_window(connection: apsw.Connection, window: int) -> None:
    """Forget an expected window. Raises NotFoundError."""
    connection.execute("DELETE FROM expected_windows WHERE id = ?", (window,))
    if not connection.changes():
        raise NotFoundError("there is no such expected window: somebody removed it")
    look_again(connection)


def read_windows(reader: apsw.Connection, since: int, until: int, local: LocalTime) -> list[Window]:
    """Return the windows that hold at some time of [since, until] (Unix s), the newest first.

    Weeks are those of the clock `local`.
    """
    rows: list[Any] = reader.execute(
        "SELECT id, title, started, ended, metrics, weekly FROM expected_windows"
        " WHERE started <= ?2 AND (weekly OR ended >= ?1) ORDER BY id DESC",
        (since, until),
    ).fetchall()
    return [_window(row, local) for row in rows]


def get_window(reader: apsw.Connection, number: int) -> Window | None:
    """Return an expected window, or None."""
    row: Any = reader.execute(
        "SELECT id, title, started, ended, metrics, weekly FROM expected_windows WHERE id = ?",
        (number,),
    ).fetchone()
    return _window(row, UTC) if row else None


def forget_hushes(connection: apsw.Connection, before: int) -> None:
    """Delete mutes and single windows that were over before a time (Unix s)."""
    connection.execute("DELETE FROM mutes WHERE until < ?", (before,))
    connection.execute("DELETE FROM expected_windows WHERE ended < ? AND NOT weekly", (before,))


def look_again(connection: apsw.Connection) -> None:
    """Have what lasts looked at anew: it may be silent now, or no more."""
    connection.execute(
        "INSERT INTO incident_queue (anomaly) SELECT id FROM stretches WHERE ended IS NULL"
    )


def _window(row: Any, local: LocalTime) -> Window:  # noqa: ANN401  # a row of the table
    number, title, started, ended, metrics, weekly = row
    return Window(number, title, started, ended, tuple(json.loads(metrics)), bool(weekly), local)
