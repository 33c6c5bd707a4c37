"""Metrics as they are listed, and the summaries behind the view `metrics`."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apsw

_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Summary:
    """What the view `metrics` says of a series; interval in s, times in Unix seconds."""

    series: int
    interval: float | None
    datapoints: int
    first: int
    last: int
    state: str


def page_metrics(
    reader: apsw.Connection, *, match: str | None = None, limit: int = 100, cursor: str = ""
) -> tuple[list[tuple[int, str]], str | None]:
    """Return (id, name) of the metrics after the name `cursor`, by name, and the next cursor.

    `match` is a glob where it has one of `*?[`, else a part of the name.
    """
    if match is None:
        pattern = "*"
    elif _WILDCARDS.isdisjoint(match):
        pattern = f"*{match}*"
    else:
        pattern = match
    rows: list[Any] = reader.execute(
        "SELECT id, name FROM series WHERE name > ? AND name GLOB ? ORDER BY name LIMIT ?",
        (cursor, pattern, limit + 1),
    ).fetchall()
    page = [(row[0], row[1]) for row in rows[:limit]]
    return page, page[-1][1] if len(rows) > limit else None


def write_summaries(connection: apsw.Connection, summaries: Iterable[Summary]) -> None:
    """Store each summary in place of the series' earlier one."""
    connection.executemany(
        "INSERT OR REPLACE INTO summaries (series, interval, datapoints, first, last, state)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(s.series, s.interval, s.datapoints, s.first, s.last, s.state) for s in summaries],
    )
