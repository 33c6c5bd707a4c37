"""Three simulated hours of a fleet, across seals, a day's merge and a prune.

The daemon's clock is the benchmark's (see clocked.py): it moves with the reports, so that a metric
that reports once a minute does so much more often. The hours lie across a midnight (UTC) and end
after the day before it is closed. Before they begin the store gets that day's earlier hours and an
older day, which retention takes away while they run; and the fleet reports for --lead minutes, so
that all metrics are judged.

The reports follow a timetable, --speed times real time; a POST's latency counts from when it was
due. (Above 100,000 datapoints a second the daemon puts storing first and seals later: see
jobs/pace.py.) With --speed 0 each sender sends as soon as it has the last answer. The three hours
are over when all is analysed that was sent, the hours that are closed are sealed, the day is merged
and the old day is gone; from the last POST on the clock goes on fast.

With --apart nobody reports while the old day is pruned and the day is merged, so that what both
write can be told apart. They are the work of a whole day, so a datapoint's share is less than three
hours of them: `written, a whole day's share` counts it so. Bytes written are the kernel's account
of the process, those of detector state are what was saved, twice: for the log and for the file.

With --kill the fleet goes on until nearly an hour is to be analysed anew, and the daemon is killed
and started again: how soon it accepts POSTs, has caught up, and what lag it shows meanwhile.

Exits 1 if a POST fails, a job fails, or what is stored is not what was acknowledged.
"""

import argparse
import contextlib
import os
import sqlite3
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_start import FirstAnswer
from clocked import Clock
from fleet import (
    Fleet,
    complaints,
    failed_jobs,
    figures,
    resident_mb,
    spread_ms,
    table,
    written_bytes,
)
from past import fill_past
from running import Daemon
from simulated import RESTING_SPEED, LagWatch, Run

HOUR_S, DAY_S = 3_600, 86_400
RAW_DAYS = 7
MINUTES = 180
BEFORE_MIDNIGHT_S = 40 * 60
CLOSED_AFTER_S = 2 * HOUR_S + 300  # a day is closed this long after its end
PRUNED_AFTER_S = 70 * 60  # after midnight, at the latest: it is looked at once an hour
KILLED_AT = 62  # minutes after an hour began whose state is then about to be saved


@contextlib.contextmanager
def opened(path: Path):  # noqa: ANN201  # a context manager
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as store:
        store.create_function("sqlar_uncompress", 2, uncompressed, deterministic=True)
        yield store


def uncompressed(body: bytes, size: int) -> bytes:
    return body if len(body) == size else zlib.decompress(body)


