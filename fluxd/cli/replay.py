"""`fluxd replay`: the shipped detector over a CSV or a stored metric, as the daemon would run it.

With another setting it shows what that would change, before anything is changed.
"""

import argparse
import dataclasses
import functools
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fluxd.cli.options import add_command
from fluxd.cli.progress import progress_bar
from fluxd.cli.replay_source import Series, read_source
from fluxd.core.anomalies import Anomaly
from fluxd.core.detect import WARMUP
from fluxd.core.errors import ConfigError, FluxdError
from fluxd.core.probe import probe, sentence
from fluxd.core.replay import Replay, Settings, difference, replay
from fluxd.core.wording import span
from fluxd.daemon.config import SETTINGS, find_config, load_config
from fluxd.daemon.detection import read_sensitivity, settings_of
from fluxd.daemon.offline import store_path
from fluxd.daemon.timezone import local_time


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(
        commands, "replay", "show what would have been found in a CSV or a stored metric"
    )
    parser.add_argument(
        "source",
        nargs="?",
        metavar="FILE.csv|METRIC",
        help="timestamp,value in Unix seconds or ISO 8601, or columns that its header names, - for "
        "stdin; where there is no such "
        "file, the stored metric of that name",
    )
    parser.add_argument(
        "--metric", metavar="NAME", help="a stored metric, whatever files there are"
    )
    parser.add_argument(
        "--scores",
        action="store_true",
        help="print timestamp,value,score,expected,lower,upper,anomalous for each datapoint",
    )
    parser.add_argument(
        "--sensitivity",
        metavar="HOW",
        help="low, normal, high, or a score from 0 to 1: show what that would change",
    )
    parser.add_argument(
        "--budget",
        metavar="N",
        help="anomalies a week before a further one is minor: show what that would change",
    )
    parser.add_argument(
        "--timezone", metavar="NAME", help="such as Europe/Berlin: show what that would change"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the anomalies and what another setting would change, or with `--scores` every row."""
    today = _today(arguments)
    then = _then(arguments, today)
    with progress_bar() as bar:
        series = read_source(arguments.source, arguments.metric, arguments.data, bar)
    if not series.timestamps.size:
        raise FluxdError(f"{series.name} has no datapoints that are still stored")
    for fault in series.faults:
        print(fault, file=sys.stderr)
    several = [then] if arguments.scores or then is today else [today, then]
    with progress_bar() as bar:
        replays = replay(
            series.timestamps, series.values, several, functools.partial(bar, "replaying")
        )
    if arguments.scores:
        _print_scores(series, replays[-1])
    elif len(replays) == 1:
        _print_anomalies(replays[0].found)
        _print_summary(series, replays[0])
    else:
        _print_difference(arguments, *replays)
        _print_summary(series, replays[-1])
    return 0


# ---- settings


def _today(arguments: argparse.Namespace) -> Settings:
    """Return the settings that a daemon with this configuration has."""
    data = store_path(arguments.data).parent
    return settings_of(load_config(find_config(arguments.config, data), os.environ))


def _then(arguments: argparse.Namespace, today: Settings) -> Settings:
    """Return today's settings with those changes that the options ask for, if any."""
    changes: dict[str, Any] = {}
    if arguments.sensitivity is not None:
        changes["threshold"] = read_sensitivity(arguments.sensitivity)
    if arguments.budget is not None:
        changes["budget"] = _checked("budget", arguments.budget)
    if arguments.timezone is not None:
        changes["local"] = local_time(str(_checked("timezone", arguments.timezone)))
    return dataclasses.replace(today, **changes) if changes else today


def _checked(option: str, given: str) -> object:
    """Return what the setting of that name would be. Raises ConfigError."""
    kind = SETTINGS[f"detection.{option}"].kind
    try:
        return kind.read_text(given)
    except ValueError:
        raise ConfigError(f"--{option} is {given!r}; it must be {kind.wants}") from None


def _named(arguments: argparse.Namespace) -> str:
    """Return the options as words: `sensitivity high, budget 5`."""
    names = ("sensitivity", "budget", "timezone")
    given = [(name, getattr(arguments, name)) for name in names]
    return ", ".join(f"{name} {value}" for name, value in given if value is not None)


# ---- printing


def _print_anomalies(found: Sequence[Anomaly]) -> None:
    for anomaly in found:
        ended = _clock(anomaly.ended) if anomaly.ended is not None else "the end"
        minor = ", low severity" if anomaly.severity == "low" else ""
        print(
            f"{_clock(anomaly.started)} to {ended}  {anomaly.kind}, "
            f"score {anomaly.score:.2f}{minor}"
        )
        print(f"    {anomaly.explanation}")


def _print_difference(arguments: argparse.Namespace, today: Replay, then: Replay) -> None:
    change = difference(today.found, then.found)
    named = _named(arguments)
    for anomalies, what in (
        (change.new, "new"),
        (change.lost, "lost"),
        (change.lowered, "low severity then"),
        (change.raised, "not low severity any more"),
    ):
        if anomalies:
            print(f"With {named} {what}:")
            _print_anomalies(anomalies)
    told = [(change.new, "new"), (change.lost, "lost")]
    told += [(change.lowered, "become low severity"), (change.raised, "are low severity no more")]
    counts = [f"{len(anomalies)} {what}" for anomalies, what in told if anomalies]
    print(f"today: {_counted(today)}; with {named}: {_counted(then)}")
    print(", ".join(counts) if counts else "no difference on this series")


def _counted(one: Replay) -> str:
    """Return how many anomalies, and how many of them are minor."""
    count = len(one.found)
    minor = f" ({one.minor} of them low severity)" if one.minor else ""
    return f"{count} anomal{'y' if count == 1 else 'ies'}{minor}"


def _print_summary(series: Series, one: Replay) -> None:
    count = series.timestamps.size
    length = int(series.timestamps[-1] - series.timestamps[0])
    print(
        f"{_counted(one)} in {_datapoints(count)}"
        + (f" over {span(length)}" if length else "")
        + (f" (score {one.settings.threshold:g} or more)" if one.found else "")
        + ("" if count >= WARMUP else f"; analysis starts after {WARMUP}")
    )
    found = probe(one.bank.dump(0, 1), threshold=one.settings.threshold, local=one.settings.local)
    if found is not None:
        print(f"on this metric now: {sentence(found)}")


def _datapoints(count: int) -> str:
    return f"{count:,} datapoint{'' if count == 1 else 's'}"


def _print_scores(series: Series, one: Replay) -> None:
    print("timestamp,value,score,expected,lower,upper,anomalous")
    verdicts = one.verdicts
    for row in zip(
        series.timestamps.tolist(),
        series.values.tolist(),
        verdicts.score.tolist(),
        verdicts.expected.tolist(),
        verdicts.lower.tolist(),
        verdicts.upper.tolist(),
        strict=True,
    ):
        shown = ["" if number != number else repr(number) for number in row[2:]]  # noqa: PLR0124
        print(f"{row[0]},{row[1]!r},{','.join(shown)},{int(row[2] >= one.settings.threshold)}")


def _clock(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
