"""Datapoints on their way into the recent tier: packed as the members of a JSON object.

A whole commit is one parameter of one statement, which SQLite reads without the GIL. Binding the
numbers one by one takes as long, but holds the GIL and hands it over at every statement, while the
web threads wait for it; and 500 datapoints are 13 kB in one piece instead of 1,000 objects that the
writer's core has to fetch from another one's. Doubles come out bit-identical: the JSON has their
shortest exact form, and SQLite reads that exactly (2 million random ones compared).
"""

from collections.abc import Mapping, Sequence

import apsw
import msgspec

from fluxd.store.handover import Part
from fluxd.store.places import RECENT_TABLES, SERIES_BITS, hour_of, table_of

_PLACE_BYTES = 21  # a place and its quotes; as text they sort all but always

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[int, float]).decode

_INSERTS = {
    table: f"""
INSERT INTO {table} (place, value, seq, history)
SELECT CAST(key AS INTEGER), atom, ?2, ?3 FROM json_each(?1) WHERE true
ON CONFLICT (place) DO UPDATE SET value = excluded.value
"""
    for table in RECENT_TABLES
}


def pack(datapoints: Mapping[int, float]) -> bytes:
    """Return values by place as `"place":value,…`, without the braces; empty for none.

    >>> pack({912680550400000001: 1.5})
    b'"912680550400000001":1.5'
    """
    return _encode(datapoints)[1:-1]


def unpack(packed: bytes) -> dict[int, float]:
    """Return what `pack` was given."""
    return _decode(b"{%b}" % packed)


def pack_hours(datapoints: Mapping[int, float], oldest_open: int, *, history: bool) -> list[Part]:
    """Return values by place, packed hour by hour.

    `oldest_open` is the oldest hour whose table takes datapoints; what is older comes as LATE.
    """
    if not datapoints:
        return []
    shift = SERIES_BITS
    first, last = (hour_of(end >> shift, oldest_open) for end in (min(datapoints), max(datapoints)))
    if first == last:
        return [Part(first, history, pack(datapoints))]
    hours: dict[int, dict[int, float]] = {}
    for place, value in datapoints.items():
        hours.setdefault(hour_of(place >> shift, oldest_open), {})[place] = value
    return [Part(hour, history, pack(some)) for hour, some in hours.items()]


def in_order(parts: Sequence[Part]) -> list[Part]:
    """Return the parts of a commit in the order in which they are to be written, and analysed.

    Requests come in no order, but rows that come in the table's order are appended to its last
    page, not put between others: that splits pages. What was sent with fill comes last.
    """
    return sorted(parts, key=lambda part: (part.history, part.packed[:_PLACE_BYTES]))


def write_parts(connection: apsw.Connection, parts: Sequence[Part], *, seq: int) -> set[str]:
    """Write the parts of a commit; of the same place the last one stands.

    Returns the tables that were written to.
    """
    piles: dict[tuple[str, bool], list[bytes]] = {}
    for part in parts:
        piles.setdefault((table_of(part.hour), part.history), []).append(part.packed)
    for (table, history), packed in piles.items():
        text = (b"{%b}" % b",".join(packed)).decode()
        connection.execute(_INSERTS[table], (text, seq, int(history)))
    return {table for table, _ in piles}
