"""`fluxd selftest`: the nightly self-test at once, beside a running daemon or without one."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from fluxd.cli.options import add_command
from fluxd.cli.progress import Progress, progress_bar
from fluxd.core.errors import FluxdError
from fluxd.core.selftest import LEAST_ROWS, Case, Outcome, SelfTest
from fluxd.daemon.config import find_config, load_config
from fluxd.daemon.detection import settings_of
from fluxd.daemon.offline import connect_offline, store_path
from fluxd.store.connection import Connection, transaction
from fluxd.store.places import DAY_S
from fluxd.store.selftests import METRICS, read_recent, sample_series
from fluxd.store.series import get_series

ROUNDS = 50  # between two looks at the progress bar

_ROW = "{:<6}  {:>5}  {:>6}  {:>9}  {}"
_HEADINGS = ("KIND", "SIZE", "FOUND", "OF EVENTS", "DELAY")


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(
        commands, "selftest", "put events of known size into copies of metrics, and look for them"
    )
    parser.add_argument(
        "metrics",
        metavar="METRIC",
        nargs="*",
        help=f"which to test (default: {METRICS} of them, others on another day)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print how many were found, how late, and the alarms of the untouched copies."""
    data = store_path(arguments.data).parent
    settings = settings_of(load_config(find_config(arguments.config, data), os.environ))
    now = int(time.time())
    day = (now + settings.local.offset(now)) // DAY_S
    test = SelfTest(day, threshold=settings.threshold, local=settings.local)
    with connect_offline(arguments.data) as connection, progress_bar() as bar:
        unusable = _read(connection, test, arguments.metrics, bar)
    takes = f"that takes {LEAST_ROWS:,} recent datapoints, learnt and not all alike"
    if not len(test):
        what = ", ".join(unusable) if arguments.metrics else "no metric"
        can = "can't" if arguments.metrics else "can"
        raise FluxdError(
            f"{what} {can} be tested: {takes}; `fluxd metric list` shows what there is"
        )
    if arguments.metrics and unusable:
        print(f"not tested: {', '.join(unusable)}; {takes}", file=sys.stderr)
    with progress_bar() as bar:
        while test.step(ROUNDS):
            bar("testing", *test.progress)
    for line in table(test.outcome()):
        print(line)
    return 0


def _read(connection: Connection, test: SelfTest, names: Sequence[str], bar: Progress) -> list[str]:
    """Read the metrics in transactions of their own: a long one keeps the log from ending.

    Returns those that are of no use. Raises NotFoundError for a name that there is not.
    """
    with transaction(connection, "DEFERRED"):
        if names:
            waiting = [(get_series(connection, name), name) for name in dict.fromkeys(names)]
        else:
            waiting = sample_series(connection, test.day, METRICS)
    most = len(waiting) if names else METRICS
    unusable = []
    for series, name in waiting:
        if len(test) == most:
            break
        with transaction(connection, "DEFERRED"):
            timestamps, values = read_recent(connection, series, test.day)
        if not test.add(name, timestamps, values):
            unusable.append(name)
        bar("reading", len(test), min(most, len(waiting)))
    return unusable


def table(outcome: Outcome) -> list[str]:
    r"""Return the lines to print.

    >>> from fluxd.core.selftest import Missed
    >>> cases = [Case("spike", 8.0, 8, 6, 0.75, 0.0)]
    >>> missed = [Missed("web.cpu", 8, 6)]
    >>> print("\n".join(table(Outcome(20000, 1, 0.31, 2, 2.0, 1, 0.5, cases, missed))))
    KIND     SIZE   FOUND  OF EVENTS  DELAY
    spike       8    75 %          8  at once
    2 metrics, each over its last day at most; sizes are in units of a metric's noise.
    Without events: 1 anomaly in 2.0 metric-days, 0.500 a day; what really happened is among them.
    Most was missed on: web.cpu (6 of 8 found).
    """
    lines = [_ROW.format(*_HEADINGS), *(_row(case) for case in outcome.cases)]
    metrics = f"{outcome.metrics} metric{'' if outcome.metrics == 1 else 's'}"
    alarms = f"{outcome.alarms} anomal{'y' if outcome.alarms == 1 else 'ies'}"
    lines.append(
        f"{metrics}, each over its last day at most; sizes are in units of a metric's noise."
    )
    lines.append(
        f"Without events: {alarms} in {outcome.metric_days:.1f} metric-days, "
        f"{outcome.alarms_per_day:.3f} a day; what really happened is among them."
    )
    if outcome.missed:
        named = [f"{one.metric} ({one.found} of {one.events} found)" for one in outcome.missed]
        lines.append(f"Most was missed on: {', '.join(named)}.")
    return lines


def _row(case: Case) -> str:
    found = "-" if case.recall is None else f"{100 * case.recall:.0f} %"
    delay = "-"
    if case.delay is not None:
        plural = "" if case.delay == 1 else "s"
        delay = f"{case.delay:g} datapoint{plural}" if case.delay else "at once"
    return _ROW.format(case.kind, f"{case.size:g}", found, case.events, delay)
