"""From the POST of an anomalous datapoint to the anomaly in the API, and the memory that it takes.

A fleet of metrics gets enough history to be analysed, and a few others get more: after a hundred
datapoints few claims can be made. Then, one after the other and on a daemon with nothing else to
do, these few report a value far from all before, and /api/v1/anomalies is asked every 5 ms until it
has that metric's anomaly. The time runs from before the POST to the answer that shows it. The
rounds come at random moments, so that no job of the daemon keeps step with them.

Exits 1 if a datapoint is not analysed or an anomaly does not appear within 10 s.
"""

import argparse
import http.client
import json
import random
import sys
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
    serving,
    spread_ms,
    table,
)
from running import Daemon

PATIENCE_S = 10.0
POLL_S = 0.005
ODD = 1_000_000.0
LONGER = 600  # datapoints of the metrics that report it


class Reader:
    """A keep-alive connection that asks for a metric's anomalies."""

    def __init__(self, daemon: Daemon) -> None:
        self._connection = http.client.HTTPConnection(daemon.url.removeprefix("http://"))
        self._headers = {"Authorization": f"Bearer {daemon.read_key}"}

    def has_anomaly(self, metric: str, since: int) -> bool:
        path = f"/api/v1/anomalies?metric={metric}&from={since}"
        self._connection.request("GET", path, headers=self._headers)
        return bool(json.loads(self._connection.getresponse().read())["anomalies"])


def time_one(daemon: Daemon, sender: Sender, reader: Reader, metric: str) -> tuple[float, float]:
    """Report an odd value; return the seconds until the 204, and until the anomaly was read."""
    now = int(time.time())
    if reader.has_anomaly(metric, now):
        raise SystemExit(f"{metric} has an anomaly before the round")
    element = {"metric": metric, "timestamp": now, "value": ODD}
    body = json.dumps({"key": daemon.key, "metrics": [element]}).encode()
    began = time.perf_counter()
    sender.deliver(body)
    posted_s = time.perf_counter() - began
    while not reader.has_anomaly(metric, now):
        if time.perf_counter() - began > PATIENCE_S:
            raise SystemExit(f"no anomaly of {metric} in {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)
    return posted_s, time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=int, default=20_000)
    parser.add_argument("--warm", type=int, default=110, help="datapoints of history a metric")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    parser.add_argument("--quick", action="store_true", help="500 metrics, 5 rounds")
    options = parser.parse_args()
    if options.quick:
        options.metrics, options.rounds = 500, 5
    count = options.metrics * options.warm + options.rounds * LONGER
    print(f"{options.metrics:,} metrics with {options.warm} datapoints each")
    with serving(options.folder) as daemon:
        fresh_mb = resident_mb(daemon)
        last = int(time.time()) - 60
        Fleet(options.metrics).fill(daemon, options.warm, last=last)
        odd = Fleet(options.rounds, name="odd")
        odd.fill(daemon, LONGER, last=last)
        await_analysed(daemon, count, patience_s=60 + count / 2_000)
        sender, reader = Sender(daemon.url), Reader(daemon)
        times = []
        for metric in odd.names:
            time.sleep(random.uniform(0.5, 1.5))
            times.append(time_one(daemon, sender, reader, metric))
        posted, readable = ([row[column] for row in times] for column in (0, 1))
        table(
            {
                "RSS of a new daemon": f"{fresh_mb:,.0f} MB",
                "RSS at the end / peak": (
                    f"{resident_mb(daemon):,.0f} / {resident_mb(daemon, 'VmHWM'):,.0f} MB"
                ),
                "rounds": options.rounds,
                "POST to 204, p50 / max": spread_ms(posted, 50),
                "POST to anomaly readable, p50 / max": spread_ms(readable, 50),
            }
        )
        analysed = figures(daemon)["fluxd_datapoints_analysed_total"]
        for line in complaints(daemon.said()):
            print(line)
    if analysed != count + options.rounds:
        print(f"FAILED: {count + options.rounds:,} datapoints sent, {analysed:,.0f} analysed")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
