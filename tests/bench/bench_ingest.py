"""Durable ingest: fluxd against InfluxDB 1.6, which also syncs before its 204, in turn in one run.

wrk with 16 connections sends POSTs over 20,000 metrics, every datapoint new and of the last five
minutes, as agents send them: what is older may be late for its hour, and is stored and sealed
another way. The minutes hold 10 s of full speed; a longer run gets more metrics. Both servers start
with an empty store in the same folder; each round runs both, so that the ratio holds on a machine
whose speed drifts. Needs Debian's `wrk` and, for the comparison, `influxdb`.
"""

import argparse
import contextlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from running import Daemon, until

LOAD = Path(__file__).with_name("load.lua")
METRICS = 20_000  # for each ten seconds that are sent
SPAN_S = 300
CONNECTIONS = 16
INFLUX_PORT = 8186

INFLUX_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[logging]
  level = "error"
"""


def drive(url: str, kind: str, key: str, per_post: int, seconds: int) -> float:
    """Return the datapoints a second that were answered with 204."""
    began, metrics = int(time.time()) - SPAN_S, METRICS * -(-seconds // 10)
    outcome = subprocess.run(
        [
            *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(LOAD), url, "--"),
            *(kind, key, str(per_post), str(began), str(metrics)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    if "other answer" in outcome.stdout or "Non-2xx" in outcome.stdout:
        raise SystemExit(f"{kind} answered other than 204:\n{outcome.stdout}")
    posts = float(re.search(r"Requests/sec:\s+([\d.]+)", outcome.stdout).group(1))
    return posts * per_post


@contextlib.contextmanager
def fluxd(folder: Path) -> Iterator[tuple[str, str]]:
    """Run fluxd as it ships; yields its URL and a key."""
    daemon = Daemon(folder / "fluxd")
    try:
        yield daemon.url, daemon.key
    finally:
        daemon.stop()


@contextlib.contextmanager
def influxdb(folder: Path) -> Iterator[tuple[str, str]]:
    """Run InfluxDB with its defaults (its log syncs before the answer) and an empty database."""
    config = folder / "influxdb.conf"
    config.write_text(
        INFLUX_CONFIG.format(folder=folder / "influx", port=INFLUX_PORT, rpc=INFLUX_PORT + 1)
    )
    url = f"http://127.0.0.1:{INFLUX_PORT}"
    server = subprocess.Popen(
        ["influxd", "-config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def answers() -> bool:
        with contextlib.suppress(OSError):
            create = f"{url}/query?q=CREATE%20DATABASE%20bench"
            return urllib.request.urlopen(create, data=b"").status == 200
        return False

    try:
        until(answers)
        yield url, "-"
    finally:
        server.terminate()
        server.wait(60)


def main() -> None:
    """Print a table of rounds and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--per-post", type=int, nargs="+", default=[500, 10])
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    options = parser.parse_args()
    servers = {"fluxd": fluxd}
    if shutil.which("influxd"):
        servers["influxdb"] = influxdb
    print(f"{CONNECTIONS} connections, {options.seconds} s a run")
    for per_post in options.per_post:
        rates: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(options.rounds):
            for name, server in servers.items():
                with (
                    tempfile.TemporaryDirectory(dir=options.folder) as folder,
                    server(Path(folder)) as (url, key),
                ):
                    kind = "influx" if name == "influxdb" else name
                    rates[name].append(drive(url, kind, key, per_post, options.seconds))
        for name, measured in rates.items():
            each = ", ".join(f"{rate:,.0f}" for rate in measured)
            middle = statistics.median(measured)
            print(
                f"{per_post:4} a POST  {name:9} {middle:12,.0f} datapoints/s "
                f"{middle / per_post:8,.0f} POSTs/s   ({each})"
            )
        if len(rates) > 1:
            ratios = [a / b for a, b in zip(rates["fluxd"], rates["influxdb"], strict=True)]
            print(f"{per_post:4} a POST  ratio     {statistics.median(ratios):12.2f}")


if __name__ == "__main__":
    main()
