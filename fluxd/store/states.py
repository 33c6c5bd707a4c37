"""Saved detector state: one row for a slice of series, with the commit that it reflects."""

import zlib
from dataclasses import dataclass

import apsw

# Series in a slice: a slice is written in one short transaction (a megabyte at 4 KB a series).
SLICE = 256


@dataclass(frozen=True, slots=True)
class SavedState:
    """State of the series `slice * SLICE …` after the commits up to `seq`."""

    slice: int
    seq: int
    version: int
    body: bytes


def write_state(connection: apsw.Connection, state: SavedState, *, now: int) -> None:
    """Store a slice's state in place of its earlier one."""
    connection.execute(
        "INSERT OR REPLACE INTO states (slice, seq, version, saved, body) VALUES (?, ?, ?, ?, ?)",
        (state.slice, state.seq, state.version, now, zlib.compress(state.body, 1)),
    )


def read_states(reader: apsw.Connection, version: int) -> list[SavedState]:
    """Return the slices that this version of the detector has saved."""
    rows = reader.execute(
        "SELECT slice, seq, version, body FROM states WHERE version = ? ORDER BY slice", (version,)
    )
    return [SavedState(*row[:3], zlib.decompress(row[3])) for row in rows]


def forget_overwritten(connection: apsw.Connection, upto: int) -> None:
    """Drop first values of overwritten datapoints that no replay can need: commits up to `upto`."""
    connection.execute("DELETE FROM overwritten WHERE seq <= ?", (upto,))
