"""A metric's range as a chart needs it: datapoints beside their band, thinned into equal steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fluxd.core.bands import Band
from fluxd.store.rollups import Rollups, added_up

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
    """Put a band beside the datapoints it belongs to; in both seconds ascend, and none is twice."""
    return Points(timestamps, values, *_placed(_numbers(band), band.timestamps, timestamps))


def smallest_step(first: int, last: int, *, least: int = 1) -> int:
    """Return the smallest usual step (s), `least` or more, that cuts [first, last] (s) fine enough.

    It leaves no more than MAX_POINTS buckets.
    """
    return next(
        step for step in _STEPS if step >= least and last // step - first // step < MAX_POINTS
    )


def as_rollups(timestamps: Ints, values: Floats) -> Rollups:
    """Return datapoints as rollups of one each."""
    return Rollups(timestamps, values, values, values, np.ones(len(values), np.int64))


def regroup(parts: Sequence[Rollups], step: int) -> Rollups:
    """Return one rollup per bucket that has any, at its beginning: a multiple of `step` (s).

    `parts` are of disjoint datapoints, in any order, and none lies in two buckets. The mean is that
    of all datapoints, whatever they were grouped in before.
    """
    times, lowest, highest, mean = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("timestamps", "lowest", "highest", "mean")
    )
    count = np.concatenate([part.count for part in parts])
    if not len(times):
        return Rollups(times, lowest, highest, mean, count)
    if (times[1:] < times[:-1]).any():
        order = np.argsort(times, kind="stable")
        times, lowest, highest, mean = (c[order] for c in (times, lowest, highest, mean))
        count = count[order]
    starts = times - times % step
    edges = np.flatnonzero(np.diff(starts, prepend=-1))
    totals = np.add.reduceat(count, edges)
    lowest = np.minimum.reduceat(lowest, edges)
    highest = np.maximum.reduceat(highest, edges)
    shares = mean * (count / np.repeat(totals, np.diff(edges, append=len(starts))))
    means = np.clip(added_up(shares, edges), lowest, highest)
    return Rollups(starts[edges], lowest, highest, means, totals)


def fuller(one: Rollups, two: Rollups) -> Rollups:
    """Return the buckets of both, in any order; of one that both have the one that counts more.

    Where they count as much `one` stands.
    """
    _, at_one, at_two = np.intersect1d(
        one.timestamps, two.timestamps, assume_unique=True, return_indices=True
    )
    better = two.count[at_two] > one.count[at_one]
    keep_one = np.ones(len(one.timestamps), np.bool_)
    keep_two = np.ones(len(two.timestamps), np.bool_)
    keep_one[at_one[better]] = False
    keep_two[at_two[~better]] = False
    return Rollups(
        *(
            np.concatenate([getattr(one, name)[keep_one], getattr(two, name)[keep_two]])
            for name in ("timestamps", "lowest", "highest", "mean", "count")
        )
    )


def bucket_points(rollups: Rollups, band: Band, step: int) -> Points:
    """Put a band, by time and no second twice, beside buckets of `step` (s).

    Expected, lower and upper are means of what is known in the bucket; the score is the highest, so
    that no anomaly disappears.
    """
    times, numbers = band.timestamps - band.timestamps % step, _numbers(band)
    buckets = np.empty((4, 0))
    if len(times):
        edges = np.flatnonzero(np.diff(times, prepend=-1))
        times = times[edges]
        buckets = np.stack(
            [
                *(_means(column, edges) for column in numbers[:3]),
                np.fmax.reduceat(numbers[3], edges),
            ]
        )
    expected, lower, upper, score = _placed(buckets, times, rollups.timestamps)
    return Points(
        rollups.timestamps,
        rollups.mean,
        expected,
        lower,
        upper,
        score,
        rollups.lowest,
        rollups.highest,
    )


def _numbers(band: Band) -> Floats:
    return np.stack([band.expected, band.lower, band.upper, band.score])


def _placed(numbers: Floats, times: Ints, wanted: Ints) -> Floats:
    """Return the columns of `numbers` (4, n) that belong to `wanted`, NaN where there is none."""
    columns = np.full((4, len(wanted)), np.nan)
    if len(times):
        at = np.minimum(np.searchsorted(times, wanted), len(times) - 1)
        known = times[at] == wanted
        columns[:, known] = numbers[:, at[known]]
    return columns


def _means(column: Floats, edges: Ints) -> Floats:
    """Return the mean of the finite numbers in each bucket, NaN where there is none."""
    known = np.isfinite(column)
    counts = np.add.reduceat(known.astype(np.float64), edges)
    sizes = np.diff(edges, append=len(column))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.where(known, column, 0.0) / np.repeat(counts, sizes)
        return np.where(counts > 0, np.add.reduceat(shares, edges), np.nan)
