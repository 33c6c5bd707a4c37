"""A fleet that reports by a simulated clock, faster than real time, and a watch on the lag."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from clocked import Clock
from fleet import Fleet, Sender, feed_is_full, figures
from running import Daemon

SENDERS = 8
RESTING_SPEED = 60  # times real time: some jobs come once an hour
PATIENCE_S = 3_600


@dataclass
class Run:
    """The fleet's reports, minute after minute, and how they were answered."""

    daemon: Daemon
    clock: Clock
    fleet: Fleet
    speed: float
    minute: int  # the first one, since 1970
    sent: list[int] = field(default_factory=list)  # minutes
    latencies: list[tuple[int, float]] = field(default_factory=list)  # simulated second, s
    lags: list[float] = field(default_factory=list)

    def report(self, minutes: int) -> None:
        """Let the fleet report for some minutes."""
        blocks, first = len(self.fleet.sizes), self.minute * 60
        senders = min(SENDERS, blocks)
        minute_over = threading.Barrier(senders)
        lock = threading.Lock()
        began = time.monotonic()

        def send(share: int) -> list[tuple[int, float]]:
            sender, latencies = Sender(self.daemon.url), []
            for minute in range(minutes):
                for block in range(share, blocks, senders):
                    due = first + 60 * (minute + block / blocks)
                    body = self.fleet.body(self.daemon.key, block, int(due))
                    start = self._wait(block, began, due - first)
                    with lock:
                        self.clock.set(max(due, self.clock()))
                    try:
                        sender.deliver(body)
                    except BaseException as error:
                        print(f"minute {minute}, block {block}: {error}", flush=True)
                        minute_over.abort()
                        raise
                    latencies.append((int(due), time.monotonic() - start))
                minute_over.wait()  # so no metric's reports overtake each other
            return latencies

        with ThreadPoolExecutor(senders) as pool:
            for part in [pool.submit(send, share) for share in range(senders)]:
                self.latencies += part.result()
        self.sent += range(self.minute, self.minute + minutes)
        self.minute += minutes

    def _wait(self, block: int, began: float, simulated_s: float) -> float:
        """Wait until a POST is due; return when that was."""
        if self.speed:
            start = began + simulated_s / self.speed
            time.sleep(max(0.0, start - time.monotonic()))
            return start
        while block % 200 == 0 and feed_is_full(self.daemon):
            time.sleep(0.05)
        return time.monotonic()

    def rest(self, until: Callable[[], bool], title: str) -> float:
        """Let the clock go on fast until something is so; return how long that took in s."""
        began = at = time.monotonic()
        while not until():
            time.sleep(0.1)
            self.clock.set(self.clock() + RESTING_SPEED * (time.monotonic() - at))
            at = time.monotonic()
            if at - began > PATIENCE_S:
                raise SystemExit(f"FAILED: {title}: not in {PATIENCE_S} s")
        self.minute = max(self.minute, int(self.clock()) // 60 + 1)
        return time.monotonic() - began


class LagWatch(threading.Thread):
    """Notes the lag (simulated s) every second."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon=True)
        self._daemon = daemon
        self._ending = threading.Event()
        self.lags: list[float] = []
        self.waiting: list[float] = []

    def run(self) -> None:
        while not self._ending.wait(1.0):
            seen = figures(self._daemon)
            self.lags.append(seen["fluxd_analysis_lag_seconds"])
            self.waiting.append(seen["fluxd_feed_waiting_datapoints"])

    def end(self) -> None:
        self._ending.set()
        self.join()
