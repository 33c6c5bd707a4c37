"""`fluxd import`: a metric's history from a CSV, beside a running daemon or without one."""

import argparse
import contextlib
import functools
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from fluxd.cli.options import add_command
from fluxd.cli.progress import Progress, progress_bar
from fluxd.core.errors import FluxdError, NotFoundError, StoreError
from fluxd.core.names import name_fault
from fluxd.core.retention import DAY_S, Retention
from fluxd.daemon.config import Config, find_config, load_config
from fluxd.daemon.offline import connect_offline, daemon_runs, store_path
from fluxd.ingest.post import MAX_AHEAD
from fluxd.ingest.series_csv import SeriesFile, read_series
from fluxd.store.blocks import Floats, Ints
from fluxd.store.connection import Connection, transaction
from fluxd.store.rebuilds import History
from fluxd.store.series import count_live, find_series

# Lines between two looks at how far the file is read.
LOOK_LINES = 8_192

# A daemon's POSTs wait while a transaction of ours is open. A block more may begin within this
# time, and then the lock is left alone for longer than it was held, so that the daemon, which asks
# for it again and again, gets its turn.
TRANSACTION_S = 0.01
REST = 2.0

# What the daemon takes to learn a datapoint of a single metric, half of the time being others'.
LEARN_S = 0.0016

