"""How many bytes a datapoint takes on disk once it is sealed and merged, and its band.

    python tests/bench/bench_store.py [FOLDER of CSV files]

Series of one datapoint a minute and at most three decimals, moved so that they end now, are stored
twice: imported; and sent hour by hour under a simulated clock, with the detector, the saving of its
state and all jobs that keep the store small. Then the clock goes on until the last week is merged,
and the store is stopped cleanly. The figure is the whole file; bands and scores are told apart.
"""

import argparse
import contextlib
import sys
import tempfile
import time
from pathlib import Path

import apsw
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet import table
from realseries import Series, load

from fluxd.core.keys import Key
from fluxd.core.retention import DAY_S, HOUR_S, WEEK_S, Retention
from fluxd.jobs.analysis import Analysis
from fluxd.jobs.banding import BandKeeper
from fluxd.jobs.saving import StateSaver
from fluxd.jobs.sealing import Sealer
from fluxd.store import Store, open_store, prune
from fluxd.store.connection import FILE_NAME
from fluxd.store.handover import Batch, NewRow
from fluxd.store.keys import add_key
from fluxd.store.rebuilds import History

KEPT_S = 365 * DAY_S  # nothing is to be pruned
SETTLED_S = WEEK_S + DAY_S  # after this, every week is merged


class Subject:
    """A store and the jobs of the daemon that keep it small."""

    def __init__(self, path: Path, now: int) -> None:
        self.path = path
        self.store: Store = open_store(path, create=True)
        self.store.writer.run(lambda connection: add_key(connection, "agent", now=now))
        self.analysis = Analysis(self.store)
        self.states = StateSaver(self.store, self.analysis, band_s=KEPT_S)
        retention = Retention(KEPT_S, KEPT_S, KEPT_S)
        self.sealer = Sealer(self.store, lambda: self.states.saved_seq, retention)
        self.bands = BandKeeper(self.store, KEPT_S)

    def work(self, now: int, *, all_saved: bool = False) -> None:
        """Let the jobs do all that there is to do."""
        while self.analysis.step(now):
            pass
        if all_saved:
            self.states.save_all(now, lambda: True)
        else:
            self.states.save(now)
        for job in (self.sealer, self.bands):
            while job.run(now):
                pass
        self.store.checkpoint()

    def stop(self, now: int) -> None:
        """End as the daemon does."""
        self.work(now, all_saved=True)
        while self.store.writer.run(lambda connection: prune.give_back(connection, cycle=None)):
            pass
        self.store.close()


def imported(path: Path, series: list[Series], now: int) -> None:
    subject = Subject(path, now)
    for one in series:
        history = History(one.name, one.timestamps, one.values)
        while not history.complete:
            subject.store.writer.run(
                lambda connection, history=history: history.write_some(
                    connection, now=now, more=lambda: True
                )
            )
    subject.work(now)
    subject.stop(now + SETTLED_S)


def sent(path: Path, series: list[Series], now: int) -> None:
    first = min(int(one.timestamps[0]) for one in series)
    subject = Subject(path, first)
    key = Key(1, "agent")
    for hour in range(first // HOUR_S * HOUR_S, now, HOUR_S):
        rows: list[NewRow] = []
        for one in series:
            start, stop = np.searchsorted(one.timestamps, [hour, hour + HOUR_S])
            times, values = one.timestamps[start:stop].tolist(), one.values[start:stop].tolist()
            for second, value in zip(times, values, strict=True):
                rows.append(NewRow(len(rows), one.name, second, value, history=False))
        if rows:
            end = hour + HOUR_S
            subject.store.writer.submit(Batch(key, end, len(rows), new=rows))
            for later_s in (
                60,
                600,
                1_200,
            ):  # the state is saved a while after the hour, then sealed
                subject.work(end + later_s, all_saved=later_s == 600)
    subject.stop(now + SETTLED_S)


def tell(title: str, path: Path, count: int) -> float:
    """Print what the file has; return its bytes a datapoint, bands apart."""
    with contextlib.closing(apsw.Connection(str(path))) as connection:
        sizes = dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
        ((stored,),) = connection.execute("SELECT coalesce(sum(count), 0) FROM blocks")
        ((banded,),) = connection.execute("SELECT coalesce(sum(count), 0) FROM bands")
        lengths = connection.execute(
            "SELECT length, sum(count), sum(length(body)) FROM blocks GROUP BY length"
        ).fetchall()
    if stored != count:
        raise SystemExit(f"FAILED: {stored:,} of {count:,} datapoints are sealed")
    bands = sizes.get("bands", 0)
    figure = (path.stat().st_size - bands) / count
    rows = {f"{title}, bands apart": f"{figure:.2f} bytes a datapoint"}
    if banded:
        rows["bands and scores"] = f"{bands / banded:.2f} bytes a datapoint, {banded:,} of them"
    for length, datapoints, size in lengths:
        rows[f"in blocks of {length // HOUR_S} h"] = (
            f"{datapoints:,}, {size / datapoints:.2f} bytes"
        )
    rest = sorted(((size, name) for name, size in sizes.items()), reverse=True)[:4]
    rows["tables"] = ", ".join(f"{name} {size / count:.2f}" for size, name in rest)
    table(rows)
    return figure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("series", type=Path, nargs="?", help="a folder with CSV files")
    parser.add_argument("--quick", action="store_true", help="five series")
    options = parser.parse_args()
    now = int(time.time()) // 60 * 60
    series = [one.ending(now) for one in load(options.series)]
    series = series[:5] if options.quick else series
    count = sum(len(one.timestamps) for one in series)
    print(f"{len(series)} series, {count:,} datapoints")
    with tempfile.TemporaryDirectory(prefix="fluxd-bench-") as place:
        for way in (imported, sent):
            path = Path(place) / way.__name__ / FILE_NAME
            path.parent.mkdir()
            began = time.monotonic()
            way(path, series, now)
            tell(way.__name__, path, count)
            table({"took": f"{time.monotonic() - began:.0f} s"})
    return 0


if __name__ == "__main__":
    sys.exit(main())
