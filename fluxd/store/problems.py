"""What the checks of a store find, and how they read it: some rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw

from fluxd.store.connection import transaction
from fluxd.store.copying import Progress
from fluxd.store.places import SERIES_MASK

# Rows that are read in one transaction: up to 0.2 s of decoding.
ROWS = 256

RESTORE = "put a backup in place: `fluxd restore FILE` (it keeps the damaged store beside it)"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do about it."""

    what: str
    mend: str


def chunks(
    reader: apsw.Connection, table: str, columns: str, progress: Progress
) -> Iterator[list[Any]]:
    """Yield a table's rows some at a time, by place; what the caller asks sees the same state."""
    last: Any = reader.execute(f"SELECT max(place), min(place) FROM {table}").fetchone()
    highest, lowest = last
    at = -1
    while highest is not None:
        with transaction(reader, "DEFERRED"):
            rows: list[Any] = reader.execute(
                f"SELECT place, {columns} FROM {table} WHERE place > ? ORDER BY place LIMIT ?",
                (at, ROWS),
            ).fetchall()
            if not rows:
                return
            yield rows
        at = rows[-1][0]
        progress(table.replace("_", " "), min(at, highest) - lowest, highest - lowest)


def exists(reader: apsw.Connection, rest: str, *bindings: int) -> bool:
    """Say whether `SELECT 1 FROM rest` finds a row."""
    return reader.execute(f"SELECT 1 FROM {rest} LIMIT 1", bindings).fetchone() is not None


def has_metric(reader: apsw.Connection, place: int) -> bool:
    """Say whether the series of a place exists."""
    return exists(reader, "series WHERE id = ?", place & SERIES_MASK)


def name_of(reader: apsw.Connection, series: int) -> str:
    """Return a series' name, or its number where it has none."""
    row = reader.execute("SELECT name FROM series WHERE id = ?", (series,)).fetchone()
    return str(row[0]) if row else f"series {series}"
