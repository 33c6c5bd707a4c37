"""CSV files of one series: `timestamp,value`, with or without a header.

About a microsecond a row, so a million rows take a second.
"""

import csv
import itertools
import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

# Faults kept with their line; beyond that they are only counted.
MAX_FAULTS = 20

_MOST_SHOWN = 60  # characters of a field: one of a file that is no CSV may be all of it
_BYTE_ORDER_MARK = "\ufeff"

_SECONDS_DIGITS = 11  # more digits than this are milliseconds or finer


@dataclass(slots=True)
class SeriesFile:
    """A series as read: Unix seconds, values, and (line, reason) of the first lines left out."""

    timestamps: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    skipped: int = 0
    faults: list[tuple[int, str]] = field(default_factory=list)


def read_series(lines: Iterable[str]) -> SeriesFile:
    """Read `timestamp,value` rows; timestamps are Unix seconds or ISO 8601 (UTC unless it says).

    A first row that begins with no digit is a header. Columns beyond the second are ignored. Raises
    what reading the lines does.
    """
    series = SeriesFile()
    rest = iter(lines)
    first = (line.removeprefix(_BYTE_ORDER_MARK) for line in itertools.islice(rest, 1))
    reader = csv.reader(itertools.chain(first, rest))
    row: list[str] | None = None
    while True:
        try:
            row = next(reader, None)
            if row is None:
                return series
            if not "".join(row).strip():
                continue
            timestamp, value = _datapoint(row)
        except UnicodeDecodeError:
            raise  # it is no line that is wrong
        except (ValueError, csv.Error) as error:
            if reader.line_num > 1 or _begins_with_digit(row):
                series.skipped += 1
                if len(series.faults) < MAX_FAULTS:
                    series.faults.append((reader.line_num, str(error)))
            continue
        series.timestamps.append(timestamp)
        series.values.append(value)


def _begins_with_digit(row: list[str] | None) -> bool:
    return row is not None and row[0].strip()[:1].isdecimal()


def _datapoint(row: list[str]) -> tuple[int, float]:
    if len(row) < 2:  # noqa: PLR2004  # timestamp and value
        raise ValueError(f"expected timestamp,value and got {_shown(row[0])}{_separated(row[0])}")
    timestamp = parse_time(row[0])
    try:
        value = float(row[1])
        if "_" in row[1]:  # Python's own spelling of large numbers
            raise ValueError  # noqa: TRY301
    except ValueError:
        raise ValueError(
            f"{_shown(row[1])} is not a number: rows must be timestamp,value"
        ) from None
    if not math.isfinite(value):
        raise ValueError(f"{_shown(row[1])} is not a finite number")
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