class Bench:
    """The run, and the store that it leaves."""

    def __init__(self, options: argparse.Namespace, place: Path) -> None:
        self.options = options
        self.metrics = options.metrics
        self.midnight = int(time.time()) // DAY_S * DAY_S
        self.begin = self.midnight - BEFORE_MIDNIGHT_S
        self.lead_begin = self.begin - options.lead * 60
        self.path = place / "data" / "fluxd.db"
        self.fleet = Fleet(self.metrics)
        first = Daemon(place / "data")
        first.stop()
        self.past = fill_past(
            self.path,
            self.fleet.names,
            day=self.midnight - DAY_S,
            hours=range((self.lead_begin - (self.midnight - DAY_S)) // HOUR_S),
            old_day=self.midnight - (RAW_DAYS + 1) * DAY_S,
        )
        clock = Clock(place / "clock", self.lead_begin - 60)
        os.environ["FLUXD_RETENTION__RAW"] = str(RAW_DAYS * DAY_S)
        program = (
            sys.executable,
            str(Path(__file__).with_name("clocked.py")),
            str(place / "clock"),
        )
        self._program = program
        self.daemon = Daemon(place / "data", program=program)
        self.daemon.key = first.key
        self.run = Run(self.daemon, clock, self.fleet, options.speed, minute=self.lead_begin // 60)

    # ---- what is waited for

    def analysed(self) -> bool:
        seen = figures(self.daemon)
        return seen["fluxd_datapoints_analysed_total"] >= len(self.run.sent) * self.metrics

    def pruned(self) -> bool:
        return not self._ask(
            "SELECT EXISTS (SELECT 1 FROM blocks WHERE place < ? << 29)",
            self.midnight - 2 * DAY_S,
        )

    def merged(self) -> bool:
        closed = self._ask("SELECT value FROM meta WHERE name = 'closed_day'")
        return closed is not None and int(closed) >= self.midnight

    def sealed(self) -> bool:
        """Whether nothing is left in the recent tier of hours that are closed."""
        closed = (int(self.run.clock()) - 300) // HOUR_S * HOUR_S
        return not self._ask("SELECT EXISTS (SELECT 1 FROM recent WHERE place < ? << 29)", closed)

    def _ask(self, question: str, *values: object) -> object:
        with opened(self.path) as store:
            row = store.execute(question, values).fetchone()
        return row[0] if row else None

    # ---- the run

    def go(self) -> bool:
        began = time.monotonic()
        self.run.report(self.options.lead)
        self.run.rest(self.analysed, "the lead analysed")
        table({"lead": f"{self.options.lead} minutes in {time.monotonic() - began:.0f} s"})
        self.run.latencies.clear()
        lag, states = LagWatch(self.daemon), self.run.clock.state_bytes
        lag.start()
        written = written_bytes(self.daemon)
        before = figures(self.daemon)
        began = time.monotonic()
        apart = self._three_hours()
        rest_s = self.run.rest(
            lambda: self.analysed() and self.merged() and self.pruned() and self.sealed(), "the end"
        )
        took_s = time.monotonic() - began
        lag.end()
        written = written_bytes(self.daemon) - written
        seen = figures(self.daemon)
        cpu_s = seen["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
        self._tell(took_s, rest_s, cpu_s, lag)
        self._tell_written(written, 2 * round(self.run.clock.state_bytes - states), apart)
        self._tell_latencies()
        if self.options.kill:
            seen = self._kill()
        return self._right(seen)

    def _kill(self) -> dict[str, float]:
        """Kill the daemon and start it again; return its figures when all is analysed."""
        self.run.report(KILLED_AT - self.run.minute % 60)
        url, key = self.daemon.url, self.daemon.key
        self.daemon.kill()
        first = FirstAnswer(url, key, self.run.clock())
        began = time.monotonic()
        first.start()
        listen = url.removeprefix("http://")
        self.daemon = Daemon(self.daemon.data, "--listen", listen, program=self._program)
        self.daemon.key, self.run.daemon = key, self.daemon
        known = figures(self.daemon)["fluxd_datapoints_analysed_total"]
        lags = []
        while not self.analysed():
            lags.append(figures(self.daemon)["fluxd_analysis_lag_seconds"])
            time.sleep(0.1)
        took_s = time.monotonic() - began
        first.join()
        if first.at is None:
            raise SystemExit("FAILED: no 204 after the kill")
        anew = len(self.run.sent) * self.metrics - known
        table(
            {
                "after kill -9: first 204": f"{first.at - began:.2f} s",
                "all analysed": f"{took_s:.1f} s, {anew:,.0f} datapoints anew",
                "lag shown, at most": f"{max(lags, default=0):,.0f} s",
            }
        )
        return figures(self.daemon)

    def _three_hours(self) -> dict[str, int]:
        """Send the reports; return what was written while they paused, by the reason."""
        apart: dict[str, int] = {}
        if not self.options.apart:
            self.run.report(MINUTES)
            return apart
        end = len(self.run.sent) + MINUTES
        pauses = (("prune", PRUNED_AFTER_S, self.pruned), ("merge", CLOSED_AFTER_S, self.merged))
        for title, after_s, done in pauses:
            self.run.report(max(0, (self.midnight + after_s - 60) // 60 - self.run.minute))
            self.run.rest(self.analysed, "analysed")
            self.run.rest(self.sealed, "sealed")
            before = written_bytes(self.daemon)
            self.run.clock.set(max(self.run.clock(), self.midnight + after_s))
            took_s = self.run.rest(done, title)
            apart[title] = written_bytes(self.daemon) - before
            table({title: f"{took_s:.1f} s, {apart[title] / 1e6:,.0f} MB written"})
        self.run.report(end - len(self.run.sent))
        return apart

    # ---- what came of it

    def _tell(self, took_s: float, rest_s: float, cpu_s: float, lag: LagWatch) -> None:
        sent = MINUTES * self.metrics
        table(
            {
                "datapoints": f"{sent:,}, {sent / took_s:,.0f} a second",
                "three hours in": f"{took_s:,.0f} s, {MINUTES * 60 / took_s:.1f} × real time",
                "of that after the last POST": f"{rest_s:,.0f} s ({RESTING_SPEED} times real time)",
                "processor": f"{cpu_s:,.0f} s, {cpu_s / took_s:.0%} of a core",
                "analysis lag max, simulated": f"{max(lag.lags):,.0f} s",
                "the same, datapoints": f"{max(lag.waiting):,.0f}",
                "RSS peak": f"{resident_mb(self.daemon, 'VmHWM'):,.0f} MB",
                "store": f"{self.path.stat().st_size / 1e6:,.0f} MB",
            }
        )

    def _tell_written(self, written: int, states: int, apart: dict[str, int]) -> None:
        sent = MINUTES * self.metrics
        rows = {
            "written": f"{written / sent:.0f} bytes a datapoint",
            "state saving": f"{states / sent:.0f}",
            "written, state saving apart": f"{(written - states) / sent:.0f}",
        }
        if apart:
            daily = sum(apart.values())
            share = (written - states - daily) / sent + daily / (1_440 * self.metrics)
            rows["the same, a whole day's share"] = f"{share:.0f}"
        table(rows)

    def _tell_latencies(self) -> None:
        times = np.array([at for at, _ in self.run.latencies])
        took = np.array([s for _, s in self.run.latencies])
        table({"POST p50 / p99 / max": f"{spread_ms(took.tolist(), 50, 99)}, {len(took):,} POSTs"})
        for at in range(self.begin, self.begin + MINUTES * 60, 1_800):
            inside = took[(times >= at) & (times < at + 1_800)].tolist()
            if inside:  # with --apart the clock leaps
                title = f"the same, minutes from {(at - self.begin) // 60}"
                table({title: spread_ms(inside, 50, 99)})

    def _right(self, seen: dict[str, float]) -> bool:
        """Compare what is stored with what was acknowledged; return whether all is well."""
        live = len(self.run.sent) * self.metrics + self.options.kill
        with opened(self.path) as store:
            (blocks,) = store.execute("SELECT sum(count) FROM blocks").fetchone()
            (recent,) = store.execute("SELECT count(*) FROM recent").fetchone()
            wrong = sum(self._differs(store, metric) for metric in range(0, self.metrics, 997))
        expected = live + self.past.kept
        failures = failed_jobs(seen)
        table(
            {
                "stored, expected": f"{blocks + recent:,}, {expected:,}",
                "metrics compared, that differ": f"{len(range(0, self.metrics, 997))}, {wrong}",
                "failed runs of background jobs": failures,
            }
        )
        return not failures and not wrong and blocks + recent == expected

    def _differs(self, store: sqlite3.Connection, metric: int) -> bool:
        """Compare every datapoint of a metric that was posted, through the view."""
        rows = store.execute(
            "SELECT timestamp, value FROM datapoints WHERE metric = ? AND timestamp >= ?"
            " ORDER BY timestamp",
            (self.fleet.names[metric], self.lead_begin),
        ).fetchall()
        return rows != self.fleet.sent(metric, self.run.sent)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=int, default=100_000)
    parser.add_argument("--lead", type=int, default=100, help="minutes of reports before")
    parser.add_argument("--speed", type=float, default=20, help="times real time; 0: what it can")
    parser.add_argument("--apart", action="store_true", help="no reports while a day is merged")
    parser.add_argument("--kill", action="store_true", help="kill -9 in the end, and start again")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    parser.add_argument("--quick", action="store_true", help="1,000 metrics")
    options = parser.parse_args()
    if options.quick:
        options.metrics = 1_000
    print(f"{options.metrics:,} metrics, {MINUTES} minutes, {options.speed or 'full'} speed")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="fluxd-bench-") as place:
        bench = Bench(options, Path(place))
        try:
            well = bench.go()
            bench.daemon.stop()
            for line in complaints(bench.daemon.said()):
                print(line)
            return 0 if well else 1
        finally:
            bench.daemon.kill()


if __name__ == "__main__":
    sys.exit(main())
