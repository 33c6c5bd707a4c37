"""`fluxd selftest`: the nightly self-test at once, beside a running daemon or without one."""

import argparse
import os
import time
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

ROUNDS = 50  # between two looks at the progress bar

_ROW = "{:<6}  {:>5}  {:>6}  {:>9}  {}"
_HEADINGS = ("KIND", "SIZE", "FOUND", "OF EVENTS", "DELAY")


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(
        commands, "selftest", "put events of known size into copies of metrics, and look for them"
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
        _read(connection, test, bar)
    if not len(test):
        raise FluxdError(
            f"no metric can be tested: that takes {LEAST_ROWS} recent datapoints which are not all "
            "alike; `fluxd metric list` shows what there is"
        )
    with progress_bar() as bar:
        while test.step(ROUNDS):
            bar("testing", *test.progress)
    for line in table(test.outcome()):
        print(line)
    return 0


def _read(connection: Connection, test: SelfTest, bar: Progress) -> None:
    """Read the metrics in transactions of their own: a long one keeps the log from ending."""
    with transaction(connection, "DEFERRED"):
        waiting = sample_series(connection, test.day, METRICS)
    for series, name in waiting:
        if len(test) == METRICS:
            return
        with transaction(connection, "DEFERRED"):
            timestamps, values = read_recent(connection, series, test.day)
        test.add(name, timestamps, values)
        bar("reading", len(test), min(METRICS, len(waiting)))


def table(outcome: Outcome) -> list[str]:
    r"""Return the lines to print.

    >>> cases = [Case("spike", 8.0, 8, 6, 0.75, 0.0)]
    >>> print("\n".join(table(Outcome(20000, 1, 0.31, 2, 2.0, 1, 0.5, cases))))
    KIND     SIZE   FOUND  OF EVENTS  DELAY
    spike       8    75 %          8  at once
    2 metrics, each over its last day at most; sizes are in units of a metric's noise.
    Without events: 1 anomaly in 2.0 metric-days, 0.500 a day; what really happened is among them.
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
    return lines


def _row(case: Case) -> str:
    found = "-" if case.recall is None else f"{100 * case.recall:.0f} %"
    delay = "-"
    if case.delay is not None:
        plural = "" if case.delay == 1 else "s"
        delay = f"{case.delay:g} datapoint{plural}" if case.delay else "at once"
    return _ROW.format(case.kind, f"{case.size:g}", found, case.events, delay)
