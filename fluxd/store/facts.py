"""What `fluxd doctor` wants to know of a store."""

from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.store.connection import OLDEST_SQLITE
from fluxd.store.migrate import migrations, schema_of, written_by

# Refused requests that are shown, and how far back.
REJECTIONS = 3
RECENT_S = 86_400


@dataclass(frozen=True, slots=True)
class Refusals:
    """Requests of one key that were refused for one reason; `last` in Unix s."""

    key: str
    message: str
    count: int
    last: int


@dataclass(frozen=True, slots=True)
class Facts:
    """A store at a moment.

    `newest` is the schema that this fluxd knows. `keys` are those that are valid; `latest` the last
    second (s) that has been analysed; `daily` the datapoints that come in a day, by the metrics'
    intervals; `refused` the most frequent refusals of the last day.
    """

    schema: int
    newest: int
    written_by: str
    keys: int
    metrics: int
    latest: int | None
    daily: float
    refused: list[Refusals]


def read_facts(reader: apsw.Connection, now: int) -> Facts:
    """Return what a store says of itself at `now` (s), of whatever schema."""
    metrics, latest, daily = _one(
        reader,
        "SELECT count(*), max(last), coalesce(sum(86400.0 / max(interval, 1)), 0) FROM metrics"
        " WHERE state IS NOT 'retired'",
    )
    (keys,) = _one(reader, "SELECT count(*) FROM keys WHERE revoked IS NULL")
    refused: Any = reader.execute(
        "SELECT key, message, count, time FROM rejections WHERE time > ?"
        " ORDER BY count DESC LIMIT ?",
        (now - RECENT_S, REJECTIONS),
    ).fetchall()
    return Facts(
        schema_of(reader),
        max(migrations()),
        written_by(reader),
        keys,
        metrics,
        latest,
        daily,
        [Refusals(*row) for row in refused],
    )


def _one(reader: apsw.Connection, sql: str) -> Any:  # noqa: ANN401  # a row
    return reader.execute(sql).fetchone()


def sqlite_versions() -> tuple[str, str, bool]:
    """Return the versions of SQLite and apsw, and whether SQLite's is fit for a store."""
    fit = apsw.SQLITE_VERSION_NUMBER >= OLDEST_SQLITE
    return apsw.sqlite_lib_version(), apsw.apsw_version(), fit
