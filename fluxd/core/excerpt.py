"""The datapoints of an anomaly with their band, in the same room however many there are."""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

MOST_ROWS = 48  # of an anomaly from its start on: with 30 before, 5 to 8 KB as JSON
LAST_ROWS = 6  # that are kept besides as they came: what followed is as telling as what was before
FIELDS = 6
SCORE_AT = 5
BAND_DIGITS = 3  # of the band's width; the expected value is told no finer than that
SCORE_DECIMALS = 4
LEAST_WIDTH = 1e-300

Columns: TypeAlias = dict[str, list[float | None]]
NAMES = ("timestamps", "values", "expected", "lower", "upper", "score")


@dataclass(slots=True)
class Row:
    """One analysed datapoint and its verdict."""

    timestamp: int
    value: float
    expected: float
    lower: float
    upper: float
    score: float
    history: bool


@dataclass(slots=True)
class Excerpt:
    """Rows in the order of time. Where they become too many, of each group the oddest stays.

    A group is one row at first, and twice as many each time that the room is full.
    """

    numbers: "array[float]" = field(default_factory=lambda: array("d"))  # FIELDS a row
    group: int = 1
    filled: int = 0  # rows that the last group has had; 0: it is over
    latest: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, row: Row) -> None:
        """Take a row."""
        numbers = self.numbers
        fields = (row.timestamp, row.value, row.expected, row.lower, row.upper, row.score)
        self.latest.extend(fields)
        del self.latest[: -LAST_ROWS * FIELDS]
        better = row.score > numbers[SCORE_AT - FIELDS] if self.filled else True
        if self.filled and better:
            del numbers[-FIELDS:]
        if better:
            numbers.extend(fields)
        self.filled = (self.filled + 1) % self.group
        if not self.filled and len(numbers) == MOST_ROWS * FIELDS:
            self._halve()

    def _halve(self) -> None:
        numbers, kept = self.numbers, array("d")
        for at in range(0, len(numbers), 2 * FIELDS):
            first, second = numbers[at : at + FIELDS], numbers[at + FIELDS : at + 2 * FIELDS]
            kept.extend(second if second[SCORE_AT] > first[SCORE_AT] else first)
        self.numbers = kept
        self.group *= 2

    def columns(self) -> Columns:
        """Return the rows as they are stored: values exact, bands as fine as anyone could see."""
        rows = _rows(self.numbers)
        last = rows[-1][0] if rows else 0.0
        rows += [row for row in _rows(self.latest) if row[0] > last]
        return columns_of(rows)


def _rows(numbers: "array[float]") -> list[list[float]]:
    return [numbers[at : at + FIELDS].tolist() for at in range(0, len(numbers), FIELDS)]


def columns_of(rows: Sequence[Sequence[float]]) -> Columns:
    """Turn rows (timestamp, value, expected, lower, upper, score) into rounded columns."""
    found: Columns = {name: [] for name in NAMES}
    for timestamp, value, expected, lower, upper, score in rows:
        width = abs(upper - lower)
        decimals = None
        if LEAST_WIDTH < width < math.inf:
            decimals = BAND_DIGITS - 1 - math.floor(math.log10(width))
        found["timestamps"].append(int(timestamp))
        found["values"].append(_stored(value, None))
        for name, limit in (("expected", expected), ("lower", lower), ("upper", upper)):
            found[name].append(_stored(limit, decimals))
        found["score"].append(_stored(score, SCORE_DECIMALS))
    return found


def _stored(value: float, decimals: int | None) -> float | None:
    """Return a number as JSON can hold it."""
    if not math.isfinite(value):
        return None
    return value if decimals is None else round(value, decimals) + 0.0


def join_columns(*parts: Mapping[str, list[float | None]] | None) -> Columns:
    """Return the rows of all parts, one after another; a part may lack columns."""
    joined: Columns = {name: [] for name in NAMES}
    for part in parts:
        count = len(part.get("timestamps", [])) if part else 0
        for name in NAMES:
            joined[name] += (part or {}).get(name, [None] * count)
    return joined
