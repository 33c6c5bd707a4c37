"""Keeping with each anomaly the datapoints before it: those around it must outlive retention.

Its own datapoints come with it. Those before are in the store and in memory, and stay there for
days, so they are fetched apart: when 100,000 metrics jump at once, the analysis has better to do.
"""

import functools
import time

import numpy as np

from fluxd.core.bands import Band, join
from fluxd.core.excerpt import MOST_ROWS, Columns, columns_of
from fluxd.core.knowledge import Knowledge
from fluxd.store import Store
from fluxd.store.anomalies import Bare, read_bare, write_before
from fluxd.store.bands import read_bands
from fluxd.store.connection import Connection
from fluxd.store.datapoints import read_datapoints

# The analysis gets its turn after so long; an anomaly takes 2 to 6 ms.
BUDGET_S = 0.06

BATCH = 50
BEFORE_ROWS = 30

# Looked for within so many intervals (a gap is no reason to look further), or this long where the
# interval is not known.
REACH_INTERVALS = 45
REACH_S = 3_600
MOST_READ = 5_000


class EvidenceKeeper:
    """The job."""

    def __init__(self, store: Store, knowledge: Knowledge) -> None:
        self._store = store
        self._knowledge = knowledge

    def run(self, now: int) -> bool:
        """Complete some anomalies; return whether more are waiting."""
        del now
        end = time.monotonic() + BUDGET_S
        found: list[tuple[int, Columns]] = []
        with self._store.read() as reader:
            bare = read_bare(reader, BATCH)
            for one in bare:
                found.append((one.id, self._before(reader, one)))
                if time.monotonic() >= end:
                    break
        if found:
            self._store.writer.run(functools.partial(write_before, found=found))
        return len(bare) == BATCH or len(found) < len(bare)

    def _before(self, reader: Connection, bare: Bare) -> Columns:
        """Return the last datapoints before an anomaly, with their band where it is known."""
        reach = int(REACH_INTERVALS * bare.interval) if bare.interval else REACH_S
        # A flat line began before it was told.
        since, until = max(0, bare.started - max(reach, 1)), max(bare.first, bare.started) - 1
        # Memory first: what is dropped there meanwhile is stored then.
        recent = self._knowledge.bands.read(bare.series, since, until)
        stored = read_bands(reader, bare.series, since, until)
        band = join([stored, recent]).latest()
        timestamps, values = read_datapoints(reader, bare.series, since, until, MOST_READ)
        table = np.column_stack([values, _aligned(band, timestamps)])
        if bare.rate:
            timestamps, table = _rates(timestamps, table)
        began = int(np.searchsorted(timestamps, bare.started))
        untold = np.arange(began, len(timestamps))
        kept = np.append(np.arange(max(began - BEFORE_ROWS, 0), began), untold[:: _every(untold)])
        timestamps, table = timestamps[kept], table[kept]
        rows = [
            [at, *numbers] for at, numbers in zip(timestamps.tolist(), table.tolist(), strict=True)
        ]
        return columns_of(rows)


def _every(rows: "np.typing.NDArray[np.int64]") -> int:
    """Return of how many rows one is kept, so that there are MOST_ROWS at most."""
    return max(-(-len(rows) // MOST_ROWS), 1)


def _rates(
    timestamps: "np.typing.NDArray[np.int64]", table: "np.typing.NDArray[np.float64]"
) -> "tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.float64]]":
    """Turn a counter's totals, and the limits of their band, into rates; the first has none.

    Nothing is known of the rate where the counter was set back.
    """
    if len(timestamps) < 2:  # noqa: PLR2004  # no total before it
        return timestamps[:0], table[:0]
    rates, totals = table[1:].copy(), table[:-1, 0]
    seconds = np.diff(timestamps).astype(np.float64)
    rates[:, :4] = (rates[:, :4] - totals[:, None]) / seconds[:, None]
    rates[table[1:, 0] < totals, :4] = np.nan
    return timestamps[1:], rates


def _aligned(
    band: Band, timestamps: "np.typing.NDArray[np.int64]"
) -> "np.typing.NDArray[np.float64]":
    """Return expected, lower, upper and score of each timestamp, NaN where there is none."""
    table = np.full((len(timestamps), 4), np.nan)
    at = np.searchsorted(band.timestamps, timestamps)
    known = np.flatnonzero(at < len(band))
    known = known[band.timestamps[at[known]] == timestamps[known]]
    for column, limit in enumerate((band.expected, band.lower, band.upper, band.score)):
        table[known, column] = limit[at[known]]
    return table
