"""Sealing: what moves datapoints from the recent tier into blocks, and merges small blocks.

Each function is one read or one short transaction; the job that calls them keeps the order. All of
it can be repeated: a block that is written again gets the same datapoints.
"""

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec
import numpy as np

from fluxd.store import blocks
from fluxd.store.blocks import Floats, Ints
from fluxd.store.history import Row, Stored, merge_into_blocks, write_blocks
from fluxd.store.places import (
    DAY_S,
    HOUR_S,
    HOUR_TABLES,
    LATE_TABLE,
    SERIES_BITS,
    SERIES_MASK,
    WEEK_S,
    place_of,
)

_decode_places = msgspec.json.Decoder(list[int]).decode
_decode_values = msgspec.json.Decoder(list[float]).decode


def hours_of(reader: apsw.Connection, table: str) -> list[int]:
    """Return the hours (since 1970) that a table of the recent tier has, ascending."""
    return _labels(reader, table, HOUR_S, 0)


def labels_of(reader: apsw.Connection, since: int, until: int) -> list[int]:
    """Return the labels (s) in [since, until) that blocks have, ascending."""
    return _labels(reader, "blocks", 1, since, until)


def _labels(
    reader: apsw.Connection, table: str, unit: int, since: int, until: int = 1 << 34
) -> list[int]:
    """Return the distinct time units in [since, until) that a table has places of."""
    rows: list[Any] = reader.execute(
        f"""
        WITH RECURSIVE units (n) AS (
          SELECT ((SELECT min(place) FROM {table} WHERE place >= (?1 * ?3) << {SERIES_BITS})
                  >> {SERIES_BITS}) / ?3
          UNION ALL
          SELECT ((SELECT min(place) FROM {table}
                   WHERE place >= ((units.n + 1) * ?3) << {SERIES_BITS}) >> {SERIES_BITS}) / ?3
          FROM units WHERE units.n < ?2
        )
        SELECT n FROM units WHERE n < ?2
        """,
        (since, until, unit),
    ).fetchall()
    return [row[0] for row in rows]


def seconds_of(reader: apsw.Connection, table: str) -> str:
    """Return the seconds of which a table of the recent tier has datapoints, as a JSON array."""
    return _json(_labels(reader, table, 1, 0))


def _json(numbers: Sequence[int]) -> str:
    return msgspec.json.encode(numbers).decode()


def count_rows(reader: apsw.Connection, table: str) -> int:
    """Return how many rows a table has."""
    row: Any = reader.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0])


def read_slice(
    reader: apsw.Connection, table: str, seconds: str, start: int, stop: int
) -> tuple[Ints, Floats, int]:
    """Return what a table has of the series in [start, stop): places, values, the last commit.

    One row of JSON instead of thousands of rows: SQLite makes it without the GIL.
    """
    row: Any = reader.execute(
        f"""
        SELECT json_group_array(place), json_group_array(now.value), max(seq)
        FROM json_each(?1) AS second CROSS JOIN {table} AS now
        WHERE place BETWEEN (second.atom << {SERIES_BITS}) + ?2
                        AND (second.atom << {SERIES_BITS}) + ?3 - 1
        """,
        (seconds, start, stop),
    ).fetchone()
    places, values, last = row
    return (
        np.array(_decode_places(places), np.int64),
        np.array(_decode_values(values), np.float64),
        last or 0,
    )


def hour_blocks(places: Ints, values: Floats) -> Iterator[tuple[int, Stored]]:
    """Yield (series, block of an hour) for datapoints of any series and hours."""
    series, seconds = places & SERIES_MASK, places >> SERIES_BITS
    order = np.lexsort((seconds, series))
    series, seconds, values = series[order], seconds[order], values[order]
    hours = seconds // HOUR_S
    new = (np.diff(series, prepend=-1) != 0) | (np.diff(hours, prepend=-1) != 0)
    for first, stop in itertools.pairwise([*np.flatnonzero(new).tolist(), len(series)]):
        label = int(hours[first]) * HOUR_S
        yield int(series[first]), Stored(label, HOUR_S, seconds[first:stop], values[first:stop])


