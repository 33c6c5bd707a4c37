"""Bands in memory: what is read, taken and dropped, against lists."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.bands import GROUP, LAST_TIME, Band, Bands, join
from fluxd.core.detect import THRESHOLD

SLOTS = [0, 1, 3, GROUP - 1, GROUP, GROUP + 1, 3 * GROUP]

Row = tuple[int, int, float]  # slot, timestamp, number

batches = st.lists(
    st.tuples(st.sampled_from(SLOTS), st.integers(0, 9), st.floats(-1e6, 1e6, width=32)),
    min_size=1,
    max_size=8,
)
ranges = st.tuples(st.sampled_from([0, 1, 2, GROUP]), st.integers(0, 3 * GROUP + 1))
events = st.one_of(
    batches.map(lambda rows: ("add", rows)),
    batches.map(lambda rows: ("add", rows)),
    ranges.map(lambda pair: ("take", pair)),
    st.integers(0, 5).map(lambda at: ("drop", at)),
    st.sets(st.sampled_from(SLOTS)).map(lambda slots: ("forget", slots)),
)


def fill(bands: Bands, rows: list[Row]) -> None:
    slots, times, values = (np.array(column) for column in zip(*rows, strict=True))
    bands.add(slots, times, values, values - 1, values + 2, values % 1)


def rows_of(slot: int, band: Band) -> list[Row]:
    """Return a band's rows; everything else in it must follow from the expected value."""
    expected = band.expected
    np.testing.assert_allclose(band.lower, expected - 1, rtol=1e-6)
    np.testing.assert_allclose(band.upper, expected + 2, rtol=1e-6)
    np.testing.assert_allclose(band.score, expected % 1, rtol=1e-6)
    pairs = zip(band.timestamps.tolist(), expected.tolist(), strict=True)
    return [(slot, *pair) for pair in pairs]


def latest(rows: list[Row]) -> list[Row]:
    """Return the last row of each slot and second, in their order."""
    return [
        (slot, time, value)
        for (slot, time), value in sorted(
            {(slot, time): value for slot, time, value in rows}.items()
        )
    ]


@given(st.lists(events, max_size=30), st.integers(1, 9))
def test_what_is_not_dropped_is_read_as_from_a_list(
    events: list[tuple[str, Any]], leaf_rows: int
) -> None:
    bands = Bands(leaf_rows=leaf_rows)
    held: list[tuple[int, Row]] = []  # numbered
    takings: list[Any] = []
    for number, (event, argument) in enumerate(events):
        if event == "add":
            fill(bands, argument)
            held += [(number, row) for row in argument]
        elif event == "take":
            start, stop = argument
            inside = [(n, row) for n, row in held if start <= row[0] < stop]
            taken = bands.take(start, stop)
            found = [row for slot, band in taken.bands() for row in rows_of(slot, band)]
            assert found == latest([row for _, row in inside])
            takings.append((taken, inside))
        elif event == "drop" and argument < len(takings):
            # The later takings may hold the same rows; to drop them twice changes nothing.
            taken, inside = takings.pop(argument)
            bands.drop(taken)
            for entry in inside:
                if entry in held:
                    held.remove(entry)
            takings.clear()
        elif event == "forget":
            bands.forget(np.array(sorted(argument), np.int64))
            held = [(n, row) for n, row in held if row[0] not in argument]
            takings.clear()
        assert len(bands) == len(held)
    for slot in [*SLOTS, 2 * GROUP, 9 * GROUP]:
        expected = [row for _, row in held if row[0] == slot and 2 <= row[1] <= 7]
        assert rows_of(slot, bands.read(slot, 2, 7)) == expected


def test_what_comes_after_the_taking_stays() -> None:
    bands = Bands()
    fill(bands, [(1, 10, 1.0), (2, 10, 2.0)])
    before = bands.read(1, 0, 99)
    taken = bands.take(0, GROUP)
    fill(bands, [(1, 10, 3.0), (1, 20, 4.0)])
    assert bands.read(1, 0, 99).expected.tolist() == [1.0, 3.0, 4.0]  # stored twice if at all
    bands.drop(taken)
    assert bands.read(1, 0, 99).expected.tolist() == [3.0, 4.0]
    assert bands.read(2, 0, 99).expected.tolist() == []
    assert before.expected.tolist() == [1.0]


