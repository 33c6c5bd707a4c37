"""CSV files of one series: `timestamp,value`, or the columns that a header names.

About a microsecond a row, so a million rows take a second.
"""

import csv
import itertools
import math
import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

# Faults kept with their line; beyond that they are only counted.
MAX_FAULTS = 20

# Names of a column in headers, in small letters, the surest first.
TIMES = ("timestamp", "datetime", "time", "date", "ts", "epoch", "_time", "@timestamp", "unixtime")
VALUES = ("value", "_value")
LABELS = ("metric", "series", "name", "host", "hostname", "instance", "job")

_MOST_SHOWN = 60  # characters of a field: one of a file that is no CSV may be all of it
_BYTE_ORDER_MARK = "\ufeff"

_SECONDS_DIGITS = 11  # more digits than this are milliseconds or finer

_NUMBER = re.compile(r"[+-]?\.?[0-9]")  # how one begins


@dataclass(slots=True)
class SeriesFile:
    """A series as read: Unix seconds, values, and (line, reason) of the first lines left out.

    `note` says which of several columns was read, where the header leaves that open; `header`
    whether there is one.
    """

    timestamps: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    skipped: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)
    note: str = ""
    header: bool = False


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a row has its time and its value, and what says whose they are."""

    time: int = 0
    value: int = 1
    labels: tuple[int, ...] = ()
    note: str = ""


def read_series(lines: Iterable[str]) -> SeriesFile:
    """Read `timestamp,value` rows; timestamps are Unix seconds or ISO 8601 (UTC unless it says).

    A first row without numbers is a header: it may name the columns in another order, and others
    beside them. Without one, columns beyond the second are ignored. Raises what reading the lines
    does.
    """
    series, columns, whose = SeriesFile(), _Columns(), None
    rest = iter(lines)
    first = (line.removeprefix(_BYTE_ORDER_MARK) for line in itertools.islice(rest, 1))
    reader = csv.reader(itertools.chain(first, rest))
    while True:
        try:
            row = next(reader, None)
            if row is None:
                return series
            if not "".join(row).strip():
                continue
            if reader.line_num == 1 and _is_header(row):
                series.header, columns = True, _columns_of(row)
                series.note = columns.note
                continue
            timestamp, value = _datapoint(row, columns)
            if columns.labels:
                whose = whose or _labels(row, columns)
                _check_same(whose, _labels(row, columns))
        except UnicodeDecodeError:
            raise  # it is no line that is wrong
        except (ValueError, csv.Error) as error:
            series.skipped += 1
            if len(series.faults) < MAX_FAULTS:
                series.faults.append((reader.line_num, str(error)))
            continue
        series.timestamps.append(timestamp)
        series.values.append(value)


def _is_header(row: list[str]) -> bool:
    names = [field.strip() for field in row]
    known = any(name.lower() in (*TIMES, *VALUES) for name in names)
    return known or not any(map(_NUMBER.match, names))


def _columns_of(header: list[str]) -> _Columns:
    """Return where a header says that time and value are; what it leaves open is in that order.

    >>> _columns_of(["value", "Timestamp"])
    _Columns(time=1, value=0, labels=(), note='')
    >>> _columns_of(["time", "cpu", "mem"]).note
    "values are read from the column 'cpu'; not from 'mem'"
    """
    names = [name.strip().lower() for name in header]
    labels = tuple(at for at, name in enumerate(names) if name in LABELS)
    times = [names.index(name) for name in TIMES if name in names]
    values = [names.index(name) for name in VALUES if name in names]
    unnamed = [at for at in range(len(names)) if at not in {*labels, *times, *values}]
    if not times and unnamed:
        times = [unnamed.pop(0)]
    others = unnamed[1:] if not values and unnamed else []
    values = values or unnamed[:1]
    if not (times and values):
        return _Columns()
    note = ""
    if others:
        left = ", ".join(_shown(header[at].strip()) for at in others)
        note = (
            f"values are read from the column {_shown(header[values[0]].strip())}; not from {left}"
        )
    return _Columns(times[0], values[0], labels, note)


def _labels(row: list[str], columns: _Columns) -> str:
    return " ".join(row[at].strip() for at in columns.labels if at < len(row))


def _check_same(whose: str, labels: str) -> None:
    """Refuse a row of another metric than the first one's."""
    if labels != whose:
        raise ValueError(
            f"it is of {_shown(labels)}, and the file's first datapoint of {_shown(whose)}: have a "
            "file for each"
        )


def _datapoint(row: list[str], columns: _Columns) -> tuple[int, float]:
    if len(row) <= max(columns.time, columns.value):
        if len(row) == 1:
            raise ValueError(
                f"expected timestamp,value and got {_shown(row[0])}{_separated(row[0])}"
            )
        raise ValueError(f"expected as many columns as the header has, and got {len(row)}")
    timestamp, text = parse_time(row[columns.time]), row[columns.value]
    try:
        value = float(text)
        if "_" in text:  # Python's own spelling of large numbers
            raise ValueError  # noqa: TRY301
    except ValueError:
        raise ValueError(f"{_shown(text)} is not a number: rows must be timestamp,value") from None
    if not math.isfinite(value):
        raise ValueError(f"{_shown(text)} is not a finite number")
    return timestamp, value


def _shown(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…")


def _separated(line: str) -> str:
    """Say what to do about another separator than the comma."""
    for separator, name in ((";", "semicolon"), ("\t", "tab")):
        if separator in line:
            return f": put a comma in place of the {name}"
    return ""


def parse_time(text: str) -> int:
    """Return Unix seconds. Raises ValueError with the fix.

    >>> parse_time("2026-11-03T14:05:00Z"), parse_time(" 1793714700 ")
    (1793714700, 1793714700)
    """
    text = text.strip()
    whole, _, fraction = text.partition(".")
    if whole.isdecimal() and (not fraction or fraction.isdecimal()):
        if len(whole) > _SECONDS_DIGITS:
            raise ValueError(f"{_shown(text)} is not in seconds: divide milliseconds by 1000")
        return int(whole)
    if fix := _separated(text):  # and a decimal comma beyond it
        raise ValueError(f"{_shown(text)} is no timestamp{fix}, and a point in numbers")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{_shown(text)} is neither Unix seconds nor ISO 8601 such as 2026-11-03T14:05:00Z"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())