def write_hours(
    connection: apsw.Connection,
    sealed: Sequence[tuple[int, Stored]],
    rows: Sequence[Row],
    *,
    now: int,
    levels: Sequence[int],
) -> None:
    """Write blocks of hours; `rows` are the same blocks as rows of the table.

    Where blocks are already that cover some of it (an import, or this was done before), the
    datapoints are merged into them.
    """
    if not sealed:
        return
    known = _covered(
        connection,
        {block.label for _, block in sealed},
        min(series for series, _ in sealed),
        max(series for series, _ in sealed),
    )
    fresh: list[Row] = []
    for (series, block), row in zip(sealed, rows, strict=True):
        if (series, block.label) in known:
            merge_into_blocks(
                connection, series, block.timestamps, block.values, now=now, levels=levels
            )
        else:
            fresh.append(row)
    write_blocks(connection, fresh)


def _covered(
    connection: apsw.Connection, hours: Collection[int], first: int, last: int
) -> set[tuple[int, int]]:
    """Return the (series, hour's label) of series in [first, last] that a block covers."""
    covered: set[tuple[int, int]] = set()
    for hour in hours:
        for label in {hour, hour - hour % DAY_S, hour - hour % WEEK_S}:
            covered |= {
                (place & SERIES_MASK, hour)
                for place, length in connection.execute(
                    "SELECT place, length FROM blocks WHERE place BETWEEN ? AND ?",
                    (place_of(label, first), place_of(label, last)),
                )
                if label + length > hour
            }
    return covered


def empty(connection: apsw.Connection, table: str) -> int:
    """Delete all rows of an hour's table; return how many pages that frees.

    Without WHERE, SQLite frees the pages without changing them.
    """
    if table not in HOUR_TABLES:
        raise ValueError(table)
    free = int(connection.pragma("freelist_count"))
    connection.execute(f"DELETE FROM {table}")
    return int(connection.pragma("freelist_count")) - free


Late = tuple[int, int, int]  # series, first and last second of what is to be sealed of a week


def late_work(reader: apsw.Connection, upto: int, held: Collection[int]) -> list[Late]:
    """Return what the commits up to `upto` have left in the late table, by series and week.

    Left out are the hours `held` (since 1970) by other tables: their rows are older and come first.
    """
    rows: list[Any] = reader.execute(
        f"""
        SELECT place & {SERIES_MASK} AS series, min(place) >> {SERIES_BITS},
               max(place) >> {SERIES_BITS}
        FROM {LATE_TABLE}
        WHERE seq <= ?1
          AND (place >> {SERIES_BITS}) / {HOUR_S} NOT IN (SELECT atom FROM json_each(?2))
        GROUP BY series, (place >> {SERIES_BITS}) / {WEEK_S}
        """,
        (upto, _json(sorted(held))),
    ).fetchall()
    return rows