def test_a_taking_not_dropped_is_taken_again_with_what_came_since() -> None:
    bands = Bands(leaf_rows=3)
    for time in range(5):
        fill(bands, [(1, time, 1.0)])
        bands.take(0, GROUP)
    [(slot, band)] = bands.take(0, GROUP).bands()
    assert (slot, band.timestamps.tolist()) == (1, [0, 1, 2, 3, 4])


def test_the_oldest_of_the_fullest_group_give_way() -> None:
    bands = Bands(10, rows_per_slot=0, leaf_rows=3)
    fill(bands, [(GROUP, 1, 1.0)])
    for n in range(6):
        fill(bands, [(1, 3 * n + i, 1.0) for i in range(3)])
    assert bands.read(1, 0, 100).timestamps.tolist() == list(range(9, 18))
    assert len(bands) == 10
    fill(bands, [(1, 100 + i, 1.0) for i in range(50)])
    assert bands.read(1, 0, 1000).timestamps.tolist() == list(range(142, 150))
    assert len(bands.read(GROUP, 0, 100)) == 1


def test_there_is_room_for_a_number_of_rows_per_slot() -> None:
    bands = Bands(10, rows_per_slot=1, leaf_rows=16)
    fill(bands, [(1, n, 1.0) for n in range(GROUP)])
    assert len(bands) == GROUP
    fill(bands, [(1, n, 1.0) for n in range(16)])
    assert len(bands) == GROUP


def test_full_groups_are_told_the_fullest_first() -> None:
    bands = Bands()
    assert bands.full(0) == []
    fill(bands, [(1, n, 1.0) for n in range(3)] + [(GROUP, n, 1.0) for n in range(5)])
    assert (bands.full(4), bands.full(3), bands.full(6)) == ([GROUP], [GROUP, 0], [])


def test_datapoints_too_old_or_too_late_are_not_kept() -> None:
    bands = Bands()
    bands.since = 100
    fill(bands, [(1, time, 1.0) for time in (99, 100, LAST_TIME, LAST_TIME + 1)])
    assert bands.read(1, 0, 2**40).timestamps.tolist() == [100, LAST_TIME]
    fill(bands, [(1, 99, 1.0)])
    assert len(bands) == 2


def test_a_narrow_band_around_a_large_number_stays_narrow() -> None:
    bands = Bands()
    fill(bands, [(0, 1, 1.7e9)])
    band = bands.read(0, 0, 9)
    assert (band.expected - band.lower).tolist() == [1.0]
    assert (band.upper - band.expected).tolist() == [2.0]


def test_beyond_single_precision_a_side_is_infinite() -> None:
    bands = Bands()
    one = np.ones(1)
    bands.add(np.array([0]), np.array([1]), one, -1e300 * one, np.inf * one, one)
    band = bands.read(0, 0, 9)
    assert (band.lower.tolist(), band.upper.tolist()) == ([-np.inf], [np.inf])


@pytest.mark.parametrize("score", [0.0, np.nextafter(THRESHOLD, 0), THRESHOLD, 0.99, 1.0, np.nan])
def test_a_score_stays_on_its_side_of_the_threshold(score: float) -> None:
    bands = Bands()
    one = np.ones(1)
    bands.add(np.array([0]), np.array([1]), one, one, one, one * score)
    [kept] = bands.read(0, 0, 9).score.tolist()
    assert (kept >= THRESHOLD) == (score >= THRESHOLD)
    assert kept == pytest.approx(score, abs=1e-7, nan_ok=True)


def test_of_two_rows_of_one_second_the_later_stands() -> None:
    numbers = np.array([1.0, 2.0, 3.0])
    band = Band(np.array([20, 10, 20]), numbers, numbers, numbers, numbers)
    joined = join([band, Band(np.array([10]), *[numbers[2:]] * 4)]).latest()
    assert joined.timestamps.tolist() == [10, 20]
    assert joined.score.tolist() == [3.0, 3.0]
    assert len(join([]).latest()) == 0
