"""`fluxd metric`: metrics are listed, muted and deleted; a running daemon notices at once."""

import argparse
import time
from typing import Any

from fluxd.cli.options import add_command
from fluxd.core.states import STATES
from fluxd.daemon.offline import open_offline
from fluxd.store.metrics import ListedMetric, list_metrics
from fluxd.store.series import delete_series, mute_series

# Metrics that are read in one transaction: an open one keeps the store's log from ending.
PAGE = 10_000

# The name last: it is the only column of any width.
_ROW = "{:<9}  {:>8}  {:>12}  {:<16}  {:<16}  {:<5}  {}"
_HEADINGS = ("STATE", "INTERVAL", "DATAPOINTS", "FIRST", "LAST", "MUTED", "NAME")


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command and its actions."""
    parser = add_command(commands, "metric", "list, mute and delete metrics")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listing = add_command(actions, "list", "list metrics by name")
    listing.add_argument(
        "match", metavar="MATCH", nargs="?", help="a part of the name, or a glob with * ? ["
    )
    listing.add_argument("--state", choices=STATES, help="those in one state")
    listing.set_defaults(run=run_list)

    for name, summary, muted in (
        ("mute", "store and analyse a metric, but notify nobody", True),
        ("unmute", "notify of a metric's anomalies again", False),
    ):
        action = add_command(actions, name, summary)
        action.add_argument("name", metavar="NAME")
        action.set_defaults(run=run_mute, muted=muted)

    delete = add_command(actions, "delete", "delete a metric with all that is stored of it")
    delete.add_argument("name", metavar="NAME")
    delete.set_defaults(run=run_delete)


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table of metrics."""
    cursor: str | None = ""
    printed = 0
    while cursor is not None:
        with open_offline(arguments.data) as connection:
            page, cursor = list_metrics(
                connection,
                match=arguments.match,
                state=arguments.state,
                limit=PAGE,
                cursor=cursor,
            )
        if page and not printed:
            print(_ROW.format(*_HEADINGS))
        for metric in page:
            print(_ROW.format(*_columns(metric)))
        printed += len(page)
    if not printed:
        asked = arguments.match is not None or arguments.state is not None
        print("No metric is like that." if asked else "There are no metrics yet.")
    return 0


def run_mute(arguments: argparse.Namespace) -> int:
    """Mute a metric, or end that."""
    with open_offline(arguments.data, write=True) as connection:
        mute_series(connection, arguments.name, muted=arguments.muted)
    effect = (
        "is muted: stored and analysed, never notified" if arguments.muted else "is heard again"
    )
    print(f"{arguments.name} {effect}.")
    return 0


def run_delete(arguments: argparse.Namespace) -> int:
    """Delete a metric."""
    with open_offline(arguments.data, write=True) as connection:
        delete_series(connection, arguments.name, now=int(time.time()))
    print(
        f"{arguments.name} is deleted. The daemon gives its space back within minutes, or at its "
        "next start; whoever sends it again creates it anew."
    )
    return 0


def _columns(metric: ListedMetric) -> tuple[str, ...]:
    return (
        metric.state,
        "-" if metric.interval is None else f"{metric.interval:g} s",
        f"{metric.datapoints:,}",
        _minute(metric.first),
        _minute(metric.last),
        "yes" if metric.muted else "-",
        metric.name,
    )


def _minute(timestamp: int | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(timestamp)) if timestamp else "-"
