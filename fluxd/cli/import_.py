"""`fluxd import`: a metric's history from a CSV, beside a running daemon or without one."""

import argparse
import functools
import os
import shlex
import sys
import time
from typing import Any

from fluxd.cli.options import add_command
from fluxd.cli.progress import Progress, progress_bar
from fluxd.cli.series_file import lines_of, read_file
from fluxd.core.errors import FluxdError, StoreError
from fluxd.core.names import name_fault
from fluxd.core.retention import DAY_S, Retention
from fluxd.daemon.config import Config, find_config, load_config
from fluxd.daemon.offline import connect_offline, daemon_runs, store_path
from fluxd.store.blocks import Ints
from fluxd.store.connection import Connection, transaction
from fluxd.store.rebuilds import History
from fluxd.store.series import count_live, find_series

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
        help="timestamp,value, or columns that its header names; Unix seconds or ISO 8601 (UTC "
        "unless it says); - for stdin",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Store the file's datapoints; say what was left out, and what happens with the others."""
    data = store_path(arguments.data).parent
    config = load_config(find_config(arguments.config, data), os.environ)
    retention = Retention(config.retention.raw, config.retention.rollup, config.retention.band)
    now = int(time.time())
    command = f"fluxd import {shlex.quote(arguments.metric)} -"
    with progress_bar() as bar:  # as root, before acting as the store's owner
        picked = read_file(arguments.file, now, command, bar)
    with connect_offline(arguments.data, write=True) as connection:
        _check(connection, arguments.metric, config)
        for reason in (*picked.reasons, _old(picked.timestamps, now, retention)):
            if reason is not None:
                print(reason, file=sys.stderr)
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


def _old(timestamps: Ints, now: int, retention: Retention) -> str | None:
    """Say how many datapoints are kept for less long than they seem to be."""
    old = int((timestamps < retention.rollup_before(now)).sum())
    if not old:
        return None
    # History counts from when it comes, rollups from their own time.
    return (
        f"{lines_of(old)} older than retention.rollup: kept for {retention.raw_s / DAY_S:,.0f} "
        "days from now (retention.raw), and learnt from, but no rollups of them"
    )


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

    >>> import numpy as np
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
    return f"{text}; {lines_of(left_out)} left out." if left_out else f"{text}."


def _outlook(name: str, count: int, *, runs: bool) -> str:
    """Say when it will be learnt.

    >>> _outlook("a", 1_000_000, runs=True)
    'fluxd is learning them now, for about 27 min: `fluxd metric list a` says when it has.'
    """
    took = round(count * LEARN_S / 60)
    long = f", for about {took:,} min" if took else ""
    when = f"is learning them now{long}" if runs else "learns them when it runs again"
    return f"fluxd {when}: `fluxd metric list {name}` says when it has."
