"""How long pages and what they ask for take, while datapoints arrive.

    python tests/bench/bench_pages.py [--metrics N] [--rounds N] [--folder DIR]

A store of 10,000 metrics with four weeks of minutes and a year of hourly rollups, written straight
into its tables; the metrics are learnt from two hours that are sent. Then 1,000 datapoints a second
arrive, and each address is asked for random metrics. First paint is what headless Chromium says of
a page that it has no copies of.
"""

import argparse
import contextlib
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet import Fleet, Sender, await_analysed, spread_ms, table
from gestures import gestures
from playwright.sync_api import sync_playwright
from running import Daemon

from fluxd.store.blocks import encode
from fluxd.store.connection import open_writer, transaction
from fluxd.store.places import DAY_S, HOUR_S, WEEK_S, place_of
from fluxd.store.rollups import pack_day

CHROMIUM = "/usr/bin/chromium"
LEARNT = 120  # minutes that are sent before
POOL = 40  # different weeks, and different days, that all metrics share
DAYS, WEEKS = 365, 4
PER_SECOND, PER_POST = 1_000, 500
WIDTH = 2 * 1_000  # points that a chart of a wide screen asks for
RANGES = {"hour": HOUR_S, "day": DAY_S, "week": WEEK_S, "month": 30 * DAY_S}
RANGES |= {"year": 365 * DAY_S, "two years": 730 * DAY_S}
STEPS = (60, 120, 300, 600, 900, 1_200, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 43_200, DAY_S)


