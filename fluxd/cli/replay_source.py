"""Where `fluxd replay` takes its datapoints from: a CSV, or the store."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fluxd.cli.progress import Progress
from fluxd.cli.series_file import read_file
from fluxd.core.detect.layout import Floats, Ints
from fluxd.core.errors import FluxdError, NotFoundError, StoreError
from fluxd.daemon.offline import connect_offline
from fluxd.store.connection import Connection, transaction
from fluxd.store.datapoints import read_datapoints
from fluxd.store.places import LATEST
from fluxd.store.series import find_series, get_series

# Datapoints read in one transaction: an open one keeps the store's log from ending.
READ_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Series:
    """Datapoints in the order in which they are analysed, and sentences about what was left out."""

    name: str
    timestamps: Ints
    values: Floats
    faults: list[str]


def read_source(source: str | None, metric: str | None, data: Path | None, bar: Progress) -> Series:
    """Read the file `source`, else the stored metric of that name; or the metric `metric`.

    Raises FluxdError where there is neither.
    """
    if (source is None) == (metric is None):
        raise FluxdError(
            "name a CSV or a metric, and not both: `fluxd replay FILE.csv`, or "
            "`fluxd replay --metric NAME`"
        )
    if source is not None and _is_file(source):
        return _of_file(source, bar)
    name = metric if source is None else source
    assert name is not None  # noqa: S101  # one of the two was given
    try:
        with connect_offline(data) as connection:
            if source is not None and find_series(connection, name) is None:
                raise NotFoundError(
                    f"there is neither a file {name} nor a metric of that name: "
                    "`fluxd metric list` shows the metrics"
                )
            return _of_store(connection, name, bar)
    except StoreError as error:
        if source is None:
            raise
        raise NotFoundError(
            f"there is no file {name}, and if it is a metric: {error.message}"
        ) from error


def _is_file(source: str) -> bool:
    try:
        return source == "-" or Path(source).exists()
    except OSError:
        return True  # opening it tells what is wrong with it


def _of_file(file: str, bar: Progress) -> Series:
    picked = read_file(file, int(time.time()), "fluxd replay -", bar)
    return Series(file, picked.timestamps, picked.values, picked.reasons)


def _of_store(connection: Connection, name: str, bar: Progress) -> Series:
    """Read all that is stored of a metric, in the order of time: so an import would be learnt."""
    parts: list[tuple[Ints, Floats]] = []
    since, count = 0, READ_ROWS
    while count == READ_ROWS:
        with transaction(connection, "DEFERRED"):
            series = get_series(connection, name)
            parts.append(read_datapoints(connection, series, since, LATEST, READ_ROWS))
        count = parts[-1][0].size
        since = int(parts[-1][0][-1]) + 1 if count else since
        bar(f"reading {name}", since, LATEST)
    timestamps, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Series(name, timestamps, values, [])
