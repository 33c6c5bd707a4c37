"""Packed datapoints: what goes into SQLite as text comes out of the table bit for bit."""

import struct
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from store.posting import memory_folder

from fluxd.store.connection import open_writer
from fluxd.store.handover import Part
from fluxd.store.migrate import migrate
from fluxd.store.places import MAX_SERIES, place_of
from fluxd.store.rows import pack, unpack, write_parts

places = st.builds(place_of, st.integers(1_000_000_000, 9_999_999_999), st.integers(1, MAX_SERIES))
values = st.floats(allow_nan=False, allow_infinity=False)


def bits(value: float) -> bytes:
    return struct.pack("<d", value + 0.0)  # SQLite stores -0.0 as 0.0


@given(st.dictionaries(places, values, max_size=50))
def test_packing_is_undone_by_unpacking(datapoints: dict[int, float]) -> None:
    assert unpack(pack(datapoints)) == datapoints


@given(st.lists(st.dictionaries(places, values, max_size=50), max_size=4))
@settings(max_examples=50, deadline=None)
@example(
    [{place_of(1_700_000_000, 1): 5e-324}, {place_of(1_700_000_000, 2): 1.7976931348623157e308}]
)
@example([{place_of(1_700_000_000, 1): 0.1 + 0.2}, {place_of(1_700_000_000, 1): 1e23}])
def test_the_table_has_the_very_doubles(parts: list[dict[int, float]]) -> None:
    expected = {place: value for part in parts for place, value in part.items()}
    with memory_folder() as folder:
        path: Path = folder / "rows.db"
        connection = open_writer(path, create=True)
        migrate(connection, path)
        with connection:
            sent = [
                Part(1_700_000_000 // 3600, history=False, packed=pack(part))
                for part in parts
                if part
            ]
            write_parts(connection, sent, seq=7)
        rows = connection.execute("SELECT place, value, seq, history FROM recent").fetchall()
        connection.close()
    assert {place: bits(value) for place, value, *_ in rows} == {
        place: bits(value) for place, value in expected.items()
    }
    assert {(seq, history) for _, _, seq, history in rows} <= {(7, 0)}