# How long another process's transaction is waited for.
PATIENCE_MS = 60_000


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(commands, "import", "load a metric's history from a CSV")
    parser.add_argument("metric", metavar="METRIC", help="the name that it is stored under")
    parser.add_argument(
        "file",
        metavar="FILE.csv",
        help="timestamp,value; Unix seconds or ISO 8601 (UTC unless it says); - for stdin",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Store the file's datapoints; say what was left out, and what happens with the others."""
    data = store_path(arguments.data).parent
    config = load_config(find_config(arguments.config, data), os.environ)
    retention = Retention(config.retention.raw, config.retention.rollup, config.retention.band)
    with (
        _opened(arguments.file) as lines,  # as root, before acting as the store's owner
        connect_offline(arguments.data, write=True) as connection,
    ):
        _check(connection, arguments.metric, config)
        with progress_bar() as bar:
            read = read_series(_watched(lines, arguments.file, bar))
        now = int(time.time())
        picked = pick(read, now, retention)
        for reason in picked.reasons:
            print(reason, file=sys.stderr)
        if not len(picked.timestamps):
            raise FluxdError(f"{arguments.file} has no datapoints to store: see `fluxd import -h`")
        history = History(arguments.metric, picked.timestamps, picked.values, retention.levels())
        runs = daemon_runs(data)
        with progress_bar() as bar:
            _store(connection, history, bar, polite=runs)
    print(_told(history, picked.left_out))
    print(_outlook(arguments.metric, len(history.timestamps), runs=runs))
    return 0


def _check(connection: Connection, name: str, config: Config) -> None:
    """Refuse a name that nobody can send, unless it is there, and a metric beyond the limit."""
    if find_series(connection, name) is not None:
        return
    fault = name_fault(name)
    if fault is not None:
        raise FluxdError(f"{fault}: use dotted parts of A-Z a-z 0-9 + - % _ / = :")
    if count_live(connection) >= config.store.max_metrics:
        raise StoreError(
            f"the store holds its {config.store.max_metrics:,} metrics: raise store.max_metrics, "
            "or delete metrics (`fluxd metric delete NAME`)"
        )


# ---- the file


@contextlib.contextmanager
def _opened(file: str) -> Iterator[TextIO]:
    try:
        if file == "-":
            yield sys.stdin
        else:
            # A byte that is no UTF-8 costs its line alone.
            with Path(file).open(newline="", encoding="utf-8-sig", errors="replace") as lines:
                yield lines
    except OSError as error:
        if error.filename != str(Path(file)):  # it is not about this file
            raise
        raise NotFoundError(f"{file} can't be read: {error.strerror}") from error


def _watched(lines: TextIO, file: str, bar: Progress) -> Iterator[str]:
    """Yield the lines, and show how much of the file they are."""
    size = 0 if file == "-" else os.fstat(lines.fileno()).st_size
    for number, line in enumerate(lines):
        if size and number % LOOK_LINES == 0:
            bar(f"reading {file}", lines.buffer.tell(), size)
        yield line


@dataclass(frozen=True, slots=True)
class Picked:
    """What is to be stored: ascending seconds and values; and a sentence for each kind of rest."""

    timestamps: Ints
    values: Floats
    left_out: int
    reasons: list[str]


def pick(read: SeriesFile, now: int, retention: Retention) -> Picked:
    """Bring a file's datapoints into the order of time, without those that can't be stored."""
    timestamps = np.array(read.timestamps, np.int64)
    values = np.array(read.values, np.float64) + 0.0  # -0.0 becomes 0.0, as the store has it
    reasons = [f"line {line} left out: {reason}" for line, reason in read.faults]
    if read.skipped > len(read.faults):
        reasons.append(f"{_lines(read.skipped)} left out in all that have no timestamp,value")
    early, late = timestamps < 1, timestamps > now + MAX_AHEAD
    for rows, reason in (
        (early, "not after 1970-01-01T00:00:00Z"),
        (late, "more than a minute in the future"),
    ):
        if rows.any():
            reasons.append(f"{_lines(int(rows.sum()))} left out: {reason}")
    good = np.flatnonzero(~(early | late))
    good = good[np.argsort(timestamps[good], kind="stable")]
    last = np.append(np.diff(timestamps[good]) > 0, [True] * bool(len(good)))
    if not last.all():
        reasons.append(f"{_lines(int((~last).sum()))} left out: a later line has the same second")
    picked = good[last.astype(np.bool_)]
    old = int((timestamps[picked] < retention.rollup_before(now)).sum())
    if old:  # history counts from when it comes, rollups from their own time
        reasons.append(
            f"{_lines(old)} older than retention.rollup: kept for {retention.raw_s / DAY_S:,.0f} "
            "days from now (retention.raw), and learnt from, but no rollups of them"
        )
    left_out = read.skipped + len(timestamps) - len(picked)
    return Picked(timestamps[picked], values[picked], left_out, reasons)


def _lines(count: int) -> str:
    return f"{count:,} line{'' if count == 1 else 's'}"


# ---- the store


def _store(connection: Connection, history: History, bar: Progress, *, polite: bool) -> None:
    """Write all of it in short transactions; those that are done stay, whatever comes."""
    connection.set_busy_timeout(PATIENCE_MS)
    total = len(history.timestamps)
    try:
        while not history.complete:
            bar("storing", history.written, total)
            with transaction(connection):
                began = time.monotonic()
                more = functools.partial(_is_before, began + TRANSACTION_S)
                history.write_some(connection, now=int(time.time()), more=more)
            if polite:
                time.sleep(REST * (time.monotonic() - began))
    except KeyboardInterrupt:
        bar.clear()
        print(f"{history.written:,} of {total:,} datapoints are stored", file=sys.stderr)
        raise


def _is_before(end: float) -> bool:
    return time.monotonic() < end


def _told(history: History, left_out: int) -> str:
    """Say what was stored.

    >>> history = History("a", np.array([60, 120, 180]), np.zeros(3))
    >>> history.added = 2
    >>> _told(history, 1)
    '3 datapoints stored, 1 of them in place of an earlier value; 1 line left out.'
    """
    total = len(history.timestamps)
    text = f"{total:,} datapoint{'' if total == 1 else 's'} stored"
    replaced = total - history.added
    if replaced == total:
        text += ", all in place of earlier values"
    elif replaced:
        text += f", {replaced:,} of them in place of "
        text += "an earlier value" if replaced == 1 else "earlier values"
    return f"{text}; {_lines(left_out)} left out." if left_out else f"{text}."


def _outlook(name: str, count: int, *, runs: bool) -> str:
    """Say when it will be learnt.

    >>> _outlook("a", 1_000_000, runs=True)
    'fluxd is learning them now, for about 27 min: `fluxd metric list a` says when it has.'
    """
    took = round(count * LEARN_S / 60)
    long = f", for about {took:,} min" if took else ""
    when = f"is learning them now{long}" if runs else "learns them when it runs again"
    return f"fluxd {when}: `fluxd metric list {name}` says when it has."
