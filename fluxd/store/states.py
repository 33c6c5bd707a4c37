"""Saved detector state: one row for a slice of series, with the commit that it reflects."""

import zlib
from dataclasses import dataclass
from typing import Any

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
    rows: list[Any] = reader.execute(
        "SELECT slice, seq, version, body FROM states WHERE version = ? ORDER BY slice", (version,)
    ).fetchall()
    return [SavedState(index, seq, version, _body(packed)) for index, seq, version, packed in rows]


def _body(packed: bytes) -> bytes:
    """Return a state's bytes, none for a damaged one: the detector then learns anew."""
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return b""


def states_seq(reader: apsw.Connection, version: int) -> int:
    """Return the commit up to which every slice is current, its own `seq` notwithstanding.

    A slice without new datapoints is not written again, so its number alone would say too little.
    """
    row = reader.execute("SELECT value FROM meta WHERE name = ?", (_seq_name(version),)).fetchone()
    return int(row[0]) if row else 0


def finish_round(connection: apsw.Connection, seq: int, version: int) -> None:
    """Note that every slice reflects all commits up to `seq`; drop what no replay can need."""
    connection.execute(
        "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
        (_seq_name(version), str(seq)),
    )
    connection.execute("DELETE FROM overwritten WHERE seq <= ?", (seq,))


def _seq_name(version: int) -> str:
    return f"states_seq_{version}"
