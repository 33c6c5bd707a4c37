"""How fast one metric's datapoints are read beside a month of 10,000 others.

    python tests/bench/bench_reads.py [FOLDER of CSV files] [--file STORE]

The store is built by importing (see month.py), which takes ten minutes; --file keeps it for the
next time. Reads are of random metrics and days, the file in the page cache where it fits: first
through the store's own function, then through the stock sqlite3 shell on the view, with its start
and without (an empty query's time taken off), then a year of rollups as the API answers it.
"""

import argparse
import contextlib
import functools
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet import table
from month import DAYS_OF_YEAR, YEAR, build, name_of
from realseries import load
from web.inprocess import InProcess

from fluxd.store import open_store
from fluxd.store.datapoints import read_datapoints

DAY_S = 86_400
ROUNDS = 200
SHELL_ROUNDS = 40

FORGET_KEYS = "UPDATE keys SET name = name || id WHERE name IN ('agent', 'page')"


def spread(seconds: list[float]) -> str:
    """Return median and 95th percentile in ms."""
    return " / ".join(f"{1_000 * n:.2f}" for n in np.percentile(seconds, [50, 95])) + " ms"


def timed(calls: list[Callable[[], object]]) -> list[float]:
    """Return how long each call took, in seconds."""
    took = []
    for call in calls:
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return took


def shell(path: Path, question: str) -> str:
    """Ask the stock shell."""
    done = subprocess.run(
        ["sqlite3", "-readonly", str(path), question], capture_output=True, text=True, check=True
    )
    return done.stdout


class Reads:
    """A month's store, and what is asked of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rng = random.Random(1)
        self._now = int(
            shell(path, f"SELECT max(timestamp) FROM datapoints WHERE metric = '{YEAR}'")
        )
        self._metrics = int(shell(path, "SELECT count(*) FROM metrics")) - 1

    def _day(self) -> tuple[str, int, int]:
        """Return a random metric's name, and the ends of a whole day."""
        since = self._now - self._rng.randrange(1, 29) * DAY_S
        return name_of(self._rng.randrange(self._metrics)), since, since + DAY_S - 1

    def through_the_store(self) -> None:
        with contextlib.closing(open_store(self._path)) as store:

            def read(name: str, since: int, until: int) -> int:
                series = store.catalog.id_of(name)
                assert series is not None
                with store.read() as reader:
                    return len(read_datapoints(reader, series, since, until, 100_000)[0])

            days = [self._day() for _ in range(ROUNDS)]
            counts = [read(*day) for day in days]
            took = timed([functools.partial(read, *day) for day in days])
            now = self._now
            latest = timed([functools.partial(read, name, now - DAY_S, now) for name, _, _ in days])
        table(
            {
                "a day, store": f"{spread(took)}, {min(counts):,} to {max(counts):,} datapoints",
                "the last 24 hours, store": spread(latest),
            }
        )

    def through_the_shell(self) -> None:
        start_s = float(np.median(timed([functools.partial(shell, self._path, "SELECT 1")] * 20)))
        table({"the shell's start": f"{1_000 * start_s:.1f} ms"})
        for title, question in (
            (
                "a day",
                (
                    "SELECT timestamp, value FROM datapoints WHERE metric = '{0}'"
                    " AND timestamp BETWEEN {1} AND {2}"
                ),
            ),
            ("a whole month", "SELECT timestamp, value FROM datapoints WHERE metric = '{0}'"),
            ("a month's count", "SELECT count(*) FROM datapoints WHERE metric = '{0}'"),
        ):
            asked = [question.format(*self._day()) for _ in range(SHELL_ROUNDS)]
            took = timed([functools.partial(shell, self._path, one) for one in asked])
            bare = [seconds - start_s for seconds in took]
            table({f"{title}, shell": f"{spread(took)}, without its start {spread(bare)}"})

    def a_year(self) -> None:
        """Ask for a year as the API does, at page width."""
        with contextlib.closing(open_store(self._path)) as store:  # keys of an earlier run
            store.writer.run(lambda connection: connection.execute(FORGET_KEYS))
        fluxd = InProcess(self._path.parent)
        try:
            fluxd.now = self._now
            address = f"/api/v1/metrics/{YEAR}/datapoints"
            span = f"from={self._now - DAYS_OF_YEAR * DAY_S}&to={self._now}"
            for step in (28_800, 86_400):
                ask = functools.partial(fluxd.get, f"{address}?{span}&step={step}")
                points = len(ask().json["timestamps"])
                table({f"a year in {points:,} steps, API": spread(timed([ask] * 20))})
        finally:
            fluxd.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("series", type=Path, nargs="?", help="a folder with CSV files")
    parser.add_argument("--file", type=Path, default=None, help="the store: built, or used again")
    parser.add_argument("--metrics", type=int, default=10_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--quick", action="store_true", help="200 metrics")
    options = parser.parse_args()
    if options.quick:
        options.metrics = 200
    with tempfile.TemporaryDirectory(prefix="fluxd-bench-") as place:
        path = options.file or Path(place) / "fluxd.db"
        if not path.exists():
            real = load(options.series)
            built = build(path, real, metrics=options.metrics, days=options.days)
            table(
                {
                    "datapoints": f"{built.datapoints:,} of {built.metrics:,} metrics",
                    "import": f"{1e6 * built.import_s / built.datapoints:.2f} µs a datapoint",
                }
            )
        table({"store": f"{path.stat().st_size / 1e6:,.0f} MB"})
        reads = Reads(path)
        reads.through_the_store()
        reads.through_the_shell()
        reads.a_year()
    return 0


if __name__ == "__main__":
    sys.exit(main())
