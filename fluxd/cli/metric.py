"""`fluxd metric`: metrics are listed, muted and deleted; a running daemon notices at once."""

import argparse
import dataclasses
import shlex
import time
from typing import Any

from fluxd.cli.options import add_command
from fluxd.core.errors import NotFoundError
from fluxd.core.hush import Mute, matches
from fluxd.core.states import STATES
from fluxd.daemon.offline import open_offline
from fluxd.store.connection import Connection
from fluxd.store.held import read_held
from fluxd.store.hushes import add_mute, read_mutes, remove_mutes
from fluxd.store.metrics import ListedMetric, is_glob, list_metrics, page_metrics
from fluxd.store.series import delete_series, get_series, mute_series, sender_of

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

    for name, summary, run in (
        ("mute", "store and analyse a metric, but notify nobody", run_mute),
        ("unmute", "notify of a metric's anomalies again", run_unmute),
    ):
        action = add_command(actions, name, summary)
        action.add_argument(
            "name", metavar="NAME", help="a metric, or a glob in quotes such as 'web-*.cpu'"
        )
        action.set_defaults(run=run)

    delete = add_command(actions, "delete", "delete a metric with all that is stored of it")
    delete.add_argument("name", metavar="NAME")
    delete.set_defaults(run=run_delete)


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table of metrics."""
    cursor: str | None = ""
    printed, now = 0, int(time.time())
    while cursor is not None:
        with open_offline(arguments.data) as connection:
            page, cursor = list_metrics(
                connection,
                match=arguments.match,
                state=arguments.state,
                limit=PAGE,
                cursor=cursor,
            )
            page = [_completed(connection, metric) for metric in page]
            mutes = read_mutes(connection, now)
        if page and not printed:
            print(_ROW.format(*_HEADINGS))
        for metric in page:
            muted = bool(metric.muted) or any(
                one.covers(metric.name, metric.sender, now) for one in mutes
            )
            print(_ROW.format(*_columns(metric, muted=muted)))
        printed += len(page)
    if not printed:
        asked = arguments.match is not None or arguments.state is not None
        print("No metric is like that." if asked else "There are no metrics yet.")
    return 0


def run_mute(arguments: argparse.Namespace) -> int:
    """Mute a metric, or all that match a glob."""
    name, now = arguments.name, int(time.time())
    with open_offline(arguments.data, write=True) as connection:
        if not is_glob(name):
            mute_series(connection, name, muted=True)
            what = f"{name} is muted"
        else:
            remove_mutes(connection, "glob", name, now=now)  # it may have held for a time only
            add_mute(connection, "glob", name, until=None, reason="", now=now)
            count = _matching(connection, name)
            what = f"what matches {name} is muted ({count:,} metric{'' if count == 1 else 's'} now)"
    print(f"{what}: stored and analysed, never notified.")
    return 0


def run_unmute(arguments: argparse.Namespace) -> int:
    """End the mute of a metric, or of a glob; say if another one still holds."""
    name, now = arguments.name, int(time.time())
    with open_offline(arguments.data, write=True) as connection:
        if is_glob(name):
            if not remove_mutes(connection, "glob", name, now=now):
                raise NotFoundError(
                    f"{name} is not muted: the page Settings, Silence lists what is"
                )
            print(f"what matches {name} is heard again, if nothing else mutes it.")
            return 0
        changed = mute_series(connection, name, muted=False)
        changed = bool(remove_mutes(connection, "metric", name, now=now)) or changed
        sender = sender_of(connection, get_series(connection, name))
        others = [one for one in read_mutes(connection, now) if one.covers(name, sender, now)]
    if others:
        print(f"{name} is silent still: {others[0].told}. {_end_of(others[0])} ends that.")
    else:
        print(f"{name} {'is heard again' if changed else 'was not muted'}.")
    return 0


def _end_of(mute: Mute) -> str:
    if mute.scope == "glob":
        return f"`fluxd metric unmute {shlex.quote(mute.pattern)}`"
    return "The page Settings, Silence"


def _matching(connection: Connection, glob: str) -> int:
    """Return how many metrics a glob matches as a mute's does."""
    count, cursor = 0, ""
    while True:
        page, after = page_metrics(connection, limit=PAGE, cursor=cursor)
        count += sum(matches(name, [glob]) for _, name in page)
        if after is None:
            return count
        cursor = after


def run_delete(arguments: argparse.Namespace) -> int:
    """Delete a metric."""
    if is_glob(arguments.name):
        raise NotFoundError(
            f"{arguments.name} is no metric's name, and metrics are deleted one by one: "
            f"`fluxd metric list {shlex.quote(arguments.name)}` shows which those are"
        )
    with open_offline(arguments.data, write=True) as connection:
        delete_series(connection, arguments.name, now=int(time.time()))
    print(
        f"{arguments.name} is deleted. The daemon gives its space back within minutes, or at its "
        "next start; whoever sends it again creates it anew."
    )
    return 0


def _completed(connection: Connection, metric: ListedMetric) -> ListedMetric:
    """Return a metric with what the store has of it, where the detector has not learnt it yet."""
    if metric.first is not None and not metric.added:
        return metric
    held = read_held(connection, metric.id)
    if held is None:
        return metric
    return dataclasses.replace(
        metric,
        interval=metric.interval or held.interval,
        datapoints=max(metric.datapoints, held.datapoints),
        first=min(metric.first or held.first, held.first),
        last=max(metric.last or held.last, held.last),
    )


def _columns(metric: ListedMetric, *, muted: bool) -> tuple[str, ...]:
    return (
        metric.state,
        "-" if metric.interval is None else f"{metric.interval:g} s",
        f"{metric.datapoints:,}",
        _minute(metric.first),
        _minute(metric.last),
        "yes" if muted else "-",
        metric.name,
    )


def _minute(timestamp: int | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(timestamp)) if timestamp else "-"
