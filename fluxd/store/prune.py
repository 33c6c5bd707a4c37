"""Pruning in small steps: what is older than its retention goes, and its space is given back."""

from typing import Any

import apsw

from fluxd.store.places import LATEST, SERIES_BITS

# Rows looked at in one transaction: a week's block has five pages on average.
STEP_ROWS = 256

# Free pages are used again by the next rows, so giving them back is writing for nothing. This share
# of the file stays, and at least 16 MiB.
KEPT_SHARE = 0.1
KEPT_PAGES = 4_096

# Pages given back in one transaction: each is one page moved at most.
STEP_PAGES = 256


def prune_blocks(connection: apsw.Connection, after: int, before: int) -> int | None:
    """Delete blocks that end, and were last written, before `before` (s).

    Looks at the next STEP_ROWS places after `after`; returns the last of them, None at the end.
    A datapoint is kept from its own time, or, where it came as history, from when it came.
    """
    rows: list[Any] = connection.execute(
        f"SELECT place, (place >> {SERIES_BITS}) + length <= ?2 AND stored < ?2 FROM blocks"
        f" WHERE place > ?1 AND place < ?2 << {SERIES_BITS} ORDER BY place LIMIT ?3",
        (after, min(before, LATEST), STEP_ROWS),
    ).fetchall()
    connection.executemany(
        "DELETE FROM blocks WHERE place = ?", [(place,) for place, old in rows if old]
    )
    return int(rows[-1][0]) if len(rows) == STEP_ROWS else None


def prune_rollups(connection: apsw.Connection, before: int) -> bool:
    """Delete some rows of days that end before `before` (s); return whether more may be left."""
    connection.execute(
        "DELETE FROM day_rollups WHERE place IN (SELECT place FROM day_rollups"
        f" WHERE place < ?1 << {SERIES_BITS} ORDER BY place LIMIT ?2)",
        (max(0, before - 86_400 + 1), STEP_ROWS),
    )
    return bool(connection.changes() == STEP_ROWS)


def prune_anomalies(connection: apsw.Connection, before: int) -> bool:
    """Delete some anomalies that ended before `before` (s); return whether more may be left."""
    connection.execute(
        "DELETE FROM stretches WHERE id IN"
        " (SELECT id FROM stretches WHERE started < ?1 AND ended < ?1 LIMIT ?2)",
        (before, STEP_ROWS),
    )
    return bool(connection.changes() == STEP_ROWS)


def give_back(connection: apsw.Connection, *, cycle: int | None = 0) -> bool:
    """Shorten the file by some of its free pages; return whether more are to be given back.

    `cycle` pages are freed every hour, and taken again in the next; None gives all back.
    """
    free, total = connection.pragma("freelist_count"), connection.pragma("page_count")
    kept = 0 if cycle is None else max(KEPT_PAGES, int(KEPT_SHARE * total), 2 * cycle)
    if free <= kept:
        return False
    pages = min(STEP_PAGES, free - kept)
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return bool(free - pages > kept)
