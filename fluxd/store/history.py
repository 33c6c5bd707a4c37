"""Datapoints of one series on their way into its blocks, whatever is there already.

A block is written for the span that a datapoint belongs to; where one covers it, that one is
rewritten. At most one block covers a (series, second).
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec
import numpy as np

from fluxd.core.retention import LEVELS
from fluxd.store import blocks
from fluxd.store.blocks import Floats, Ints
from fluxd.store.labels import by_label
from fluxd.store.places import (
    DAY_S,
    HOUR_S,
    LATE_S,
    RECENT_TABLES,
    SERIES_BITS,
    WEEK_S,
    place_of,
)
from fluxd.store.rollups import roll_up, update_day

# A day is closed (its hours merged, its rollups written) this long after its end, a week likewise.
CLOSE_S = 2 * HOUR_S + LATE_S

Row = tuple[int, int, int, int, int, int, int, bytes]  # a row of `blocks`

_INSERT = "INSERT OR REPLACE INTO blocks VALUES"
_ROWS_A_STATEMENT = 32


# Values in a block: a week of one a minute fits. A longer one would cost whoever wants a day of it,
# or adds to it, more than 10 ms; the hours (or days) of denser series stay as they are.
MAX_VALUES = 12_000


@dataclass(slots=True)
class Stored:
    """A block: label and length (s) of its span, and its datapoints."""

    label: int
    length: int
    timestamps: Ints
    values: Floats


@dataclass(frozen=True, slots=True)
class Span:
    """Where a block is: label and length (s)."""

    label: int
    length: int

    @property
    def end(self) -> int:
        """The second after it."""
        return self.label + self.length


def write_history(
    connection: apsw.Connection,
    series: int,
    timestamps: Ints,
    values: Floats,
    *,
    now: int,
    levels: Sequence[int] = LEVELS,
) -> int:
    """Store datapoints as the latest word on their seconds; in a transaction of the caller's.

    `timestamps` (s) ascend strictly. Rows that the recent tier has of the same seconds get the new
    values too. Returns how many of the seconds the store did not have. Costs up to 10 ms a week.
    """
    fresh = merge_into_blocks(connection, series, timestamps, values, now=now, levels=levels)
    known = _overwrite_recent(connection, series, timestamps, values)
    return len(np.setdiff1d(fresh, known, assume_unique=True))


def merge_into_blocks(
    connection: apsw.Connection,
    series: int,
    timestamps: Ints,
    values: Floats,
    *,
    now: int,
    levels: Sequence[int] = LEVELS,
) -> Ints:
    """Merge datapoints into a series' blocks and rollups; in a transaction of the caller's.

    `timestamps` (s) ascend strictly. Returns the seconds that the blocks did not have.
    """
    weeks = timestamps // WEEK_S
    edges = [*np.flatnonzero(np.diff(weeks, prepend=-1)).tolist(), len(weeks)]
    fresh = [blocks.NOTHING[0]]
    for start, stop in itertools.pairwise(edges):
        part = timestamps[start:stop], values[start:stop]
        fresh += _merge_week(connection, series, *part, now=now, levels=levels)
    return np.concatenate(fresh)


def _merge_week(
    connection: apsw.Connection,
    series: int,
    timestamps: Ints,
    values: Floats,
    *,
    now: int,
    levels: Sequence[int],
) -> list[Ints]:
    """Merge datapoints of one week; return the seconds that the blocks did not have."""
    week = int(timestamps[0]) // WEEK_S * WEEK_S
    found = read_spans(connection, series, week, week + WEEK_S)
    known = set(found)
    fresh: list[Ints] = []
    for span in _targets(found, timestamps, now, levels):
        first, stop = np.searchsorted(timestamps, [span.label, span.end])
        new = timestamps[first:stop], values[first:stop]
        old = read_block(connection, series, span.label) if span in known else blocks.NOTHING
        fresh.append(np.setdiff1d(new[0], old[0], assume_unique=True))
        written = fitting(Stored(span.label, span.length, *blocks.overlay(old, new)))
        write_blocks(connection, [row_of(series, block, now=now) for block in written])
        if len(written) > 1:
            found.remove(span)
            found += [Span(block.label, block.length) for block in written]
            if span in known and span.label != written[0].label:
                connection.execute(
                    "DELETE FROM blocks WHERE place = ?", (place_of(span.label, series),)
                )
    _roll_up_closed(connection, series, found, (timestamps, values), now)
    return fresh


def _targets(
    found: list[Span], timestamps: Ints, now: int, levels: Sequence[int]
) -> Iterator[Span]:
    """Yield the blocks that the datapoints belong to; new ones are added to `found`."""
    at = 0
    while at < len(timestamps):
        second = int(timestamps[at])
        span = next((one for one in found if one.label <= second < one.end), None)
        if span is None:
            span = _new_span(found, second, now, levels)
            found.append(span)
        at = int(np.searchsorted(timestamps, span.end))
        yield span


def _new_span(found: list[Span], second: int, now: int, levels: Sequence[int]) -> Span:
    """Return the longest closed span around `second` that has no block yet."""
    for length in sorted(levels, reverse=True):
        span = Span(second // length * length, length)
        closed = length == HOUR_S or span.end + CLOSE_S <= now
        if closed and not any(one.label < span.end and one.end > span.label for one in found):
            return span
    return Span(second // HOUR_S * HOUR_S, HOUR_S)


def fitting(block: Stored) -> list[Stored]:
    """Return a block cut into days, and these into hours, as far as MAX_VALUES demands it."""
    shorter = [length for length in LEVELS if length < block.length]
    if len(block.timestamps) <= MAX_VALUES or not shorter:
        return [block]
    length = shorter[-1]
    labels = block.timestamps // length * length
    edges = [*np.flatnonzero(np.diff(labels, prepend=-1)).tolist(), len(labels)]
    parts: list[Stored] = []
    for start, stop in itertools.pairwise(edges):
        inside = block.timestamps[start:stop], block.values[start:stop]
        parts += fitting(Stored(int(labels[start]), length, *inside))
    return parts


def _roll_up_closed(
    connection: apsw.Connection,
    series: int,
    found: Iterable[Span],
    added: tuple[Ints, Floats],
    now: int,
) -> None:
    """Bring the rollups of the closed days among the added datapoints' up to date."""
    hours = roll_up(*added)
    closed = {
        hour: one for hour, one in hours.items() if hour // DAY_S * DAY_S + DAY_S + CLOSE_S <= now
    }
    if not closed:
        return
    touched = [
        span
        for span in found
        if any(span.label < hour + HOUR_S and span.end > hour for hour in closed)
    ]
    parts = [read_block(connection, series, span.label) for span in touched]
    stored = roll_up(*blocks.overlay(*parts))
    for day in sorted({hour // DAY_S * DAY_S for hour in closed}):
        own = [hour for hour in closed if day <= hour < day + DAY_S]
        update_day(
            connection,
            series,
            day,
            # All hours: where the day's row was pruned, a new one must not lack the others.
            {hour: one for hour, one in stored.items() if day <= hour < day + DAY_S},
            {hour: closed[hour] for hour in own},
        )


def _overwrite_recent(
    connection: apsw.Connection, series: int, timestamps: Ints, values: Floats
) -> Ints:
    """Give the recent tier's rows of these seconds the new values; return the seconds it has.

    They shadow the blocks, so without this an earlier value would stand.
    """
    known: set[int] = set()
    for table in RECENT_TABLES:
        ends: Any = connection.execute(
            f"SELECT (SELECT min(place) FROM {table}), (SELECT max(place) FROM {table})"
        ).fetchone()
        if ends[0] is None:
            continue
        oldest, newest = (end >> SERIES_BITS for end in ends)
        first, stop = np.searchsorted(timestamps, [oldest, newest + 1])
        places = (timestamps[first:stop] << SERIES_BITS | series).tolist()
        some = dict(zip(places, values[first:stop].tolist(), strict=True))
        # CROSS JOIN: a look-up for each of ours, never a scan of the table.
        hits: list[Any] = connection.execute(
            f"SELECT place, atom FROM json_each(?1) CROSS JOIN {table}"
            " WHERE place = CAST(key AS INTEGER)",
            (msgspec.json.encode(some).decode(),),
        ).fetchall()
        connection.executemany(f"UPDATE {table} SET value = ?2 WHERE place = ?1", hits)
        known |= {place >> SERIES_BITS for place, _ in hits}
    if known:
        connection.execute(
            "INSERT INTO meta VALUES ('recent_changes', '1')"
            " ON CONFLICT DO UPDATE SET value = CAST(value AS INTEGER) + 1"
        )
    return np.array(sorted(known), np.int64)


def recent_changes(reader: apsw.Connection) -> int:
    """Return a number that changes when history overwrites rows of the recent tier."""
    row: Any = reader.execute("SELECT value FROM meta WHERE name = 'recent_changes'").fetchone()
    return int(row[0]) if row else 0


def read_spans(reader: apsw.Connection, series: int, since: int, until: int) -> list[Span]:
    """Return where the series has blocks whose label is in [since, until) (s), by label."""
    rows: list[Any] = reader.execute(
        by_label("blocks", "label, length"),
        {"series": series, "first": max(0, since), "last": until - 1},
    ).fetchall()
    return [Span(label, length) for label, length in rows]


def read_block(reader: apsw.Connection, series: int, label: int) -> tuple[Ints, Floats]:
    """Return the datapoints of the series' block with that label (s), none where there is none."""
    row: Any = reader.execute(
        "SELECT start, step, body FROM blocks WHERE place = ?", (place_of(label, series),)
    ).fetchone()
    return blocks.decode(*row) if row else blocks.NOTHING


def row_of(series: int, block: Stored, *, now: int) -> Row:
    """Return a block as a row of the table."""
    body = blocks.encode(block.timestamps, block.values)
    place = place_of(block.label, series)
    return (place, block.length, body.start, body.step, body.count, body.size, now, body.body)


def write_blocks(connection: apsw.Connection, rows: Sequence[Row]) -> None:
    """Write rows in place of earlier ones of the same series and label.

    Many rows a statement: at the end of each one apsw gives the GIL back.
    """
    for at in range(0, len(rows), _ROWS_A_STATEMENT):
        some = rows[at : at + _ROWS_A_STATEMENT]
        marks = ",".join(["(?,?,?,?,?,?,?,?)"] * len(some))
        connection.execute(f"{_INSERT} {marks}", [part for row in some for part in row])
