"""The parts of `fluxd check` that look at every row: blocks, rollups and bands."""

import contextlib
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np

from fluxd.core.band_codec import decode as decode_band
from fluxd.core.retention import LEVELS
from fluxd.store import blocks
from fluxd.store.blocks import Floats, Ints
from fluxd.store.copying import Progress
from fluxd.store.places import DAY_S, LATEST, SERIES_BITS, SERIES_MASK, place_of
from fluxd.store.problems import RESTORE, Problem, chunks, exists, has_metric, name_of
from fluxd.store.rollups import Hour, roll_up, unpack_day

# A rollup's mean has seven digits.
MEAN_TOLERANCE = 1e-6

# ---- blocks


@dataclass(slots=True)
class Block:
    """A row of the table of blocks."""

    place: int
    length: int
    start: int
    step: int
    count: int
    size: int
    body: bytes

    @property
    def label(self) -> int:
        """The beginning of its span (s)."""
        return self.place >> SERIES_BITS

    @property
    def series(self) -> int:
        """The id of its series."""
        return self.place & SERIES_MASK


def check_blocks(reader: apsw.Connection, progress: Progress) -> Iterator[Problem]:
    """Yield blocks that don't decode, aren't what they say, overlap, or disagree with rollups."""
    ends = Ends()
    for rows in chunks(reader, "blocks", "length, start, step, count, size, body", progress):
        for row in rows:
            block = Block(*row)
            fault, datapoints = block_fault(block)
            if fault:
                yield _block_problem(reader, block, fault)
            if ends.add(block) > block.label and _is_covered(reader, block):
                yield _block_problem(reader, block, "is of seconds that another block has too")
            if not fault and block.length >= DAY_S:
                yield from _compare_rollups(reader, block, datapoints)
            if not has_metric(reader, block.place):
                yield _block_problem(reader, block, "belongs to no metric")


class Ends:
    """Where each series' blocks end so far, in the order of their labels: 8 bytes a series."""

    def __init__(self) -> None:
        self._ends = array("q")

    def add(self, block: Block) -> int:
        """Return where (s) the series' earlier blocks end, and count this one in."""
        if block.series >= len(self._ends):
            self._ends.extend([0] * (block.series + 1 - len(self._ends)))
        earlier = self._ends[block.series]
        self._ends[block.series] = max(earlier, min(block.label + block.length, LATEST))
        return earlier


def block_fault(block: Block) -> tuple[str, tuple[Ints, Floats]]:
    """Return what is wrong with a block taken by itself, "" for nothing, and its datapoints."""
    try:
        text = blocks.decompress(block.body)
        timestamps, values = blocks.decode(block.start, block.step, text)
    except (ValueError, zlib.error) as error:
        return f"can't be decoded ({error})", blocks.NOTHING
    size = len(text)
    end = block.label + block.length
    faults = (
        (block.length not in LEVELS or block.label % (block.length or 1), "has no proper span"),
        (len(timestamps) != block.count, f"has {len(timestamps)} datapoints, not {block.count}"),
        (size != block.size, f"has {size} bytes of JSON, not {block.size}"),
        (not len(timestamps), "is empty"),
        (block.step < 1 or (np.diff(timestamps) <= 0).any(), "has seconds that don't ascend"),
        (len(timestamps) and timestamps[0] != block.start, "does not begin at its start"),
        (
            len(timestamps) and not block.label <= timestamps[0] <= timestamps[-1] < end,
            "has datapoints outside its span",
        ),
        (not np.isfinite(values).all(), "has values that are no numbers"),
    )
    return next((text for wrong, text in faults if wrong), ""), (timestamps, values)


