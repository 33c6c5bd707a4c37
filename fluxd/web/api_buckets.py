"""A metric's range as a chart needs it: datapoints beside their band, thinned into equal steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fluxd.core.bands import Band

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Datapoints or buckets of one answer: more than a screen has columns, about 500 kB of JSON.
MAX_POINTS = 5_000

# Steps (s) that are chosen without being asked for. The last one fits all seconds of 10 digits.
_STEPS = (
    *(1, 2, 5, 10, 15, 20, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 20, 30)),
    *(3_600 * hours for hours in (1, 2, 3, 4, 6, 8, 12)),
    *(86_400 * days for days in (1, 2, 7, 14, 30)),
)


@dataclass(frozen=True, slots=True)
class Points:
    """Aligned arrays of one length, NaN where unknown; `lowest` and `highest` only of buckets."""

    timestamps: Ints
    values: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    score: Floats
    lowest: Floats | None = None
    highest: Floats | None = None

    def members(self) -> dict[str, Any]:
        """Return the arrays as lists under the names that the API has for them."""
        columns = {
            "timestamps": self.timestamps,
            "values": self.values,
            "min": self.lowest,
            "max": self.highest,
            "expected": self.expected,
            "lower": self.lower,
            "upper": self.upper,
            "score": self.score,
        }
        return {name: column.tolist() for name, column in columns.items() if column is not None}


def align(timestamps: Ints, values: Floats, band: Band) -> Points:
    """Put a band beside the datapoints it belongs to; `timestamps` ascend, and none is twice."""
    columns = np.full((4, len(timestamps)), np.nan)
    if len(band.timestamps):
        order = np.argsort(band.timestamps, kind="stable")
        times = band.timestamps[order]
        at = np.searchsorted(times, timestamps, side="right") - 1  # of equal ones the latest
        known = (at >= 0) & (times[at] == timestamps)
        numbers = np.stack([band.expected, band.lower, band.upper, band.score])
        columns[:, known] = numbers[:, order][:, at[known]]
    return Points(timestamps, values, *columns)


def smallest_step(timestamps: Ints) -> int:
    """Return the smallest usual step (s) that needs no more than MAX_POINTS buckets."""
    first, last = int(timestamps[0]), int(timestamps[-1])
    return next(step for step in _STEPS if last // step - first // step < MAX_POINTS)


def bucket(points: Points, step: int) -> Points:
    """Return one point per bucket that has any, at its beginning: a multiple of `step` (s).

    Values and the band are means of what is known in the bucket; the score is the highest, so that
    no anomaly disappears.
    """
    starts = points.timestamps - points.timestamps % step
    edges = np.flatnonzero(np.diff(starts, prepend=-1))
    lowest = np.minimum.reduceat(points.values, edges)
    highest = np.maximum.reduceat(points.values, edges)
    return Points(
        starts[edges],
        np.clip(_means(points.values, edges), lowest, highest),  # rounding stays inside too
        _means(points.expected, edges),
        _means(points.lower, edges),
        _means(points.upper, edges),
        np.fmax.reduceat(points.score, edges),
        lowest,
        highest,
    )


def _means(column: Floats, edges: Ints) -> Floats:
    """Return the mean of the known numbers in each bucket, NaN where none is."""
    known = np.isfinite(column)
    counts = np.add.reduceat(known.astype(np.float64), edges)
    sizes = np.diff(edges, append=len(column))
    with np.errstate(invalid="ignore", divide="ignore"):
        # Divided before they are added up: a sum of the largest numbers would be infinite.
        shares = np.where(known, column, 0.0) / np.repeat(counts, sizes)
        return np.where(counts > 0, np.add.reduceat(shares, edges), np.nan)
