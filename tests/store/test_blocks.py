"""Blocks come back as they went in, by our own code and in plain SQL."""

import math
import random
import struct
import subprocess
import sys
import zlib
from fractions import Fraction

import apsw
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store.posting import AGENT, NOW, batch_of

from fluxd.store import Store, blocks
from fluxd.store.history import (
    CLOSE_S,
    LEVELS,
    MAX_VALUES,
    merge_into_blocks,
    read_block,
    read_spans,
    write_history,
)
from fluxd.store.places import DAY_S, HOUR_S, WEEK_S
from fluxd.store.rollups import combine, pack_day, read_rollups, roll_up, unpack_day

DOUBLES = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: value + 0.0)
OFFSETS = st.one_of(
    st.lists(st.integers(0, WEEK_S - 1), min_size=1, max_size=30, unique=True),
    st.integers(1, 50).flatmap(
        lambda step: st.lists(st.integers(0, 40), min_size=1, unique=True).map(
            lambda slots: [step * slot for slot in slots]
        )
    ),
)


def arrays(offsets: list[int], values: list[float]) -> tuple[blocks.Ints, blocks.Floats]:
    times = NOW + np.array(sorted(offsets), np.int64)
    return times, np.array([values[n % len(values)] for n in range(len(offsets))], np.float64)


def sql_rows(block: blocks.Body) -> list[tuple[int, float]]:
    """Read a block as the view does."""
    connection = apsw.Connection(":memory:")
    found = connection.execute(
        "SELECT ?1 + ?2 * CAST(key AS INTEGER), CAST(atom AS REAL) FROM json_each(CAST(?3 AS TEXT))"
        " WHERE atom IS NOT NULL",
        (block.start, block.step, blocks.decompress(block.body)),
    ).fetchall()
    return [(int(second), float(value)) for second, value in found]


