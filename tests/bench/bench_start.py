"""How soon a daemon that knows many metrics accepts POSTs, and has caught up, after each end.

A fleet of metrics gets enough history to be analysed. Then the daemon is started three times on
that store: after a kill -9 at once, with most of the history still to be analysed anew; after a
clean stop; and after a kill -9 some reports later, as a crash in daily life would have it. Times
run from the start of the process to its first 204 (asked every 5 ms), and to the moment at which
every stored datapoint is analysed. The store's files are in the page cache.

Exits 1 if a datapoint is not analysed in the end, or a clean stop fails.
"""

import argparse
import contextlib
import http.client
import json
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet import (
    Fleet,
    Sender,
    await_analysed,
    complaints,
    figures,
    resident_mb,
    table,
)
from running import Daemon

PATIENCE_S = 60.0
POLL_S = 0.005


class FirstAnswer(threading.Thread):
    """Posts one datapoint until it is answered with 204, and notes when that was."""

    def __init__(self, url: str, key: str, now: float) -> None:
        super().__init__(daemon=True)
        self._sender = Sender(url, timeout_s=PATIENCE_S)
        # A metric of its own: a second datapoint of the same second would be an overwrite.
        element = {"metric": f"start.check-{now:.3f}", "timestamp": int(now), "value": 1}
        self._body = json.dumps({"key": key, "metrics": [element]}).encode()
        self.at: float | None = None

    def run(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self._sender.post(self._body) == 204:
                    self.at = time.monotonic()
                    return
            time.sleep(POLL_S)


class Subject:
    """A store with its metrics, and the daemon that serves it now."""

    def __init__(self, data: Path, metrics: int, rows: int) -> None:
        self.fleet = Fleet(metrics)
        self.daemon = Daemon(data)
        self.key, self.url = self.daemon.key, self.daemon.url
        self.analysed = rows * metrics
        self.fleet.fill(self.daemon, rows, last=int(time.time()) - 120)
        self.catch_up()

    def catch_up(self) -> None:
        await_analysed(self.daemon, self.analysed, patience_s=60 + self.analysed / 2_000)

    def report(self, timestamp: int) -> None:
        """Let every metric report once."""
        sender = Sender(self.url)
        for block in range(len(self.fleet.sizes)):
            sender.deliver(self.fleet.body(self.key, block, timestamp))
        self.analysed += self.fleet.metrics

    def start(self, title: str) -> None:
        """Start a daemon and print how long it took."""
        first = FirstAnswer(self.url, self.key, time.time())
        began = time.monotonic()
        first.start()
        self.daemon = Daemon(self.daemon.data, "--listen", self.url.removeprefix("http://"))
        self.daemon.key = self.key
        known = figures(self.daemon)["fluxd_datapoints_analysed_total"]
        first.join()
        if first.at is None:
            raise SystemExit(f"{title}: no 204 in {PATIENCE_S:.0f} s")
        self.analysed += 1
        self.catch_up()
        table(
            {
                f"{title}: first 204": f"{first.at - began:.2f} s",
                f"{title}: all analysed": (
                    f"{time.monotonic() - began:.2f} s, {max(0, self.analysed - known):,.0f} anew,"
                    f" {resident_mb(self.daemon):,.0f} MB"
                ),
            }
        )
        for line in complaints(self.daemon.said()):
            print(line)


def measure(subject: Subject) -> bool:
    """Print the figures; return whether nothing was missing."""
    subject.daemon.kill()
    subject.start("kill -9 after the history")
    if code := subject.daemon.stop():
        print(f"FAILED: a clean stop ended with {code}")
        return False
    subject.start("clean stop")
    now = int(time.time())
    for timestamp in (now - 1, now):
        subject.report(timestamp)
    subject.catch_up()
    subject.daemon.kill()
    subject.start("kill -9 after two reports")
    analysed = figures(subject.daemon)["fluxd_datapoints_analysed_total"]
    if analysed != subject.analysed:
        print(f"FAILED: {subject.analysed:,} datapoints sent, {analysed:,.0f} analysed")
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=int, default=20_000)
    parser.add_argument("--warm", type=int, default=110, help="datapoints of history a metric")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    parser.add_argument("--quick", action="store_true", help="500 metrics")
    options = parser.parse_args()
    if options.quick:
        options.metrics = 500
    print(f"{options.metrics:,} metrics with {options.warm} datapoints each")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="fluxd-bench-") as place:
        subject = Subject(Path(place) / "data", options.metrics, options.warm)
        try:
            return 0 if measure(subject) else 1
        finally:
            subject.daemon.kill()


if __name__ == "__main__":
    sys.exit(main())