def seal_late(
    connection: apsw.Connection,
    work: Late,
    upto: int,
    held: Collection[int],
    *,
    limit: int,
    now: int,
    levels: Sequence[int],
) -> bool:
    """Move up to `limit` late datapoints of a series and week into its blocks.

    Returns whether that was all of them.
    """
    series, first, last = work
    rows: list[Any] = connection.execute(
        f"""
        WITH RECURSIVE seconds (timestamp) AS (
          SELECT ?1
          UNION ALL
          SELECT (SELECT min(place) FROM {LATE_TABLE}
                  WHERE place >= (seconds.timestamp + 1) << {SERIES_BITS}) >> {SERIES_BITS}
          FROM seconds WHERE seconds.timestamp < ?2
        )
        SELECT place, value FROM seconds CROSS JOIN {LATE_TABLE}
        WHERE place = (seconds.timestamp << {SERIES_BITS}) + ?3 AND seconds.timestamp <= ?2
          AND seq <= ?4
          AND seconds.timestamp / {HOUR_S} NOT IN (SELECT atom FROM json_each(?5))
        LIMIT ?6
        """,
        (first, last, series, upto, _json(sorted(held)), limit),
    ).fetchall()
    if not rows:
        return True
    places = [row[0] for row in rows]
    timestamps = np.array(places, np.int64) >> SERIES_BITS
    values = np.array([row[1] for row in rows], np.float64)
    merge_into_blocks(connection, series, timestamps, values, now=now, levels=levels)
    connection.execute(
        f"DELETE FROM {LATE_TABLE} WHERE place IN (SELECT atom FROM json_each(?1))",
        (_json(places),),
    )
    return len(rows) < limit


@dataclass(frozen=True, slots=True)
class Smaller:
    """The datapoints of a series, in time's order, and the places of the blocks that have them.

    `stored` is when the last of these was written (Unix s).
    """

    timestamps: Ints
    values: Floats
    places: list[int]
    stored: int


def read_smaller(
    reader: apsw.Connection,
    labels: Sequence[int],
    start: int,
    stop: int,
    length: int,
    *,
    most: int,
) -> dict[int, Smaller]:
    """Return by series what blocks shorter than `length` (s) have under the labels.

    Of the series in [start, stop); those without such blocks, or with more than `most` datapoints
    in them, are left out.
    """
    rows: list[Any] = reader.execute(
        f"""
        SELECT place, count, stored, start, step, body
        FROM json_each(?1) AS label CROSS JOIN blocks
        WHERE place BETWEEN (label.atom << {SERIES_BITS}) + ?2
                        AND (label.atom << {SERIES_BITS}) + ?3 - 1 AND length < ?4
        """,
        (_json(labels), start, stop, length),
    ).fetchall()
    counts: Counter[int] = Counter()
    for place, count, *_ in rows:
        counts[place & SERIES_MASK] += count
    parts: dict[int, list[tuple[Ints, Floats]]] = {}
    places: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    for place, _, stored, begin, step, body in rows:
        series = place & SERIES_MASK
        if counts[series] <= most:
            parts.setdefault(series, []).append(blocks.decode(begin, step, body))
            places.setdefault(series, []).append(place)
            last[series] = max(stored, last.get(series, 0))
    return {
        series: Smaller(*blocks.overlay(*parts[series]), places[series], last[series])
        for series in sorted(parts)
    }


def replace_smaller(
    connection: apsw.Connection, places: Sequence[int], rows: Sequence[Row]
) -> bool:
    """Write blocks in place of others; return whether all of those were there."""
    connection.execute(
        "DELETE FROM blocks WHERE place IN (SELECT atom FROM json_each(?))", (_json(places),)
    )
    found = connection.changes() == len(places)
    write_blocks(connection, rows)
    return found


def has_smaller(reader: apsw.Connection, labels: Sequence[int], length: int) -> bool:
    """Return whether any series has a block shorter than `length` (s) under the labels."""
    row = reader.execute(
        f"""
        SELECT 1 FROM json_each(?1) AS label CROSS JOIN blocks
        WHERE place >= label.atom << {SERIES_BITS} AND place < (label.atom + 1) << {SERIES_BITS}
          AND length < ?2
        LIMIT 1
        """,
        (_json(labels), length),
    ).fetchone()
    return row is not None


def read_cursor(reader: apsw.Connection, name: str) -> int | None:
    """Return up to which second all days (or weeks) are closed, None before the first."""
    row = reader.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return int(row[0]) if row else None


def write_cursor(connection: apsw.Connection, name: str, second: int) -> None:
    """Note that all is closed up to that second."""
    connection.execute(
        "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
        (name, str(second)),
    )
