import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.bands import Bands

chunks = st.lists(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 20), st.floats(-1e6, 1e6, width=32)),
        min_size=1,
        max_size=8,
    ),
    max_size=8,
)


def fill(bands: Bands, rows: list[tuple[int, int, float]]) -> None:
    slots, times, values = (np.array(column) for column in zip(*rows, strict=True))
    bands.add(slots, times, values, values - 1, values + 1, values / 2)


@given(chunks, st.integers(0, 20), st.integers(0, 20), st.integers(1, 70))
def test_a_range_is_read_as_from_a_list(
    added: list[list[tuple[int, int, float]]], since: int, until: int, chunk_rows: int
) -> None:
    bands = Bands(chunk_rows=chunk_rows)
    for rows in added:
        fill(bands, rows)
    assert len(bands) == sum(map(len, added))
    for slot in range(5):
        expected = [
            (time, value)
            for rows in added
            for s, time, value in rows
            if s == slot and since <= time <= until
        ]
        band = bands.read(slot, since, until)
        assert list(zip(band.timestamps.tolist(), band.expected.tolist(), strict=True)) == expected
        centre = band.expected
        np.testing.assert_allclose(band.lower, centre - 1, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(band.upper, centre + 1, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(band.score, centre / 2, rtol=1e-6, atol=1e-6)


def test_the_oldest_give_way() -> None:
    bands = Bands(max_rows=10, chunk_rows=3)
    for n in range(6):
        fill(bands, [(1, 3 * n + i, 1.0) for i in range(3)])
    assert bands.read(1, 0, 100).timestamps.tolist() == list(range(9, 18))
    fill(bands, [(1, 100 + i, 1.0) for i in range(50)])
    assert bands.read(1, 0, 1000).timestamps.tolist() == list(range(100, 150))


def test_beyond_single_precision_a_band_is_infinite() -> None:
    bands = Bands()
    fill(bands, [(0, 1, 1e300)])
    assert bands.read(0, 0, 9).expected.tolist() == [np.inf]
