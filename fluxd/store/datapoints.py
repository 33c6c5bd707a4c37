"""Datapoints as they are read: one metric's range, and the commits that the analysis must redo."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.store.places import LATEST, SERIES_BITS, place_of

# Rows of a replay that are held at once: 40 MB of Python numbers.
CHUNK = 400_000


def read_datapoints(
    reader: apsw.Connection, series: int, since: int, until: int, limit: int
) -> tuple[list[int], list[float]]:
    """Return timestamps and values of a series in [since, until] (s), ascending, at most `limit`.

    Hops from one second that has datapoints to the next, as the view does.
    """
    since, until = (min(max(second, 0), LATEST) for second in (since, until))
    rows: list[Any] = reader.execute(
        f"""
        WITH RECURSIVE seconds (timestamp) AS (
          SELECT (SELECT min(place) FROM recent WHERE place >= ?1) >> {SERIES_BITS}
          UNION ALL
          SELECT (SELECT min(place) FROM recent
                  WHERE place >= (seconds.timestamp + 1) << {SERIES_BITS}) >> {SERIES_BITS}
          FROM seconds WHERE seconds.timestamp < ?2
        )
        SELECT seconds.timestamp, recent.value
        FROM seconds CROSS JOIN recent
        WHERE recent.place = (seconds.timestamp << {SERIES_BITS}) + ?3
          AND seconds.timestamp <= ?2
        LIMIT ?4
        """,
        (place_of(since, 0), until, series, limit),
    ).fetchall()
    return [row[0] for row in rows], [row[1] for row in rows]


@dataclass(frozen=True, slots=True)
class Redo:
    """Committed datapoints, in the order in which they were analysed; lists of one length."""

    places: list[int]
    values: list[float]
    history: list[int]
    seqs: list[int]


def read_commits(
    reader: apsw.Connection, after: int, upto: int, *, chunk: int = CHUNK
) -> Iterator[Redo]:
    """Yield the datapoints of the commits in (after, upto], by commit and within one by place.

    An overwritten datapoint comes with its first value. Each Redo holds whole commits, and costs
    two passes over the recent tier, which is in time order.
    """
    while after < upto:
        (last,) = reader.execute(
            "SELECT max(seq) FROM (SELECT seq FROM recent WHERE seq > ?1 AND seq <= ?2"
            " ORDER BY seq LIMIT ?3)",
            (after, upto, chunk),
        ).fetchone() or (None,)
        if last is None:
            return
        rows = reader.execute(
            "SELECT place, coalesce(overwritten.value, recent.value), history, recent.seq"
            " FROM recent LEFT JOIN overwritten USING (place)"
            " WHERE recent.seq > ?1 AND recent.seq <= ?2 ORDER BY recent.seq, place",
            (after, last),
        ).fetchall()
        after = last
        yield Redo(*(list(column) for column in zip(*rows, strict=True)))


def new_places(reader: apsw.Connection, places: list[int], seqs: list[int]) -> set[int]:
    """Return those of `places` that the commit given beside them was the first to write."""
    fresh: set[int] = set()
    for place, seq in zip(places, seqs, strict=True):
        row = reader.execute("SELECT seq FROM recent WHERE place = ?", (place,)).fetchone()
        if row and row[0] == seq:
            fresh.add(place)
    return fresh
