"""A fleet under a simulated clock: hours at full speed, across seals, a day's merge and a prune.

Every metric reports once a simulated minute, in POSTs of 500, as fast as the daemon answers and
analyses. First half an hour five days earlier, which retention (four days here) then prunes; then
the hours, from 23:20 UTC on, so that a day is closed among them. The clock stands while a minute is
sent. It ends when all is analysed, all that may be is sealed, and the early ones are gone, with
a look whether every datapoint that was acknowledged is there.

A POST's latency is real time, from its sending to its whole answer. Bytes written are the kernel's
account of the process, its end included; detector state is counted in the process, twice: for the
log and for the file.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from clocked import Clock
from fleet import (
    Fleet,
    Sender,
    complaints,
    failed_jobs,
    feed_is_full,
    figures,
    resident_mb,
    spread_ms,
    table,
    written_bytes,
)
from running import Daemon

DAY_S, HOUR_S = 86_400, 3_600
START = 1_763_000_000 // DAY_S * DAY_S + 23 * HOUR_S + 20 * 60
RETENTION = "4d"
EARLIER_S = 5 * DAY_S
WARM_MINUTES = 30
SENDERS = 4
PATIENCE_S = 900

# A minute takes so long at least: a small fleet would be through before a job has had a turn.
LEAST_S = 0.15


class Run:
    """A daemon under a clock, and what was sent to it."""

    def __init__(self, folder: Path, metrics: int) -> None:
        self.fleet = Fleet(metrics)
        self.clock = Clock(folder / "clock", START - EARLIER_S)
        program = (sys.executable, str(Path(__file__).parent / "clocked.py"), str(folder / "clock"))
        os.environ["FLUXD_RETENTION__RAW"] = RETENTION
        self.daemon = Daemon(folder / "data", program=program)
        self.senders = [Sender(self.daemon.url) for _ in range(SENDERS)]
        self.pool = ThreadPoolExecutor(SENDERS)
        self.sent = 0
        self.latencies: list[float] = []

    def minutes(self, count: int) -> None:
        """Let the fleet report so many times."""
        for _ in range(count):
            now, due = int(self.clock()), time.monotonic() + LEAST_S
            for part in self.pool.map(self._send, range(SENDERS), [now] * SENDERS):
                self.latencies += part
            self.sent += self.fleet.metrics
            self.clock.set(now + 60)
            time.sleep(max(0.0, due - time.monotonic()))
            while feed_is_full(self.daemon):
                time.sleep(0.05)

    def _send(self, first: int, now: int) -> list[float]:
        latencies = []
        for block in range(first, len(self.fleet.sizes), SENDERS):
            body = self.fleet.body(self.daemon.key, block, now)
            began = time.monotonic()
            self.senders[first].deliver(body)
            latencies.append(time.monotonic() - began)
        return latencies

    def seal_early(self) -> None:
        """Let the clock run on until what was sent is sealed."""
        while figures(self.daemon)["fluxd_datapoints_sealed_total"] < self.sent:
            self.clock.set(self.clock() + 10)
            time.sleep(0.1)

    def settle(self) -> None:
        """Wait until all is analysed, and all hours but those still open are sealed."""
        end = time.monotonic() + PATIENCE_S
        while True:
            self.clock.set(self.clock() + 2)
            seen = figures(self.daemon)
            behind = self.sent - seen["fluxd_datapoints_sealed_total"]
            if (
                seen["fluxd_datapoints_analysed_total"] >= self.sent
                and behind <= 80 * self.fleet.metrics  # an hour and what has come since
                and seen["fluxd_blocks_merged_total"] >= 2 * self.fleet.metrics
                and not counted(self.daemon.data / "fluxd.db")[1]
            ):
                return
            if time.monotonic() > end:
                raise SystemExit(f"it never settled: {seen}")
            time.sleep(0.2)


def counted(path: Path) -> tuple[int, int]:
    """Return how many datapoints the hours have in the store, and the early ones."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT place >> 29 >= ?1, sum(count) FROM blocks GROUP BY 1", (START - DAY_S,)
        )
        kept = dict(rows.fetchall())
        recent = connection.execute(
            "SELECT count(*) FROM recent WHERE NOT EXISTS"
            " (SELECT 1 FROM blocks WHERE blocks.place = ((recent.place >> 29) / 3600 * 3600 << 29)"
            " + (recent.place & 536870911))"
        )
        return kept.get(1, 0) + recent.fetchone()[0], kept.get(0, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=int, default=100_000)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    options = parser.parse_args()
    minutes = round(60 * options.hours)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="fluxd-bench-") as place:
        run = Run(Path(place), options.metrics)
        run.minutes(WARM_MINUTES)
        run.seal_early()
        run.clock.set(START)
        run.latencies.clear()
        began = time.monotonic()
        run.minutes(minutes)
        sent_s = time.monotonic() - began
        run.settle()
        settled_s = time.monotonic() - began
        seen = figures(run.daemon)
        memory = f"{resident_mb(run.daemon):,.0f} / {resident_mb(run.daemon, 'VmHWM'):,.0f} MB"
        state = 2 * run.clock.state_bytes
        file = run.daemon.data / "fluxd.db"
        kept, early = counted(file)
        run.daemon.process.terminate()
        while (written := written_bytes(run.daemon)) is not None and _lives(run.daemon):
            time.sleep(0.01)
        hours = minutes * options.metrics
        table(
            {
                "sent, early / hours": f"{run.sent - hours:,} / {hours:,} datapoints",
                "hours sent in": f"{sent_s:,.0f} s, {60 * minutes / sent_s:,.0f} x real time",
                "analysed, sealed, merged after": (
                    f"{settled_s:,.0f} s, {60 * minutes / settled_s:,.0f} x real time"
                ),
                "POST p50 / p99 / max": spread_ms(run.latencies, 50, 99),
                "written per datapoint, state apart": f"{(written - state) / run.sent:,.0f} bytes",
                "detector state per datapoint": f"{state / run.sent:,.0f} bytes",
                "RSS at the end / peak": memory,
                "failed runs of background jobs": failed_jobs(seen),
                "in the store": f"{kept:,} of the hours, {early:,} early ones left",
                "file per datapoint kept": f"{file.stat().st_size / max(1, kept):,.1f} bytes",
            }
        )
        for line in complaints(run.daemon.said()):
            print(line)
    return 0 if kept == hours and early == 0 and not failed_jobs(seen) else 1


def _lives(daemon: Daemon) -> bool:
    try:
        daemon.process.wait(0)
    except subprocess.TimeoutExpired:
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
