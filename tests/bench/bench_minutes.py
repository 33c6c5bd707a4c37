"""A fleet in real time: every metric reports once an interval, spread evenly over it.

Each metric first gets enough history to be analysed (--warm datapoints, sent as fast as they are
analysed). Then POSTs of 500 follow their timetable for some minutes. A POST's latency counts from
when it was due to its whole answer, so a sender that waits for an earlier answer does not hide a
stall. The analysis' lag is what /metrics says, asked every second; it counts in whole seconds.
Bytes written are the kernel's account of the process: of the minutes alone (with what detector
state they happen to save), and of history and minutes together.

Exits 1 if a POST fails, a datapoint is not analysed, or a background job fails.
"""

import argparse
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet import (
    PER_POST,
    Fleet,
    Sender,
    await_analysed,
    complaints,
    failed_jobs,
    figures,
    resident_mb,
    serving,
    spread_ms,
    table,
    written_bytes,
)
from running import Daemon

WARMUP = 100  # datapoints before a metric's first verdict
SPIKES = 1e-4  # share of the datapoints
SENDERS = 8


class LagWatch(threading.Thread):
    """Asks for the lag every second until it is told to end."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon=True)
        self._daemon = daemon
        self._ending = threading.Event()
        self.lags: list[float] = []

    def run(self) -> None:
        while not self._ending.wait(1.0):
            self.lags.append(figures(self._daemon)["fluxd_analysis_lag_seconds"])

    def end(self) -> None:
        self._ending.set()
        self.join()


def report(fleet: Fleet, daemon: Daemon, *, rounds: int, interval: int) -> list[float]:
    """Let the fleet report for `rounds` intervals; return the latency of each POST in seconds."""
    blocks = len(fleet.sizes)
    gap = interval / blocks
    began = time.time() + 1

    def send(first: int) -> list[float]:
        sender, latencies = Sender(daemon.url), []
        for number in range(first, rounds * blocks, SENDERS):
            due = began + number * gap
            body = fleet.body(daemon.key, number % blocks, int(due))
            time.sleep(max(0.0, due - time.time()))
            sender.deliver(body)
            latencies.append(time.time() - due)
        return latencies

    with ThreadPoolExecutor(SENDERS) as pool:
        return [latency for part in pool.map(send, range(SENDERS)) for latency in part]


def warm_up(fleet: Fleet, daemon: Daemon, rows: int, interval: int) -> None:
    """Send the history, and wait until it is analysed."""
    began = time.monotonic()
    fleet.fill(daemon, rows, last=int(time.time()) - interval, interval=interval)
    count = rows * fleet.metrics
    posted_s = time.monotonic() - began
    await_analysed(daemon, count, patience_s=60 + count / 2_000)
    took_s = time.monotonic() - began
    table(
        {
            "history": f"{count:,} datapoints, {rows} a metric",
            "history durable after": f"{posted_s:,.1f} s",
            "history analysed after": f"{took_s:,.1f} s, {count / took_s:,.0f} datapoints/s",
        }
    )


def measure(daemon: Daemon, fleet: Fleet, *, warm: int, rounds: int, interval: int) -> bool:
    """Print the figures; return whether all was stored and analysed, and no job failed."""
    if warm:
        warm_up(fleet, daemon, warm, interval)
    watch, before = LagWatch(daemon), figures(daemon)
    written = written_bytes(daemon)
    watch.start()
    latencies = report(fleet, daemon, rounds=rounds, interval=interval)
    watch.end()
    sent = rounds * fleet.metrics
    rest_s = await_analysed(daemon, (warm + rounds) * fleet.metrics, patience_s=600)
    seen = figures(daemon)
    judged = max(0, min(rounds, warm + rounds - WARMUP + 1)) * fleet.metrics
    cpu_s = seen["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
    total = written_bytes(daemon)
    failures = failed_jobs(seen)
    table(
        {
            "datapoints in the minutes": f"{sent:,}, {judged / sent:.0%} of them with a verdict",
            "POSTs": f"{len(latencies):,} of {min(PER_POST, fleet.metrics)}",
            "POST p50 / p99 / max": spread_ms(latencies, 50, 99),
            "analysis lag max": f"{max(watch.lags, default=0):.1f} s",
            "last datapoint analysed after": f"{rest_s:.2f} s",
            "RSS at the end / peak": (
                f"{resident_mb(daemon):,.0f} / {resident_mb(daemon, 'VmHWM'):,.0f} MB"
            ),
            "written per datapoint, the minutes": f"{(total - written) / sent:,.0f} bytes",
            "written per datapoint, history too": (
                f"{total / (sent + warm * fleet.metrics):,.0f} bytes"
            ),
            "processor": f"{cpu_s / (rounds * interval):.0%} of a core",
            "failed runs of background jobs": failures,
        }
    )
    stored = seen["fluxd_datapoints_committed_total"]
    analysed = seen["fluxd_datapoints_analysed_total"]
    if stored != analysed or stored != sent + warm * fleet.metrics:
        print(f"FAILED: {stored:,.0f} datapoints stored, {analysed:,.0f} analysed")
        return False
    return failures == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--interval", type=int, default=60, help="seconds between two reports")
    parser.add_argument("--warm", type=int, default=WARMUP, help="datapoints of history a metric")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    parser.add_argument("--quick", action="store_true", help="2,000 metrics, three times in 30 s")
    options = parser.parse_args()
    if options.quick:
        options.metrics, options.minutes, options.interval = 2_000, 0.5, 10
    rounds = max(1, round(options.minutes * 60 / options.interval))
    print(f"{options.metrics:,} metrics, each every {options.interval} s, {rounds} times")
    with serving(options.folder) as daemon:
        fleet = Fleet(options.metrics, spikes=SPIKES)
        well = measure(daemon, fleet, warm=options.warm, rounds=rounds, interval=options.interval)
        for line in complaints(daemon.said()):
            print(line)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
