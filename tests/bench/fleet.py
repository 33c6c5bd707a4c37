"""A fleet of agents for the benchmarks, and what a daemon says of itself while it serves them."""

import contextlib
import http.client
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from running import Daemon, request

PER_POST = 500
PATH = "/flux/metric_data_post"

# History is sent no faster than it is analysed: a feed that overflows is another measurement.
FEED_LIMIT = 1_000_000


class Sender:
    """One agent's keep-alive connection."""

    def __init__(self, url: str, *, timeout_s: float = 30.0) -> None:
        self._address = url.removeprefix("http://")
        self._connection = http.client.HTTPConnection(self._address, timeout=timeout_s)

    def post(self, body: bytes) -> int:
        """Return the status of the answer; OSError or HTTPException where there is none."""
        try:
            self._connection.request("POST", PATH, body)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()  # the next request opens it anew
            raise
        return answer.status

    def deliver(self, body: bytes) -> None:
        """Post, and end the benchmark where the answer is no 204.

        A connection that the server closed for being idle is opened anew, as agents do.
        """
        try:
            status = self.post(body)
        except ConnectionError:
            status = self.post(body)
        if status != 204:
            raise SystemExit(f"a POST was answered with {status}, not 204")


class Fleet:
    """Metrics in blocks, one POST each: noisy daily waves, now and then with a spike."""

    def __init__(
        self, metrics: int, *, name: str = "fleet", spikes: float = 0.0, seed: int = 1
    ) -> None:
        self.metrics = metrics
        self._spikes = spikes
        self._seed = seed
        starts = range(0, metrics, PER_POST)
        self.sizes = [min(PER_POST, metrics - start) for start in starts]
        self.names = [f"{name}.host-{i // 10:06}.load-{i % 10}" for i in range(metrics)]
        # Datapoint by datapoint, for the % operator: bodies must cost the client little.
        self._elements = [
            ",".join(
                f'{{"metric":"{metric}","timestamp":TIME,"value":%.3fFILL}}'
                for metric in self.names[start : start + size]
            )
            for start, size in zip(starts, self.sizes, strict=True)
        ]

    def body(self, key: str, block: int, timestamp: int, *, fill: bool = False) -> bytes:
        """Return the POST with which a block's metrics report at `timestamp`."""
        values = self._values(block, timestamp)
        text = self._elements[block].replace("TIME", str(timestamp))
        text = text.replace("FILL", ',"fill":true' if fill else "") % tuple(values.tolist())
        return f'{{"key":"{key}","metrics":[{text}]}}'.encode()

    def _values(self, block: int, timestamp: int) -> npt.NDArray[np.float64]:
        rng = np.random.default_rng([self._seed, block, timestamp])
        phase = np.arange(self.sizes[block]) / self.sizes[block]
        values = 100 + 30 * np.sin(2 * np.pi * (timestamp / 86_400 + phase))
        values += rng.normal(0, 2, len(values))
        values[rng.random(len(values)) < self._spikes] += 60
        return values

    def sent(self, metric: int, minutes: list[int]) -> list[tuple[int, float]]:
        """Return (timestamp, value) of a metric that reports in these minutes (since 1970).

        The blocks report one after the other, evenly spread over a minute.
        """
        block, at = divmod(metric, PER_POST)
        times = [60 * minute + 60 * block // len(self.sizes) for minute in minutes]
        return [(time, float(f"{self._values(block, time)[at]:.3f}")) for time in times]

    def fill(
        self, daemon: Daemon, rows: int, *, last: int, interval: int = 60, threads: int = 4
    ) -> None:
        """Send each metric `rows` datapoints of history that end at `last`, at full speed."""

        def send(mine: range) -> None:
            sender = Sender(daemon.url)
            for timestamp in range(last - (rows - 1) * interval, last + 1, interval):
                for number, block in enumerate(mine):
                    while number % 20 == 0 and feed_is_full(daemon):
                        time.sleep(0.1)
                    sender.deliver(self.body(daemon.key, block, timestamp, fill=True))

        shares = [range(n, len(self.sizes), threads) for n in range(threads)]
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(send, shares))


@contextlib.contextmanager
def serving(folder: Path | None) -> Iterator[Daemon]:
    """Run a daemon on an empty store below `folder`; in the end both are gone."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="fluxd-bench-") as place:
        daemon = Daemon(Path(place) / "data")
        try:
            yield daemon
        finally:
            daemon.kill()


def figures(daemon: Daemon) -> dict[str, float]:
    """Return the samples of /metrics by their names, labels included."""
    text = request(f"{daemon.url}/metrics").body
    samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def feed_is_full(daemon: Daemon) -> bool:
    """Return whether the analysis is far behind."""
    return figures(daemon)["fluxd_feed_waiting_datapoints"] > FEED_LIMIT


def failed_jobs(seen: dict[str, float]) -> int:
    """Return how many runs of background jobs have failed."""
    return int(sum(n for name, n in seen.items() if name.startswith("fluxd_job_failures_total")))


def complaints(log: str) -> list[str]:
    """Return the warnings and errors in a daemon's log."""
    return [line for line in log.splitlines() if re.search(" (WARNING|ERROR|CRITICAL) ", line)]


def await_analysed(daemon: Daemon, count: int, *, patience_s: float) -> float:
    """Wait until so many datapoints are analysed; return how many seconds that took."""
    return await_figures(
        daemon, lambda seen: seen["fluxd_datapoints_analysed_total"] >= count, patience_s=patience_s
    )


def await_figures(
    daemon: Daemon, reached: Callable[[dict[str, float]], bool], *, patience_s: float
) -> float:
    """Wait until the daemon's figures are as wanted; return how many seconds that took."""
    began = time.monotonic()
    while not reached(seen := figures(daemon)):
        if time.monotonic() - began > patience_s:
            raise SystemExit(f"not reached in {patience_s:.0f} s: {seen}")
        time.sleep(0.05)
    return time.monotonic() - began


def resident_mb(daemon: Daemon, field: str = "VmRSS") -> float:
    """Return the process's memory in MB; `VmHWM` is the most that it ever was."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1_000


def written_bytes(daemon: Daemon) -> int:
    """Return what the process has caused to be written to disk."""
    account = Path(f"/proc/{daemon.process.pid}/io").read_text()
    return int(re.search(r"^write_bytes: (\d+)", account, re.MULTILINE)[1])


def spread_ms(seconds: list[float], *shares: int) -> str:
    """Return percentiles of durations as text in ms, the largest last."""
    return " / ".join(f"{1_000 * n:,.1f}" for n in np.percentile(seconds, [*shares, 100])) + " ms"


def table(rows: dict[str, object]) -> None:
    """Print figures under their titles."""
    for title, value in rows.items():
        print(f"  {title:44} {value}", flush=True)
