"""A CSV of one metric as commands read it: checked, in the order of time, one datapoint a second.

`fluxd import` stores what is read here and `fluxd replay` analyses it, so both have the same.
"""

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np

from fluxd.cli.progress import Progress
from fluxd.core.detect.layout import Floats, Ints
from fluxd.core.errors import FluxdError, NotFoundError
from fluxd.ingest.post import MAX_AHEAD
from fluxd.ingest.series_csv import SeriesFile, read_series

WANTED = "rows must be timestamp,value"

# Lines between two looks at how far the file is read.
LOOK_LINES = 8_192

# What files begin with that are often taken for a CSV.
GZIP, UTF_16 = b"\x1f\x8b", (b"\xff\xfe", b"\xfe\xff")
PACKED = {
    b"BZh": "bzcat",
    b"\xfd7zXZ": "xzcat",
    b"\x28\xb5\x2f\xfd": "zstdcat",
    b"PK\x03\x04": "unzip -p",
}

# Of the first so many bytes of a text no more than this share may be what no text has.
LOOK_BYTES, ODD_SHARE = 4_096, 0.1


@dataclass(frozen=True, slots=True)
class Picked:
    """What is of use: ascending seconds and values; and a sentence for each kind of rest."""

    timestamps: Ints
    values: Floats
    left_out: int
    reasons: list[str]


def read_file(file: str, now: int, command: str, bar: Progress) -> Picked:
    """Read the datapoints of a CSV, `-` for stdin, as they are at `now` (Unix s).

    Raises FluxdError for one that has none; `command` is what to pipe the file into once it is
    converted.
    """
    with _opened(file) as stream:
        head = _peek(stream)
        if fault := _fault(head, file, command):
            raise FluxdError(f"{file} can't be read: {fault}")
        # A byte that is no UTF-8 costs its line alone.
        lines = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
        read = read_series(_watched(lines, file, bar))
        lines.detach()
    picked = pick(read, now)
    if not picked.timestamps.size:
        raise FluxdError(f"{file} has no datapoints: {_why(read, picked, empty=not head)}")
    return picked


def pick(read: SeriesFile, now: int) -> Picked:
    """Bring a file's datapoints into the order of time, without those that nobody could send."""
    timestamps = np.array(read.timestamps, np.int64)
    values = np.array(read.values, np.float64) + 0.0  # -0.0 becomes 0.0, as the store has it
    reasons = [read.note] if read.note else []
    reasons += [f"line {line} left out: {reason}" for line, reason in read.faults]
    if read.skipped > len(read.faults):
        reasons.append(f"{lines_of(read.skipped)} left out in all that have no timestamp,value")
    early, late = timestamps < 1, timestamps > now + MAX_AHEAD
    for rows, reason in (
        (early, "not after 1970-01-01T00:00:00Z"),
        (late, "more than a minute in the future"),
    ):
        if rows.any():
            reasons.append(f"{lines_of(int(rows.sum()))} left out: {reason}")
    good = np.flatnonzero(~(early | late))
    good = good[np.argsort(timestamps[good], kind="stable")]
    last = np.append(np.diff(timestamps[good]) > 0, [True] * bool(len(good)))
    if not last.all():
        count = lines_of(int((~last).sum()))
        reasons.append(f"{count} left out: a later line has the same second")
    picked = good[last.astype(np.bool_)]
    left_out = read.skipped + len(timestamps) - len(picked)
    return Picked(timestamps[picked], values[picked], left_out, reasons)


def lines_of(count: int) -> str:
    """Write a number of lines."""
    return f"{count:,} line{'' if count == 1 else 's'}"


@contextlib.contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    try:
        if file == "-":
            yield sys.stdin.buffer
        else:
            with Path(file).open("rb") as stream:
                yield stream
    except OSError as error:
        if error.filename not in (None, str(Path(file))):  # it is not about this file
            raise
        raise NotFoundError(f"{file} can't be read: {error.strerror or error}") from error


def _peek(stream: BinaryIO) -> bytes:
    """Return how a stream begins, and leave it there: a pipe can't be read again."""
    return stream.peek(LOOK_BYTES)[:LOOK_BYTES] if isinstance(stream, io.BufferedReader) else b""


def _fault(head: bytes, file: str, command: str) -> str | None:
    """Say what is wrong with a file that begins like this and how to mend it, None for a text."""
    name = shlex.quote(file)
    packed = "zcat" if head.startswith(GZIP) else None
    packed = next((by for magic, by in PACKED.items() if head.startswith(magic)), packed)
    if packed:
        return f"it is compressed; `{packed} {name} | {command}` reads it"
    if head.startswith(UTF_16):
        return f"it is not in UTF-8; `iconv -f UTF-16 -t UTF-8 {name} | {command}` reads it"
    if head.lstrip()[:1] in (b"{", b"["):
        return f"it is JSON, and {WANTED}"
    text = head.decode("utf-8", "replace")
    odd = sum(one == "\ufffd" or not (one.isprintable() or one.isspace()) for one in text)
    if b"\0" in head or odd > ODD_SHARE * len(text) + 1:
        return f"it is no text in UTF-8, and {WANTED}"
    return None


def _watched(lines: TextIO, file: str, bar: Progress) -> Iterator[str]:
    """Yield the lines, and show how much of the file they are."""
    size = 0 if file == "-" else os.fstat(lines.fileno()).st_size
    for number, line in enumerate(lines):
        if size and number % LOOK_LINES == 0:
            bar(f"reading {file}", lines.buffer.tell(), size)
        yield line


def _why(read: SeriesFile, picked: Picked, *, empty: bool) -> str:
    """Say why there are no datapoints, by the first line that was left out."""
    if empty:
        return f"it is empty, and {WANTED}"
    reasons = [reason for reason in picked.reasons if " left out" in reason]
    if reasons:
        return reasons[0]
    return f"nothing follows its header; {WANTED}" if read.header else WANTED
