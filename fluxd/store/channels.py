"""Channels: whom incidents are told to, and what each of them takes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import apsw

from fluxd.core.errors import BadRequestError, NotFoundError
from fluxd.core.message import Severity
from fluxd.core.sending import DAILY_CAP, DAY_S, Digest

_MEMBERS = (
    "id, name, kind, settings, least, metrics, quiet_hours, daily_cap, digest, resolved, from_file,"
    " enabled"
)

# What waited for longer when a channel is switched on is not sent: nobody wants last month's mail.
STALE_S = DAY_S


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel; `settings` are those of its kind, with its secrets, and not shown by `repr`.

    `least` is the severity from which on it is told, `metrics` are globs (none: all), `quiet_hours`
    is "22:00-07:00" or "", `daily_cap` 0 for none. `digest` says whether a daily digest is sent as
    well, or nothing else, `resolved` whether it is told of ends. `from_file`: the configuration
    file has its settings, the store has not.
    """

    id: int
    name: str
    kind: str
    settings: Mapping[str, str] = field(repr=False)
    least: Severity = "normal"
    metrics: tuple[str, ...] = ()
    quiet_hours: str = ""
    daily_cap: int = DAILY_CAP
    digest: Digest = "off"
    resolved: bool = True
    from_file: bool = False
    enabled: bool = True


def add_channel(connection: apsw.Connection, channel: StoredChannel, *, now: int) -> int:
    """Store a new channel and return its id. Raises BadRequestError for a name that is taken."""
    if _find(connection, channel.name) is not None:
        raise BadRequestError(f"there is a channel {channel.name} already: choose another name")
    connection.execute(
        "INSERT INTO channels (name, kind, settings, least, metrics, quiet_hours, daily_cap,"
        " digest, resolved, from_file, enabled, created, digested)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)",
        (channel.name, *_row(channel), now),
    )
    return connection.last_insert_rowid()


def change_channel(connection: apsw.Connection, channel: StoredChannel) -> None:
    """Store a channel in place of the one with its id. Raises NotFoundError, BadRequestError."""
    other = _find(connection, channel.name)
    if other is not None and other != channel.id:
        raise BadRequestError(f"there is a channel {channel.name} already: choose another name")
    connection.execute(
        "UPDATE channels SET name = ?, kind = ?, settings = ?, least = ?, metrics = ?,"
        " quiet_hours = ?, daily_cap = ?, digest = ?, resolved = ?, from_file = ?, enabled = ?"
        " WHERE id = ? AND deleted IS NULL",
        (channel.name, *_row(channel), channel.id),
    )
    if not connection.changes():
        raise NotFoundError("there is no such channel: somebody deleted it")


def switch_channel(connection: apsw.Connection, number: int, *, on: bool, now: int) -> None:
    """Switch a channel on or off: what waits for it is kept for a day. Raises NotFoundError."""
    connection.execute(
        "UPDATE channels SET enabled = ?2, digested = iif(?2, max(digested, ?3), digested)"
        " WHERE id = ?1 AND deleted IS NULL",
        (number, int(on), now - STALE_S),
    )
    if not connection.changes():
        raise NotFoundError("there is no such channel: somebody deleted it")
    if on:
        connection.execute(
            "UPDATE outbox SET state = 'cancelled', finished = ?2,"
            " answer = 'it had waited for more than a day when the channel was switched on'"
            " WHERE channel = ?1 AND created < ?3"
            " AND (state = 'waiting' OR (state = 'withheld' AND finished IS NULL))",
            (number, now, now - STALE_S),
        )


def delete_channel(connection: apsw.Connection, number: int, *, now: int) -> None:
    """Take a channel away with what waits for it; what it was sent stays. Raises NotFoundError."""
    connection.execute(
        "UPDATE channels SET deleted = ?2, enabled = 0, settings = '{}', name = name || ' ' || id"
        " WHERE id = ?1 AND deleted IS NULL",
        (number, now),
    )
    if not connection.changes():
        raise NotFoundError("there is no such channel: somebody deleted it")
    connection.execute(
        "UPDATE outbox SET state = 'cancelled', finished = ?2, answer = 'the channel was deleted'"
        " WHERE channel = ?1 AND state IN ('waiting', 'withheld')",
        (number, now),
    )


def adopt_channels(
    connection: apsw.Connection, given: Iterable[StoredChannel], *, now: int
) -> dict[int, Mapping[str, str]]:
    """Bring the channels of the configuration file up to date; return their settings by id.

    Those that are in the file no more are deleted; one of the same name from a page becomes the
    file's. The file's settings, secrets among them, are not stored.
    """
    settings: dict[int, Mapping[str, str]] = {}
    for channel in given:
        bare = replace(channel, settings={}, from_file=True)
        number = _find(connection, channel.name)
        if number is None:
            number = add_channel(connection, bare, now=now)
        else:
            change_channel(connection, replace(bare, id=number))
        settings[number] = channel.settings
    for channel in read_channels(connection):
        if channel.from_file and channel.id not in settings:
            delete_channel(connection, channel.id, now=now)
    return settings


def digested_until(reader: apsw.Connection, number: int) -> int:
    """Return up to when (Unix s) a channel's digests reach."""
    row: Any = reader.execute("SELECT digested FROM channels WHERE id = ?", (number,)).fetchone()
    return int(row[0])


def note_digested(connection: apsw.Connection, number: int, until: int) -> None:
    """Note that a channel's digests reach up to a time (Unix s)."""
    connection.execute("UPDATE channels SET digested = ?2 WHERE id = ?1", (number, until))


def read_channels(reader: apsw.Connection) -> list[StoredChannel]:
    """Return all channels by name."""
    rows: list[Any] = reader.execute(
        f"SELECT {_MEMBERS} FROM channels WHERE deleted IS NULL ORDER BY name"
    ).fetchall()
    return [_channel(row) for row in rows]


def get_channel(reader: apsw.Connection, number: int) -> StoredChannel | None:
    """Return a channel, None where there is none or it was deleted."""
    row = reader.execute(
        f"SELECT {_MEMBERS} FROM channels WHERE id = ? AND deleted IS NULL", (number,)
    ).fetchone()
    return _channel(row) if row else None


def _find(reader: apsw.Connection, name: str) -> int | None:
    row: Any = reader.execute(
        "SELECT id FROM channels WHERE name = ? AND deleted IS NULL", (name,)
    ).fetchone()
    return int(row[0]) if row else None


def _row(channel: StoredChannel) -> tuple[Any, ...]:
    return (
        channel.kind,
        json.dumps(dict(channel.settings)),
        channel.least,
        json.dumps(channel.metrics),
        channel.quiet_hours,
        channel.daily_cap,
        channel.digest,
        int(channel.resolved),
        int(channel.from_file),
        int(channel.enabled),
    )


def _channel(row: Any) -> StoredChannel:  # noqa: ANN401  # a row of the table
    number, name, kind, settings, least, metrics, quiet, cap, digest, *flags = row
    return StoredChannel(
        number,
        name,
        kind,
        json.loads(settings),
        least,
        tuple(json.loads(metrics)),
        quiet,
        cap,
        digest,
        *(bool(one) for one in flags),
    )