def _is_covered(reader: apsw.Connection, block: Block) -> bool:
    """Look again, now: a block seen earlier may have been merged or deleted since."""
    longer = [
        (block.label // length * length, length) for length in LEVELS if length > block.length
    ]
    return any(
        exists(
            reader, "blocks WHERE place = ? AND length = ?", place_of(label, block.series), length
        )
        for label, length in longer
    )


def _compare_rollups(
    reader: apsw.Connection, block: Block, datapoints: tuple[Ints, Floats]
) -> Iterator[Problem]:
    """Yield the days whose rollup knows less than the datapoints of a block.

    It may know more, of datapoints that were pruned, and it may be gone before they are.
    """
    known = _known_hours(reader, block)
    if not known:
        return
    days: set[int] = set()
    for hour, raw in roll_up(*datapoints).items():
        day = hour // DAY_S * DAY_S
        if day not in known or day in days or knows(known[day].get(hour), raw):
            continue
        days.add(day)
        yield Problem(
            f"the rollup of {name_of(reader, block.series)} for the hour {hour} is "
            f"{known[day].get(hour)}, its datapoints make {raw}",
            "longer charts are wrong there; send or import one datapoint of that day anew, then "
            "its rollups are made again",
        )


def _known_hours(reader: apsw.Connection, block: Block) -> dict[int, dict[int, Hour]]:
    """Return what is rolled up of the days in a block's span, by day."""
    known: dict[int, dict[int, Hour]] = {}
    for day in range(block.label, block.label + block.length, DAY_S):
        place = place_of(day, block.series)
        row: Any = reader.execute(
            "SELECT body FROM day_rollups WHERE place = ?", (place,)
        ).fetchone()
        with contextlib.suppress(ValueError):  # told by `check_rollups`
            known |= {day: unpack_day(day, row[0])} if row else {}
    return known


def knows(rollup: Hour | None, raw: Hour) -> bool:
    """Say whether an hour's rollup counts in its datapoints `raw`, and perhaps pruned ones.

    >>> knows((1.0, 5.0, 3.0, 3), (1.0, 5.0, 3.0, 3)), knows((1.0, 5.0, 3.0, 2), (1.0, 5.0, 3.0, 3))
    (True, False)
    """
    if rollup is None or rollup[3] < raw[3] or rollup[0] > raw[0] or rollup[1] < raw[1]:
        return False
    width = MEAN_TOLERANCE * max(abs(raw[0]), abs(raw[1]), 1e-300)
    return rollup[3] > raw[3] or abs(rollup[2] - raw[2]) <= width


def _block_problem(reader: apsw.Connection, block: Block, fault: str) -> Problem:
    return Problem(
        f"the block of {name_of(reader, block.series)} for {block.length} s from {block.label} on "
        f"{fault}",
        f"{RESTORE}; or give its datapoints up: stop the daemon, then "
        f"`sqlite3 fluxd.db 'DELETE FROM blocks WHERE place = {block.place}'`",
    )


# ---- rollups and bands


def check_rollups(reader: apsw.Connection, progress: Progress) -> Iterator[Problem]:
    """Yield rows of rollups that don't decode or can't be."""
    for rows in chunks(reader, "day_rollups", "size, body", progress):
        for place, size, body in rows:
            fault = rollup_fault(place >> SERIES_BITS, size, body)
            if not fault and not has_metric(reader, place):
                fault = "belong to no metric"
            if fault:
                yield Problem(
                    f"the rollups of {name_of(reader, place & SERIES_MASK)} for the day "
                    f"{place >> SERIES_BITS} {fault}",
                    f"{RESTORE}; or do without that day in longer charts: stop the daemon, then "
                    f"`sqlite3 fluxd.db 'DELETE FROM day_rollups WHERE place = {place}'`",
                )


def rollup_fault(day: int, size: int, body: bytes) -> str:
    """Return what is wrong with a day's rollups, "" for nothing."""
    try:
        hours = unpack_day(day, body)
        real_size = len(blocks.decompress(body))
    except (ValueError, zlib.error) as error:
        return f"can't be decoded ({error})"
    if day % DAY_S or any(not day <= hour < day + DAY_S for hour in hours):
        return "have no proper day"
    if real_size != size:
        return f"have {real_size} bytes of JSON, not {size}"
    if any(not (low <= mean <= high and count > 0) for low, high, mean, count in hours.values()):
        return "have a minimum, mean and maximum out of order, or of no datapoints"
    return ""


def check_bands(reader: apsw.Connection, progress: Progress) -> Iterator[Problem]:
    """Yield bands that don't decode."""
    for rows in chunks(reader, "bands", "first, last, count, body", progress):
        for place, first, last, count, body in rows:
            fault = band_fault(first, last, count, body)
            if not fault and not has_metric(reader, place):
                fault = "belongs to no metric"
            if fault:
                yield Problem(
                    f"the band of {name_of(reader, place & SERIES_MASK)} saved at "
                    f"{place >> SERIES_BITS} {fault}",
                    "nothing: charts do without it, and it goes after `retention.band`",
                )


def band_fault(first: int, last: int, count: int, body: bytes) -> str:
    """Return what is wrong with a stored band, "" for nothing."""
    try:
        band = decode_band(body, first, last, count)
    except (ValueError, IndexError, MemoryError, OverflowError) as error:
        return f"can't be decoded ({error})"
    if len(band) != count:
        return f"has {len(band)} rows, not {count}"
    if (np.diff(band.timestamps) <= 0).any():
        return "has seconds that don't ascend"
    return ""
