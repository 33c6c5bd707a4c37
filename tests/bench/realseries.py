"""Series for the storage benchmarks: real ones from a folder of CSV files, or made up like them."""

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fluxd.ingest.series_csv import read_series

INTERVAL_S = 60
DECIMALS = 3  # at most; what agents send is seldom finer

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """A series with a datapoint a minute; `timestamps` (s) ascend strictly."""

    name: str
    timestamps: Ints
    values: Floats

    def ending(self, now: int) -> "Series":
        """Return it moved by whole minutes so that its last datapoint is not after `now`."""
        moved = (now - int(self.timestamps[-1])) // INTERVAL_S * INTERVAL_S
        return Series(self.name, self.timestamps + moved, self.values)


def load(folder: Path | None) -> list[Series]:
    """Return the folder's series of one datapoint a minute and at most three decimals.

    Without a folder some that are made up.
    """
    if folder is None:
        return made_up(30, days=25)
    files = sorted([*folder.rglob("*.csv"), *folder.rglob("*.csv.gz")])
    found = [series for file in files if (series := _read(file)) is not None]
    if not found:
        raise SystemExit(f"{folder} has no such series")
    return found


def _read(file: Path) -> Series | None:
    content = file.read_bytes()
    text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode()
    read = read_series(io.StringIO(text))
    values = np.array(read.values)
    timestamps, first = np.unique(np.array(read.timestamps, np.int64), return_index=True)
    values = values[first]
    if len(timestamps) < 2 or np.median(np.diff(timestamps)) != INTERVAL_S:
        return None
    if not (np.round(values, DECIMALS) == values).all():
        return None
    return Series(file.name.split(".")[0], timestamps, values)


def made_up(count: int, *, days: int) -> list[Series]:
    """Return daily waves under noise, a third of them whole numbers, a third with two decimals."""
    found = []
    times = np.arange(days * 1_440, dtype=np.int64) * INTERVAL_S
    for number in range(count):
        rng = np.random.default_rng([1, number])
        level = 10 ** rng.uniform(1, 4)
        wave = 1 + 0.4 * np.sin(2 * np.pi * (times / 86_400 + rng.random()))
        values = level * wave * (1 + rng.normal(0, 0.03, len(times)))
        kept = rng.random(len(times)) > 0.002  # some reports are missing
        decimals = (0, 2, 3)[number % 3]
        found.append(Series(f"made-up-{number}", times[kept], np.round(values[kept], decimals)))
    return found
