"""`fluxd replay`: the shipped detector over a CSV, exactly as the daemon would run it."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fluxd.cli.options import add_command
from fluxd.core.anomalies import Anomaly, Stretches
from fluxd.core.detect import THRESHOLD, WARMUP, Bank, Verdicts
from fluxd.core.errors import FluxdError
from fluxd.ingest.series_csv import SeriesFile, read_series


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(commands, "replay", "show what would have been found in a CSV")
    parser.add_argument(
        "file", metavar="FILE.csv", help="timestamp,value; Unix seconds or ISO 8601; - for stdin"
    )
    parser.add_argument(
        "--scores",
        action="store_true",
        help="print timestamp,value,score,expected,lower,upper,anomalous for each datapoint",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the anomalies, or with `--scores` a row for each datapoint."""
    series = _read(arguments.file)
    for line, reason in series.faults:
        print(f"line {line} left out: {reason}", file=sys.stderr)
    if series.skipped > len(series.faults):
        print(f"{series.skipped} lines left out in all", file=sys.stderr)
    if not series.timestamps:
        raise FluxdError(f"{arguments.file} has no datapoints: rows must be timestamp,value")
    verdicts, found = replay(series)
    if arguments.scores:
        _print_scores(series, verdicts)
    else:
        _print_anomalies(found, series, verdicts)
    return 0


def replay(series: SeriesFile) -> tuple[Verdicts, list[Anomaly]]:
    """Run the detector over a series and return its verdicts and the anomalies' final forms."""
    timestamps = np.array(series.timestamps, np.int64)
    values = np.array(series.values, np.float64)
    slots = np.zeros(len(timestamps), np.int64)
    bank, stretches = Bank(), Stretches()
    bank.grow(1)
    verdicts = bank.advance(slots, timestamps, values)
    history = np.zeros(len(slots), np.bool_)
    changes = stretches.follow(bank, slots, timestamps, values, history, verdicts)
    return verdicts, list({change.started: change for change in changes}.values())


def _read(file: str) -> SeriesFile:
    if file == "-":
        return read_series(sys.stdin)
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as lines:
            return read_series(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise FluxdError(f"{file} can't be read: {error}") from error


def _print_anomalies(found: list[Anomaly], series: SeriesFile, verdicts: Verdicts) -> None:
    for anomaly in found:
        ended = _clock(anomaly.ended) if anomaly.ended is not None else "the end"
        print(f"{_clock(anomaly.started)} to {ended}  {anomaly.kind}, score {anomaly.score:.2f}")
        print(f"    {anomaly.explanation}")
    late = len(series.timestamps) - int(verdicts.analysed.sum())
    if late:
        print(f"{late} datapoints were not analysed: not newer than those before them")
    days = (max(series.timestamps) - min(series.timestamps)) / 86_400
    print(
        f"{len(found)} anomal{'y' if len(found) == 1 else 'ies'} in {len(series.timestamps):,} "
        f"datapoints over {days:.1f} days"
        + (f" (score {THRESHOLD} or more)" if found else "")
        + ("" if len(series.timestamps) >= WARMUP else f"; analysis starts after {WARMUP}")
    )


def _print_scores(series: SeriesFile, verdicts: Verdicts) -> None:
    print("timestamp,value,score,expected,lower,upper,anomalous")
    for row in zip(
        series.timestamps,
        series.values,
        verdicts.score.tolist(),
        verdicts.expected.tolist(),
        verdicts.lower.tolist(),
        verdicts.upper.tolist(),
        strict=True,
    ):
        shown = ["" if number != number else repr(number) for number in row[2:]]  # noqa: PLR0124
        print(f"{row[0]},{row[1]!r},{','.join(shown)},{int(row[2] >= THRESHOLD)}")


def _clock(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