@given(OFFSETS, st.lists(DOUBLES, min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
@example([0], [12.5])  # six bytes of JSON: as a blob newer SQLite takes them for JSONB
@example([0, 60, 120], [5e-324, 1.7976931348623157e308, -0.1])
@example([0, 60, 120], [1e15, 123456789012345.0, -3.0])
def test_a_block_comes_back_bit_for_bit(offsets: list[int], values: list[float]) -> None:
    times, numbers = arrays(offsets, values)
    block = blocks.encode(times, numbers)
    assert block.count == len(times)
    assert block.size == len(blocks.decompress(block.body))
    found = blocks.decode(block.start, block.step, block.body)
    assert found[0].tolist() == times.tolist()
    assert found[1].tobytes() == numbers.tobytes()
    assert sql_rows(block) == list(zip(times.tolist(), numbers.tolist(), strict=True))


def test_regular_series_are_arrays_and_irregular_ones_objects() -> None:
    for step in (1, 10, 60, 3600):
        times = NOW + step * np.arange(50)
        block = blocks.encode(times, np.ones(50))
        assert (block.start, block.step) == (NOW, step)
        assert blocks.decompress(block.body) == b"[" + b",".join([b"1"] * 50) + b"]"
    rng = random.Random(1)
    jittered = np.cumsum([60 + rng.choice([-1, 0, 1]) for _ in range(200)])
    block = blocks.encode(NOW + jittered, np.ones(200))
    assert blocks.decompress(block.body).startswith(b'{"0":1,')


@pytest.mark.parametrize("body", [b"", b"x", zlib.compress(b"[1,"), b"[1,", b'{"a":1}', b"[true]"])
def test_a_damaged_block_is_told(body: bytes) -> None:
    with pytest.raises(ValueError, match="damaged"):
        blocks.decode(0, 1, body)


def test_the_stock_shell_reads_the_very_doubles(store: Store) -> None:
    rng = random.Random(5)
    values = [struct.unpack("<d", rng.randbytes(8))[0] for _ in range(4000)]
    numbers = np.array([value + 0.0 for value in values if math.isfinite(value)])
    times = NOW - 60 * np.arange(len(numbers), 0, -1)
    store.writer.submit(batch_of(store, AGENT, [("m", NOW, 1.0, False)]))
    store.writer.run(lambda c: write_history(c, 1, times, numbers, now=NOW))
    query = (
        "select hex(ieee754_to_blob(value)) from datapoints where metric = 'm'"
        f" and timestamp < {NOW} order by timestamp"
    )
    answer = subprocess.run(
        ["sqlite3", "-readonly", store.path, query], check=True, capture_output=True, text=True
    )
    assert bytes.fromhex(answer.stdout) == numbers.astype(">f8").tobytes()


PARTS = st.lists(
    st.lists(st.tuples(st.integers(0, 40), DOUBLES), min_size=1, max_size=12), max_size=4
)


@given(PARTS)
@settings(deadline=None)
def test_the_last_part_stands(parts: list[list[tuple[int, float]]]) -> None:
    expected: dict[int, float] = {}
    arrays = []
    for part in parts:
        own = dict(part)
        expected |= own
        times = sorted(own)
        arrays.append((np.array(times, np.int64), np.array([own[t] for t in times])))
    times, values = blocks.overlay(*arrays)
    assert dict(zip(times.tolist(), values.tolist(), strict=True)) == expected
    assert times.tolist() == sorted(expected)


def test_history_makes_the_longest_blocks_that_are_closed(store: Store) -> None:
    now = NOW // WEEK_S * WEEK_S + 3 * DAY_S + CLOSE_S + 1800
    times = np.arange(now - 2 * WEEK_S, now, 600)
    store.writer.submit(batch_of(store, AGENT, [("m", now, 1.0, False)], now=now))
    store.writer.run(lambda c: write_history(c, 1, times, np.ones(len(times)), now=now))
    with store.read() as reader:
        found = read_spans(reader, 1, 0, now)
        parts = [read_block(reader, 1, one.label)[0] for one in found]
    assert [one.length for one in found] == [WEEK_S] * 2 + [DAY_S] * 3 + [HOUR_S] * 3
    assert np.concatenate(parts).tolist() == times.tolist()
    # An hour that has a block keeps it; a day in which some hours have one gets no other.
    late = np.array([now - 5 * WEEK_S], np.int64)
    store.writer.run(
        lambda c: merge_into_blocks(c, 1, late, np.ones(1), now=now, levels=LEVELS[:1])
    )
    early = late - 7200
    store.writer.run(lambda c: merge_into_blocks(c, 1, early, np.ones(1), now=now))
    with store.read() as reader:
        assert [one.length for one in read_spans(reader, 1, 0, now - 3 * WEEK_S)] == [HOUR_S] * 2


def test_a_dense_series_has_shorter_blocks(store: Store) -> None:
    """A week block that fills up is cut into days, a day into hours."""
    week = NOW // WEEK_S * WEEK_S - 4 * WEEK_S
    store.writer.submit(batch_of(store, AGENT, [("m", NOW, 1.0, False)]))
    lengths = []
    everything: list[int] = []
    for part in ([5 * DAY_S], range(60, WEEK_S, 60), range(30, WEEK_S, 60), range(HOUR_S)):
        times = week + np.array(part, np.int64)
        everything = sorted({*everything, *times.tolist()})
        store.writer.run(lambda c, t=times: write_history(c, 1, t, np.ones(len(t)), now=NOW))
        with store.read() as reader:
            found = read_spans(reader, 1, week, week + WEEK_S)
            parts = [read_block(reader, 1, one.label)[0] for one in found]
            rolled_up = read_rollups(reader, 1, week, week + WEEK_S)
        lengths.append([one.length for one in found])
        assert np.concatenate(parts).tolist() == everything
        assert max(map(len, parts)) <= MAX_VALUES
        assert rolled_up.count.sum() == len(everything)
    assert lengths == [[WEEK_S], [WEEK_S], [DAY_S] * 7, [DAY_S] * 7]
    for second in range(1, 60, 2):
        times = week + np.arange(second, DAY_S, 60)
        store.writer.run(lambda c, t=times: write_history(c, 1, t, np.ones(len(t)), now=NOW))
    with store.read() as reader:
        found = read_spans(reader, 1, week, week + WEEK_S)
    assert [one.length for one in found] == [HOUR_S] * 24 + [DAY_S] * 6


HOURS = st.tuples(DOUBLES, DOUBLES, DOUBLES, st.integers(1, 5000))


@given(st.dictionaries(st.integers(0, 23).map(lambda hour: DAY_S + HOUR_S * hour), HOURS))
def test_a_day_of_rollups_comes_back(hours: dict[int, tuple[float, float, float, int]]) -> None:
    size, body = pack_day(DAY_S, hours)
    assert size == len(blocks.decompress(body))
    assert unpack_day(DAY_S, body) == hours
    with pytest.raises(ValueError, match="damaged"):
        unpack_day(DAY_S, body[:-3])


@given(OFFSETS, st.lists(DOUBLES, min_size=1, max_size=20))
@example([0, 1, 2], [sys.float_info.max])
@settings(deadline=None)
def test_hours_are_rolled_up_as_by_hand(offsets: list[int], values: list[float]) -> None:
    times, numbers = arrays(offsets, values)
    naive: dict[int, list[float]] = {}
    for second, value in zip(times.tolist(), numbers.tolist(), strict=True):
        naive.setdefault(second // HOUR_S * HOUR_S, []).append(value)
    found = roll_up(times, numbers)
    assert found.keys() == naive.keys()
    for hour, (low, high, mean, count) in found.items():
        assert (low, high, count) == (min(naive[hour]), max(naive[hour]), len(naive[hour]))
        exact = float(sum(map(Fraction, naive[hour])) / count)
        assert low <= mean <= high
        assert mean == pytest.approx(exact, rel=1e-6, abs=1e-6 * max(abs(low), abs(high)))
    assert roll_up(*blocks.NOTHING) == {}


def test_what_comes_after_raw_was_pruned_is_added_to_the_rollup(store: Store) -> None:
    store.writer.submit(batch_of(store, AGENT, [("m", NOW, 1.0, False)]))
    hour = NOW // HOUR_S * HOUR_S - 40 * DAY_S
    times = hour + 60 * np.arange(60)
    values = np.arange(60.0)
    write = store.writer.run
    write(lambda c: write_history(c, 1, times, values, now=NOW))
    write(lambda c: c.execute("DELETE FROM blocks"))
    write(lambda c: write_history(c, 1, times[:1] + 30, np.array([600.0]), now=NOW))
    with store.read() as reader:
        found = read_rollups(reader, 1, hour, hour)
    assert (found.lowest[0], found.highest[0], found.count[0]) == (0.0, 600.0, 61)
    assert found.mean[0] == pytest.approx((values.sum() + 600) / 61)
    # The whole hour again: it takes the place of what was known.
    write(lambda c: write_history(c, 1, times, values + 1, now=NOW))
    with store.read() as reader:
        found = read_rollups(reader, 1, hour, hour)
    assert (found.lowest[0], found.count[0]) == (1.0, 61)
    assert combine((1, 2, 1.5, 1), (0, 1, 0.5, 1)) == (0, 2, 1.0, 2)
