"""Datapoints as they are read: one metric's range, and the commits that the analysis must redo."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np

from fluxd.store import blocks
from fluxd.store.blocks import Floats, Ints
from fluxd.store.labels import anywhere, by_label
from fluxd.store.places import (
    HOUR_S,
    LATE_TABLE,
    LATEST,
    RECENT_TABLES,
    SERIES_BITS,
    SERIES_MASK,
    WEEK_S,
    place_of,
)

# Rows of a replay that are held at once: 25 bytes each, 200 MB.
CHUNK = 8_000_000

# Rows fetched at once, before they become arrays: Python's numbers take four times the memory.
FETCH = 50_000

# Replayed rows handed over at once.
PART = 400_000

_SIXTY = ", ".join(f"({n})" for n in range(60))


def read_datapoints(
    reader: apsw.Connection, series: int, since: int, until: int, limit: int
) -> tuple[Ints, Floats]:
    """Return seconds and values of a series in [since, until], ascending, at most `limit`."""
    since, until = (min(max(second, 0), LATEST) for second in (since, until))
    sealed = _read_sealed(reader, series, since, until, limit)
    if len(sealed[0]) > limit:  # no need of what comes later
        until = min(until, int(sealed[0][limit - 1]))
    recent = [_read_recent(reader, table, series, since, until, limit) for table in RECENT_TABLES]
    timestamps, values = blocks.overlay(sealed, *recent)
    return timestamps[:limit], values[:limit]


def _read_sealed(
    reader: apsw.Connection, series: int, since: int, until: int, limit: int
) -> tuple[Ints, Floats]:
    """Return what the blocks have; once there are `limit`, no further block is decoded."""
    cursor = reader.execute(
        by_label("blocks", "start, step, body", "label + length > :since"),
        {"series": series, "first": since // WEEK_S * WEEK_S, "last": until, "since": since},
    )
    parts: list[tuple[Ints, Floats]] = []
    count = 0
    for start, step, body in cursor:
        timestamps, values = blocks.decode(start, step, body)
        first, stop = np.searchsorted(timestamps, [since, until + 1])
        parts.append((timestamps[first:stop], values[first:stop]))
        count += int(stop - first)
        if count > limit:
            break
    cursor.close()
    return blocks.overlay(*parts)


def read_recent_seconds(reader: apsw.Connection, series: int) -> Ints:
    """Return the seconds of which the recent tier has datapoints of a series, ascending."""
    parts = [_read_recent(reader, table, series, 0, LATEST, LATEST)[0] for table in RECENT_TABLES]
    return np.unique(np.concatenate(parts))


def _read_recent(
    reader: apsw.Connection, table: str, series: int, since: int, until: int, limit: int
) -> tuple[Ints, Floats]:
    """Return what a table of the recent tier has.

    The first `limit` of each table are enough: the first of all are among them.
    """
    read = _hop if table == LATE_TABLE else _count_through
    rows = read(reader, table, series, since, until, limit)
    if not rows:
        return blocks.NOTHING
    return np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows])


def _count_through(
    reader: apsw.Connection, table: str, series: int, since: int, until: int, limit: int
) -> list[Any]:
    """Look at each second of the hours that the table has, from the first to the last with rows.

    A second has a page of its own where 10,000 metrics report once a minute, so an hour costs 4 ms,
    all but always of reading pages.
    """
    rows: list[Any] = []
    until = min(until, _last_second(reader, table))
    at = _next_second(reader, table, since, until)
    while at is not None and len(rows) < limit:
        after = (at // HOUR_S + 1) * HOUR_S
        last = min(until, after - 1)
        rows += reader.execute(
            f"""
            WITH sixty (n) AS (VALUES {_SIXTY})
            SELECT place >> {SERIES_BITS}, value
            FROM sixty AS minutes CROSS JOIN sixty AS seconds CROSS JOIN {table}
            WHERE place = ((?1 + 60 * minutes.n + seconds.n) << {SERIES_BITS}) + ?2
              AND minutes.n <= (?3 - ?1) / 60 AND place < ?4
            ORDER BY place LIMIT ?5
            """,
            (at, series, last, place_of(last + 1, 0), limit - len(rows)),
        ).fetchall()
        at = _next_second(reader, table, after, until)
    return rows


def _hop(
    reader: apsw.Connection, table: str, series: int, since: int, until: int, limit: int
) -> list[Any]:
    """Go from one second that any series has datapoints of to the next, as the view does."""
    rows: list[Any] = reader.execute(
        f"""
        WITH RECURSIVE seconds (timestamp) AS (
          SELECT (SELECT min(place) FROM {table} WHERE place >= ?1) >> {SERIES_BITS}
          UNION ALL
          SELECT (SELECT min(place) FROM {table}
                  WHERE place >= (seconds.timestamp + 1) << {SERIES_BITS}) >> {SERIES_BITS}
          FROM seconds WHERE seconds.timestamp < ?2
        )
        SELECT seconds.timestamp, value
        FROM seconds CROSS JOIN {table}
        WHERE place = (seconds.timestamp << {SERIES_BITS}) + ?3 AND seconds.timestamp <= ?2
        LIMIT ?4
        """,
        (place_of(since, 0), until, series, limit),
    ).fetchall()
    return rows


def _next_second(reader: apsw.Connection, table: str, since: int, until: int) -> int | None:
    """Return the first second in [since, until] that any series has rows of, None for none."""
    row: Any = reader.execute(
        f"SELECT min(place) >> {SERIES_BITS} FROM {table} WHERE place >= ? AND place < ?",
        (place_of(since, 0), place_of(until + 1, 0)),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def _last_second(reader: apsw.Connection, table: str) -> int:
    """Return the last second that a table of the recent tier has datapoints of, -1 for none."""
    row: Any = reader.execute(f"SELECT max(place) >> {SERIES_BITS} FROM {table}").fetchone()
    return -1 if row[0] is None else int(row[0])


def oldest_raw(reader: apsw.Connection, series: int) -> int | None:
    """Return the first second of which the store has a datapoint of the series, None for none."""
    found = [
        int(times[0])
        for times, _ in (
            _read_recent(reader, table, series, 0, LATEST, 1) for table in RECENT_TABLES
        )
        if len(times)
    ]
    row = reader.execute(f"{by_label('blocks', 'start')} LIMIT 1", anywhere(series)).fetchone()
    return min([*found, *(row or ())], default=None)


@dataclass(frozen=True, slots=True)
class Redo:
    """Committed datapoints, in the order in which they were analysed; arrays of one length."""

    places: Ints
    values: Floats
    history: "np.typing.NDArray[np.bool_]"
    seqs: Ints


def read_commits(
    reader: apsw.Connection, after: int, upto: int, *, chunk: int = CHUNK, part: int = PART
) -> Iterator[Redo]:
    """Yield the datapoints of the commits in (after, upto], by commit and within one by place.

    An overwritten datapoint comes with its first value. Each Redo holds whole commits, about `part`
    rows. A pass over the recent tier, which is in the order of time, fetches about `chunk` rows.
    """
    for first, last in _windows(reader, after, upto, chunk):
        rows = _fetch(reader, first, last)
        order = np.lexsort((rows.places, rows.seqs))
        seqs = rows.seqs[order]
        at = 0
        while at < len(order):
            stop = min(at + part, len(order))
            stop = int(np.searchsorted(seqs, seqs[stop - 1], side="right"))
            some = order[at:stop]
            yield Redo(rows.places[some], rows.values[some], rows.history[some], seqs[at:stop])
            at = stop


def _windows(reader: apsw.Connection, after: int, upto: int, chunk: int) -> list[tuple[int, int]]:
    """Cut (after, upto] into ranges with about `chunk` rows each."""
    counts: dict[int, int] = {}
    for table in RECENT_TABLES:
        for seq, count in reader.execute(
            f"SELECT seq, count(*) FROM {table} WHERE seq > ? AND seq <= ? GROUP BY seq",
            (after, upto),
        ):
            counts[seq] = counts.get(seq, 0) + count
    windows: list[tuple[int, int]] = []
    rows = 0
    for seq in sorted(counts):
        if not windows or rows + counts[seq] > chunk:
            windows.append((windows[-1][1] if windows else after, seq))
            rows = 0
        windows[-1] = (windows[-1][0], seq)
        rows += counts[seq]
    return windows


def _fetch(reader: apsw.Connection, after: int, upto: int) -> Redo:
    """Return the rows of the commits in (after, upto], in no order."""
    pieces: list[tuple[Ints, Floats, Any, Ints]] = []
    for table in RECENT_TABLES:
        cursor = reader.execute(
            "SELECT place, coalesce(overwritten.value, now.value), history, now.seq"
            f" FROM {table} AS now LEFT JOIN overwritten USING (place, seq)"
            " WHERE now.seq > ? AND now.seq <= ?",
            (after, upto),
        )
        while rows := list(itertools.islice(cursor, FETCH)):
            places, values, history, seqs = zip(*rows, strict=True)
            pieces.append(
                (
                    np.array(places, np.int64),
                    np.array(values, np.float64),
                    np.array(history, np.bool_),
                    np.array(seqs, np.int64),
                )
            )
    if not pieces:
        return Redo(*blocks.NOTHING, np.empty(0, np.bool_), np.empty(0, np.int64))
    return Redo(*(np.concatenate(column) for column in zip(*pieces, strict=True)))


def new_places(reader: apsw.Connection, places: list[int], seqs: list[int]) -> set[int]:
    """Return those of `places` that the commit given beside them was the first to write.

    The store had none of the others before: neither an hour's table nor a block has them.
    """
    fresh: set[int] = set()
    known: dict[tuple[int, int], Ints] = {}
    for place, seq in zip(places, seqs, strict=True):
        written = [
            row[0]
            for table in RECENT_TABLES
            for row in reader.execute(f"SELECT seq FROM {table} WHERE place = ?", (place,))
        ]
        if not written or min(written) != seq:
            continue
        series, second = place & SERIES_MASK, place >> SERIES_BITS
        week = second // WEEK_S
        if (series, week) not in known:
            sealed = _read_sealed(reader, series, week * WEEK_S, (week + 1) * WEEK_S - 1, LATEST)
            known[series, week] = sealed[0]
        times = known[series, week]
        at = int(np.searchsorted(times, second))
        if at == len(times) or times[at] != second:
            fresh.add(place)
    return fresh
