"""Where the datapoints of a chart lie in a box; what draws them there is elsewhere."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Column: TypeAlias = Sequence[float | None]
Point: TypeAlias = tuple[float, float]

# Without datapoints for this many usual spacings the line is interrupted.
GAP_SPACINGS = 2.5

# A band that an anomaly has widened would press all else together: it may be cut off beyond this
# many heights of what the values need.
MOST_BAND = 1.5
# Values that need less than this share of their band are drawn small in it: they are calm.
BAND_SHARE = 12

# The difference of larger numbers could be infinite.
LARGEST = 1e300

VALUE, EXPECTED, LOWER, UPPER, LEAST, MOST = range(1, 7)
"""Columns of a row, behind its time."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where the curve is drawn, in pixels."""

    left: float
    top: float
    width: float
    height: float


class Plot:
    """Datapoints and the scales that place them in a box."""

    def __init__(
        self,
        columns: Mapping[str, Column],
        box: Box,
        since: float | None = None,
        until: float | None = None,
    ) -> None:
        seconds = columns.get("timestamps") or ()
        unknown: Column = [None] * len(seconds)
        names = ("values", "expected", "lower", "upper", "min", "max")
        table = zip(seconds, *(columns.get(name) or unknown for name in names), strict=True)
        self.rows: list[tuple[Any, ...]] = [
            (row[0], *(_drawable(cell) for cell in row[1:])) for row in table
        ]
        self.box = box
        times = [row[0] for row in self.rows] or [0]
        self.since = times[0] if since is None else since
        self.until = times[-1] if until is None else until
        self.low, self.high = self._reach()
        gaps = sorted(later - sooner for sooner, later in itertools.pairwise(times))
        self._gap = GAP_SPACINGS * gaps[len(gaps) // 2] if gaps else math.inf

    def _reach(self) -> tuple[float, float]:
        """Return the lowest and the highest number that the box is to hold."""
        values = [n for row in self.rows for n in (row[1], *row[5:7]) if n is not None] or [0.0]
        limits = [limit for row in self.rows for limit in row[3:5] if limit is not None] or values
        low, high = min(values), max(values)
        under, over = min(limits), max(limits)
        reach = MOST_BAND * max(high - low, (over - under) / BAND_SHARE, abs(high) * 1e-6, 1e-9)
        low, high = max(min(low, under), low - reach), min(max(high, over), high + reach)
        if high - low < reach * 1e-3:
            low, high = low - reach / 2, high + reach / 2
        return low, high

    def x(self, timestamp: float) -> float:
        """Place a time (s), at an edge of the box where it is outside."""
        share = (timestamp - self.since) / max(self.until - self.since, 1)
        return self.box.left + self.box.width * min(max(share, 0.0), 1.0)

    def y(self, value: float) -> float:
        """Place a number likewise."""
        share = (value - self.low) / (self.high - self.low)
        return self.box.top + self.box.height * (1.0 - min(max(share, 0.0), 1.0))

    def runs(self, column: int) -> list[list[Point]]:
        """Return a column's points, cut where datapoints or numbers are missing."""
        runs: list[list[Point]] = []
        before: float | None = None
        for row in self.rows:
            value = row[column]
            if value is None:
                before = None
                continue
            if before is None or row[0] - before > self._gap:
                runs.append([])
            runs[-1].append((self.x(row[0]), self.y(value)))
            before = row[0]
        return runs


def rounded(value: float, width: float) -> float:
    """Round a number to a hundredth of the chart's height."""
    if not 0.0 < width < math.inf:
        return value
    return round(value, 2 - math.floor(math.log10(width))) + 0.0


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round numbers (1, 2 or 5 times a power of ten apart) in a range.

    >>> ticks(0.0, 97.0, 6), ticks(180.4, 260.2, 4)
    ([0.0, 20.0, 40.0, 60.0, 80.0], [200.0, 220.0, 240.0, 260.0])
    """
    width = high - low
    if not 0.0 < width < math.inf:
        return [low]
    power = 10.0 ** math.floor(math.log10(width / most))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first < most:
            return [at * step for at in range(first, last + 1)]
    return [low]


def _drawable(cell: float | None) -> float | None:
    if cell is None or not math.isfinite(cell):
        return None
    return min(max(cell, -LARGEST), LARGEST)
