"""Metrics as they are listed, and the summaries behind the view `metrics`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.core.states import MetricStatus

_WILDCARDS = frozenset("*?[")  # no sender's name has one


@dataclass(frozen=True, slots=True)
class Summary:
    """What the view `metrics` says of a series; interval in s, times in Unix seconds."""

    series: int
    interval: float | None
    datapoints: int
    first: int
    last: int
    state: str


def summary_of(series: int, status: MetricStatus) -> Summary:
    """Return what the view `metrics` is to say of a series."""
    return Summary(
        series,
        status.interval,
        status.datapoints,
        status.first or 0,
        status.last or 0,
        status.state,
    )


@dataclass(frozen=True, slots=True)
class ListedMetric:
    """A metric as commands list it; times in Unix seconds, None where not known yet."""

    name: str
    state: str
    interval: float | None
    datapoints: int
    first: int | None
    last: int | None
    muted: int  # 0 or 1: by its own name
    sender: str  # the name of its key
    id: int
    added: int  # datapoints that an import has stored and that are not learnt yet


def page_metrics(
    reader: apsw.Connection, *, match: str | None = None, limit: int = 100, cursor: str = ""
) -> tuple[list[tuple[int, str]], str | None]:
    """Return (id, name) of the metrics after the name `cursor`, by name, and the next cursor.

    `match` is a glob where it has one of `*?[`, else a part of the name.
    """
    rows: list[Any] = reader.execute(
        "SELECT id, name FROM series WHERE name > ? AND name GLOB ? AND deleted IS NULL"
        " ORDER BY name LIMIT ?",
        (cursor, _pattern(match), limit + 1),
    ).fetchall()
    page = [(row[0], row[1]) for row in rows[:limit]]
    return page, page[-1][1] if len(rows) > limit else None


def list_metrics(
    reader: apsw.Connection,
    *,
    match: str | None = None,
    state: str | None = None,
    limit: int = 100,
    cursor: str = "",
) -> tuple[list[ListedMetric], str | None]:
    """Return the metrics after the name `cursor` from the table alone, and the next cursor.

    `match` as for `page_metrics`. What was imported counts at once, and is "learning" until the
    detector has seen it.
    """
    rows: list[Any] = reader.execute(
        """
        SELECT name,
               CASE WHEN rebuilds.series IS NOT NULL THEN 'learning'
                    WHEN retired IS NOT NULL THEN 'retired'
                    ELSE coalesce(summaries.state, 'learning') END AS now,
               interval, coalesce(datapoints, 0) + coalesce(added, 0), first, last, muted,
               (SELECT keys.name FROM keys WHERE keys.id = series.key), series.id,
               coalesce(added, 0)
        FROM series LEFT JOIN summaries ON summaries.series = series.id
                    LEFT JOIN rebuilds ON rebuilds.series = series.id
        WHERE name > ?1 AND name GLOB ?2 AND deleted IS NULL AND now = coalesce(?3, now)
        ORDER BY name LIMIT ?4
        """,
        (cursor, _pattern(match), state, limit + 1),
    ).fetchall()
    page = [ListedMetric(*row) for row in rows[:limit]]
    return page, page[-1].name if len(rows) > limit else None


def is_glob(name: str) -> bool:
    """Whether it stands for metrics by a pattern rather than by a name.

    >>> is_glob("web-*"), is_glob("web-1.cpu")
    (True, False)
    """
    return not _WILDCARDS.isdisjoint(name)


def _pattern(match: str | None) -> str:
    if match is None:
        return "*"
    return match if is_glob(match) else f"*{match}*"


def read_summary(reader: apsw.Connection, series: int) -> Summary | None:
    """Return what the view `metrics` says of a series, None where nothing was written yet."""
    row = reader.execute(
        "SELECT series, interval, datapoints, first, last, state FROM summaries WHERE series = ?",
        (series,),
    ).fetchone()
    return Summary(*row) if row else None


def read_summaries(reader: apsw.Connection) -> list[Summary]:
    """Return what the view `metrics` says of each series that it says anything of."""
    rows: list[Any] = reader.execute(
        "SELECT series, interval, datapoints, first, last, state FROM summaries"
    ).fetchall()
    return [Summary(*row) for row in rows]


def write_summaries(connection: apsw.Connection, summaries: Iterable[Summary]) -> None:
    """Store each summary in place of the series' earlier one."""
    connection.executemany(
        "INSERT OR REPLACE INTO summaries (series, interval, datapoints, first, last, state)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(s.series, s.interval, s.datapoints, s.first, s.last, s.state) for s in summaries],
    )
