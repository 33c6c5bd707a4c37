"""Where `fluxd replay` takes its datapoints from: a CSV, or the store."""

import io
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from fluxd.cli.progress import Progress
from fluxd.core.detect.layout import Floats, Ints
from fluxd.core.errors import FluxdError, NotFoundError, StoreError
from fluxd.daemon.offline import connect_offline
from fluxd.ingest.series_csv import SeriesFile, read_series
from fluxd.store.connection import Connection, transaction
from fluxd.store.datapoints import read_datapoints
from fluxd.store.places import LATEST
from fluxd.store.series import find_series, get_series

# Datapoints read in one transaction: an open one keeps the store's log from ending.
READ_ROWS = 200_000

# What files begin with that are often taken for a CSV.
GZIP, UTF_16 = b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")


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
        return _of_file(source)
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


def _of_file(file: str) -> Series:
    series = _read(file)
    faults = [f"line {line} left out: {reason}" for line, reason in series.faults]
    if series.skipped > len(series.faults):
        faults.append(f"{series.skipped} lines left out in all")
    timestamps, values = np.array(series.timestamps, np.int64), np.array(series.values, np.float64)
    return Series(file, timestamps, values, faults)


def _read(file: str) -> SeriesFile:
    try:
        with _opened(file) as lines:
            return read_series(lines)
    except OSError as error:
        raise FluxdError(f"{file} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FluxdError(f"{file} can't be read: {_unpacked(file, error)}") from error


def _opened(file: str) -> TextIO:
    if file == "-":  # in UTF-8 whatever the locale
        return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="")
    return Path(file).open(newline="", encoding="utf-8")


def _unpacked(file: str, error: UnicodeDecodeError) -> str:
    """Say how to make text of a file that is none."""
    name = shlex.quote(file)
    # Of both it is the first or the second byte that is no text, and a pipe can't be read again.
    begin = error.object[:2] if error.start < len(GZIP) else b""
    if begin == GZIP:
        return f"it is compressed; `zcat {name} | fluxd replay -` reads it"
    if begin in UTF_16:
        return f"it is not in UTF-8; `iconv -f UTF-16 -t UTF-8 {name} | fluxd replay -` reads it"
    return "it is no text in UTF-8, and rows must be timestamp,value"


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