def write_past(path: Path, now: int) -> int:
    """Give every metric weeks of minutes and a year of rollups; return how many rows that took."""
    rng = np.random.default_rng(1)
    minutes = np.arange(0, WEEK_S, 60)
    week = now // WEEK_S * WEEK_S
    pool = []
    for _ in range(POOL):
        wave = 100 + 30 * np.sin(2 * np.pi * minutes / DAY_S) + rng.normal(0, 2, len(minutes))
        values = np.round(wave, 3)
        of_day = minutes < DAY_S
        pool.append(
            {WEEK_S: encode(minutes, values), DAY_S: encode(minutes[of_day], values[of_day])}
        )
    spans = [(week - n * WEEK_S, WEEK_S) for n in range(1, WEEKS + 1)]
    spans += [(label, DAY_S) for label in range(week, now - DAY_S, DAY_S)]
    days = [
        pack_day(0, {h * HOUR_S: (70.0, 130.0, float(n), 60) for h, n in enumerate(hours)})
        for hours in np.round(100 + rng.normal(0, 9, (POOL, 24)), 3)
    ]
    rows = 0
    with contextlib.closing(open_writer(path)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM series")]
        for label, length in spans:
            blocks = (
                (place_of(label, one), length, label, 60, body.count, body.size,
                 len(body.body), body.body)
                for one in ids
                for body in [pool[(one + label // DAY_S) % POOL][length]]
            )  # fmt: skip
            with transaction(connection):
                connection.executemany(
                    "INSERT OR IGNORE INTO blocks VALUES (?,?,?,?,?,?,?,?)", blocks
                )
            rows += len(ids)
        for n in range(1, DAYS + 1):
            label = (now // DAY_S - n) * DAY_S
            found = ((place_of(label, one), *days[(one + n) % POOL]) for one in ids)
            with transaction(connection):
                connection.executemany("INSERT OR IGNORE INTO day_rollups VALUES (?,?,?)", found)
            rows += len(ids)
    return rows


@contextlib.contextmanager
def arriving(daemon: Daemon, fleet: Fleet) -> Iterator[list[int]]:
    """Send PER_SECOND datapoints a second; what is given counts them."""
    sent = [0]
    stop = threading.Event()

    def send() -> None:
        sender = Sender(daemon.url)
        block = 0
        due = time.monotonic()
        while not stop.is_set():
            sender.deliver(fleet.body(daemon.key, block, int(time.time())))
            sent[0] += PER_POST
            block = (block + 1) % len(fleet.sizes)
            due += PER_POST / PER_SECOND
            stop.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()


def addresses(
    fleet: Fleet, anomalies: list[int], incidents: list[int], now: int
) -> dict[str, list[str]]:
    """Return what is asked for by its title: several addresses of the same kind."""
    rng = random.Random(1)
    names = rng.sample(fleet.names, 50)
    found = {
        "page Now": ["/"],
        "page Metrics": ["/metrics-list"],
        "page Metrics, a search": [
            "/metrics-list?" + urlencode({"match": f"host-{rng.randrange(1_000):06} load"})
            for _ in range(20)
        ],
        "page Metrics, nothing found": ["/metrics-list?match=nothing+like+it"],
        "page Metrics, a rare state": ["/metrics-list?state=retired"],
        "page of a metric": [f"/metrics-list/{name}" for name in names],
        "page of an anomaly": [f"/anomalies/{one}" for one in anomalies],
        "page Incidents": ["/incidents"],
        "page of an incident": [f"/incidents/{one}" for one in incidents],
        "page Notifications": ["/settings/notifications"],
        "page Silence": ["/settings/silence"],
        "page Status": ["/status"],
        "sparkline": [f"/metrics-list/{name}/spark.svg" for name in names],
        "sensitivity": [f"/api/v1/metrics/{name}/sensitivity" for name in names],
        "anomalies of a metric": [f"/api/v1/anomalies?metric={name}&from=0" for name in names],
    }
    for title, length in RANGES.items():
        step = next((step for step in STEPS if step >= length / WIDTH), DAY_S)
        query = {"from": now - 2 * length, "to": now} | ({"step": step} if step > 60 else {})
        found[f"datapoints, {title} and as much before"] = [
            f"/api/v1/metrics/{name}/datapoints?{urlencode(query)}" for name in names
        ]
        found[f"chart.svg, {title}"] = [
            f"/metrics-list/{name}/chart.svg?from={now - length}&to={now}" for name in names
        ]
    return found


def ask(daemon: Daemon, wanted: list[str], rounds: int) -> tuple[list[float], int]:
    """Return how long each answer took (s), and the size of the largest."""
    connection = http.client.HTTPConnection(daemon.url.removeprefix("http://"), timeout=60)
    took, largest = [], 0
    for turn in range(rounds):
        path = wanted[turn % len(wanted)]
        began = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {daemon.read_key}"})
        answer = connection.getresponse()
        body = answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != 200:
            raise SystemExit(f"{path} was answered with {answer.status}: {body[:200]!r}")
        largest = max(largest, len(body))
    return took, largest


def first_paints(daemon: Daemon, paths: dict[str, str], rounds: int) -> dict[str, object]:
    """Return the milliseconds to the first paint of each page, and to a drawn chart."""
    found: dict[str, object] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for title, path in paths.items():
            paints, drawn = [], []
            for _ in range(rounds):
                context = browser.new_context(
                    extra_http_headers={"Authorization": f"Bearer {daemon.read_key}"}
                )
                page = context.new_page()
                page.goto(daemon.url + path)
                page.wait_for_function(
                    "() => performance.getEntriesByName('first-contentful-paint').length"
                )
                paints.append(
                    page.evaluate(
                        "performance.getEntriesByName('first-contentful-paint')[0].startTime"
                    )
                )
                if page.locator("#chart").count():
                    page.wait_for_selector("#chart[data-state=ready]")
                    drawn.append(page.evaluate("performance.now()"))
                context.close()
            text = spread_ms([ms / 1_000 for ms in paints], 50)
            chart = f"; chart drawn {spread_ms([ms / 1_000 for ms in drawn], 50)}" if drawn else ""
            found[f"first paint, {title}: median / most"] = text + chart
        browser.close()
    return found


def by_hand(daemon: Daemon, path: str, rounds: int) -> list[str]:
    """Move a chart in a browser, print how long that took, and return what was too slow."""
    headers = {"Authorization": f"Bearer {daemon.read_key}"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        ranges = ["1h", "1d", "1w", "1M", "1y", "2y"]
        found = gestures(browser, daemon.url + path, headers, ranges, 2 * rounds)
        browser.close()
    for title, (moved, redrawn) in found.items():
        text = f"moved {spread_ms(moved, 50, 95)}; redrawn {spread_ms(redrawn, 50, 95)}"
        table({f"{title}: median / p95 / most": text})
    return [title for title, (_, redrawn) in found.items() if np.percentile(redrawn, 95) > 0.3]


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metrics", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--paints", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    now = int(time.time())
    fleet = Fleet(arguments.metrics, spikes=0.0005)
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="fluxd-bench-") as place:
        data = Path(place) / "data"
        daemon = Daemon(data)
        fleet.fill(daemon, LEARNT, last=now // 60 * 60 - 60)
        await_analysed(daemon, arguments.metrics * LEARNT, patience_s=300)
        keys = daemon.key, daemon.read_key
        daemon.stop()
        rows = write_past(data / "fluxd.db", now)
        size = (data / "fluxd.db").stat().st_size / 1e6
        print(f"{arguments.metrics:,} metrics, {rows:,} rows of past, {size:,.0f} MB", flush=True)
        daemon = Daemon(data)
        daemon.key, daemon.read_key = keys
        try:
            with arriving(daemon, fleet) as sent:
                measure(daemon, fleet, arguments.rounds, arguments.paints)
                seconds = time.time() - now
            table({"datapoints sent meanwhile": f"{sent[0]:,} in {seconds:,.0f} s, start included"})
        finally:
            daemon.kill()


def measure(daemon: Daemon, fleet: Fleet, rounds: int, paints: int) -> None:
    """Ask for everything, and let a browser paint."""
    anomalies = [one["id"] for one in daemon.get("/api/v1/anomalies?limit=50").body["anomalies"]]
    slow: list[str] = []
    incidents = [one["id"] for one in daemon.get("/api/v1/incidents?limit=50").body["incidents"]]
    for title, wanted in addresses(fleet, anomalies, incidents, int(time.time())).items():
        took, largest = ask(daemon, wanted, rounds)
        table({title: f"{spread_ms(took, 50, 95):28} {largest / 1_000:,.0f} kB"})
        if np.percentile(took, 95) > 0.3:
            slow.append(title)
    name = fleet.names[0]
    pages = {"Now": "/", "Metrics": "/metrics-list", "a metric": f"/metrics-list/{name}"}
    pages["a metric's two years"] = f"/metrics-list/{name}?last=2y"
    pages["an anomaly"] = f"/anomalies/{anomalies[0]}"
    table(first_paints(daemon, pages, paints))
    slow += by_hand(daemon, f"/metrics-list/{name}", paints)
    print(json.dumps({"p95 over 300 ms": slow}), flush=True)


if __name__ == "__main__":
    main()
