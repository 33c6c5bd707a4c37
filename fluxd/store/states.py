"""Saved detector state: one row for a slice of series, with the commit that it reflects."""

import zlib
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np

# Series in a slice: a slice is written in one short transaction (a megabyte at 4 KB a series).
SLICE = 256

# A state is arrays of doubles and of triples of singles: bytes that stand this far apart resemble
# each other. Put side by side and packed as runs they take 2.7 kB a metric after 25 days, where
# zlib alone leaves 3.2 and takes twice as long.
STRIDE = 24
PACKED = b"\0"  # zlib's own streams, of earlier versions, begin with another byte


@dataclass(frozen=True, slots=True)
class SavedState:
    """State of the series `slice * SLICE …` after the commits up to `seq`."""

    slice: int
    seq: int
    version: int
    body: bytes


def write_state(
    connection: apsw.Connection, state: SavedState, *, now: int, packed: bytes | None = None
) -> None:
    """Store a slice's state in place of its earlier one.

    `packed` is its packed body, where that was done before: 10 to 20 ms that nobody need wait for.
    """
    connection.execute(
        "INSERT OR REPLACE INTO states (slice, seq, version, saved, body) VALUES (?, ?, ?, ?, ?)",
        (state.slice, state.seq, state.version, now, packed or pack_state(state.body)),
    )


def read_states(reader: apsw.Connection, version: int) -> list[SavedState]:
    """Return the slices that this version of the detector has saved."""
    rows: list[Any] = reader.execute(
        "SELECT slice, seq, version, body FROM states WHERE version = ? ORDER BY slice", (version,)
    ).fetchall()
    return [SavedState(index, seq, version, _body(packed)) for index, seq, version, packed in rows]


def pack_state(body: bytes) -> bytes:
    """Return a state's bytes compressed."""
    even = len(body) // STRIDE * STRIDE
    planes = np.frombuffer(body, np.uint8, even).reshape(-1, STRIDE).T
    deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    parts = [PACKED]
    for plane in planes:
        # A block of its own for each, since each has other frequent bytes.
        parts += deflate.compress(plane.tobytes()), deflate.flush(zlib.Z_BLOCK)
    parts += deflate.compress(body[even:]), deflate.flush()
    return b"".join(parts)


def _body(packed: bytes) -> bytes:
    """Return a state's bytes, none for a damaged one: the detector then learns anew."""
    try:
        if not packed.startswith(PACKED):
            return zlib.decompress(packed)
        turned = zlib.decompress(packed[len(PACKED) :], wbits=-zlib.MAX_WBITS)
    except zlib.error:
        return b""
    even = len(turned) // STRIDE * STRIDE
    planes = np.frombuffer(turned, np.uint8, even).reshape(STRIDE, -1)
    return planes.T.tobytes() + turned[even:]


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
