"""kill -9 under load: no acknowledged datapoint is lost, and no anomaly differs for it.

Several agents, each with metrics of its own, send deterministic series in time order: spikes and
level shifts among noise, some datapoints withheld and sent late, some sent again with another
value. An agent repeats a POST until it is answered with 204, as a real one does. Meanwhile the
daemon is killed at random moments, in every third round also once while it starts, and started
again on the same data and port. Then the same POSTs go to a fresh store that nobody disturbs.

Compared are, exactly: the stored datapoints with what was acknowledged, the numbers of datapoints
that the API tells with the stored ones, the anomalies of both runs; and the integrity of the file.
Exits 1 if anything differs. --seed repeats the series, not the moments of the kills.
"""

import argparse
import contextlib
import http.client
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet import Sender, complaints, figures, table
from running import Daemon

STEPS = 8  # datapoints of each metric in a POST
INTERVAL_S = 60
HISTORY_POSTS = 50  # an agent's first POSTs are sent as history
FILE_SPAN_S = 300 * 86_400  # how far back the series begin; `ingest.max_age` may be a year

SPIKE, LATE, AGAIN = 0.0005, 0.003, 0.003  # shares of the datapoints
SHIFT_STEPS, SHIFT_ONE_IN = 60, 150  # a metric is shifted for an hour, in one of 150

UP_S = (0.2, 8.0)  # how long a daemon lives
STARTING_S = (0.05, 0.8)  # when one is killed while it starts

Row = tuple[int, int, float]  # metric, timestamp, value
ANOMALY = "metric, started, ended, peak, value, expected, lower, upper, score, direction, kind"


@dataclass(frozen=True)
class Agent:
    """A deterministic sequence of POSTs: what POST `number` holds depends on nothing else."""

    seed: int
    number: int
    metrics: int
    began: int

    def name(self, metric: int) -> str:
        return f"kill.agent-{self.number}.m{metric}"

    def rows(self, number: int) -> list[Row]:
        """Return the datapoints of a POST in the order in which it has them."""
        fresh = self._fresh(number)
        if number == 0:
            return fresh[0]
        _, late, again = self._fresh(number - 1)
        return [*late, *again, *fresh[0]]

    def _fresh(self, number: int) -> tuple[list[Row], list[Row], list[Row]]:
        """Return what a POST sends for the first time, and what the next one sends for it.

        The latter are the datapoints that it withholds, and other values for some that it has.
        """
        rng = np.random.default_rng([self.seed, self.number, number])
        shape = (STEPS, self.metrics)
        step = STEPS * number + np.arange(STEPS)[:, None]
        metric = np.arange(self.metrics)[None, :]
        values = 100 + 20 * np.sin(2 * np.pi * (step / 1440 + metric / self.metrics))
        values = values + rng.normal(0, 2, shape)
        values[rng.random(shape) < SPIKE] += 50
        values[(metric * 7919 + step // SHIFT_STEPS * 31) % SHIFT_ONE_IN == 0] -= 30
        times = np.broadcast_to(self.began + INTERVAL_S * step, shape)
        fate = rng.random(shape)
        late, again = fate < LATE, fate > 1 - AGAIN

        def picked(mask: np.ndarray, values: np.ndarray) -> list[Row]:
            which = np.broadcast_to(metric, shape)[mask].tolist()
            return list(zip(which, times[mask].tolist(), values[mask].tolist(), strict=True))

        return picked(~late, values), picked(late, values), picked(again, values + 7)

    def body(self, key: str, number: int) -> bytes:
        fill = ',"fill":true' if number < HISTORY_POSTS else ""
        elements = ",".join(
            f'{{"metric":"{self.name(metric)}","timestamp":{timestamp},"value":{value!r}{fill}}}'
            for metric, timestamp, value in self.rows(number)
        )
        return f'{{"key":"{key}","metrics":[{elements}]}}'.encode()

    def stored(self, posts: int) -> dict[tuple[str, int], float]:
        """Return what a store must hold after so many acknowledged POSTs."""
        return {
            (self.name(metric), timestamp): value
            for number in range(posts)
            for metric, timestamp, value in self.rows(number)
        }


class Post(threading.Thread):
    """Sends an agent's POSTs one after the other, each until it is acknowledged."""

    def __init__(self, agent: Agent, daemon: Daemon, *, gap_s: float, posts: int | None) -> None:
        super().__init__(daemon=True)
        self._agent, self._key = agent, daemon.key
        self._sender = Sender(daemon.url, timeout_s=15)
        self._gap_s, self._posts = gap_s, posts
        self.ending = threading.Event()
        self.acknowledged = 0  # POSTs
        self.repeated = 0
        self.fault: str | None = None

    def run(self) -> None:
        due = time.monotonic()
        while self.acknowledged != self._posts and self.fault is None:
            if self.ending.is_set() and self._posts is None:
                return
            self._deliver(self._agent.body(self._key, self.acknowledged))
            due = max(due + self._gap_s, time.monotonic())
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0)

    def _deliver(self, body: bytes) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                status = self._sender.post(body)
                if status == 204:
                    self.acknowledged += 1
                    return
                if status != 503:
                    self.fault = f"a POST was answered with {status}"
                    return
            self.repeated += 1
            time.sleep(0.02)
        self.fault = "a POST was not acknowledged in two minutes"


def post_all(posts: list[Post]) -> None:
    """Wait until every agent is done; end the benchmark where one met a fault."""
    for post in posts:
        post.join()
    if faults := {post.fault for post in posts} - {None}:
        raise SystemExit(f"FAILED: {'; '.join(sorted(faults))}")


def await_quiet(daemon: Daemon, *, patience_s: float = 600) -> dict[str, float]:
    """Wait until nothing is left to analyse; return the daemon's figures then."""
    end = time.monotonic() + patience_s
    calm, before = 0, -1.0
    while calm < 4:
        if time.monotonic() > end:
            raise SystemExit(f"FAILED: the analysis did not end in {patience_s:.0f} s")
        time.sleep(0.5)
        seen = figures(daemon)
        count = seen["fluxd_datapoints_analysed_total"]
        waits = seen["fluxd_analysis_lag_seconds"] + seen["fluxd_feed_waiting_datapoints"]
        calm = calm + 1 if count == before and waits == 0 else 0
        before = count
    return seen


def kill_and_start(daemon: Daemon, address: str, *, twice: bool) -> Daemon:
    """Kill the daemon and start it again, after another that is killed while it starts."""
    if daemon.process.poll() is not None:
        raise SystemExit(f"FAILED: the daemon ended by itself: {daemon.said()[-2000:]}")
    daemon.kill()
    if twice:
        command = [sys.executable, "-m", "fluxd", "serve", "--data", str(daemon.data)]
        starting = subprocess.Popen(
            [*command, "--listen", address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(random.uniform(*STARTING_S))
        starting.kill()
        starting.wait()
    again = Daemon(daemon.data, "--listen", address)
    again.key, again.read_key = daemon.key, daemon.read_key
    return again


@dataclass
class Run:
    """What a run left: the store's content, and what the daemon told of it."""

    anomalies: list[tuple[Any, ...]]
    told: Counter[str]
    stored: dict[tuple[str, int], float]
    integrity: str
    complaints: list[str]


def finish(daemon: Daemon) -> Run:
    """Let the daemon catch up and stop it; return what it left."""
    await_quiet(daemon)
    told: Counter[str] = Counter()
    path: str | None = "/api/v1/metrics?limit=1000"
    while path:
        page = daemon.get(path).body
        told.update({m["metric"]: m["datapoints"] for m in page["metrics"]})
        path = page["next"] and f"/api/v1/metrics?limit=1000&cursor={page['next']}"
    if code := daemon.stop():
        raise SystemExit(f"FAILED: the stop ended with {code}")
    with contextlib.closing(sqlite3.connect(daemon.data / "fluxd.db")) as store:
        store.create_function("sqlar_uncompress", 2, uncompressed)
        rows = store.execute("SELECT metric, timestamp, value FROM datapoints")
        stored = {(metric, timestamp): value for metric, timestamp, value in rows}
        anomalies = store.execute(f"SELECT {ANOMALY}, explanation FROM anomalies").fetchall()
        integrity = "; ".join(text for (text,) in store.execute("PRAGMA integrity_check"))
    return Run(anomalies, told, stored, integrity, complaints(daemon.log.read_text()))


def uncompressed(body: bytes, size: int) -> bytes:
    """Do what the stock shell's function of blocks does."""
    return body if len(body) == size else zlib.decompress(body)


def disturbed(
    folder: Path, agents: list[Agent], options: argparse.Namespace
) -> tuple[Run, list[int]]:
    """Kill the daemon under load; return what is left and how many POSTs each agent got through."""
    daemon = Daemon(folder / "killed")
    address = daemon.url.removeprefix("http://")
    gap_s = agents[0].metrics * STEPS * len(agents) / options.rate
    posts = [Post(agent, daemon, gap_s=gap_s, posts=None) for agent in agents]
    kills, starts_s = 0, []
    try:
        for post in posts:
            post.start()
        for number in range(options.rounds):
            time.sleep(random.uniform(*UP_S))
            twice = number % 3 == 2
            kills += 1 + twice
            began = time.monotonic()
            daemon = kill_and_start(daemon, address, twice=twice)
            starts_s.append(time.monotonic() - began)
        for post in posts:
            post.ending.set()
        post_all(posts)
        run = finish(daemon)
    finally:
        daemon.kill()
    done = [post.acknowledged for post in posts]
    table(
        {
            "kills": f"{kills}, {kills - options.rounds} of them while starting",
            "kill to listening again, median / max": (
                f"{np.median(starts_s):.2f} / {max(starts_s):.2f} s"
            ),
            "POSTs acknowledged": f"{sum(done):,}",
            "POSTs repeated": f"{sum(post.repeated for post in posts):,}",
        }
    )
    return run, done


def undisturbed(folder: Path, agents: list[Agent], done: list[int]) -> Run:
    """Send the same POSTs to a fresh store."""
    daemon = Daemon(folder / "undisturbed")
    try:
        posts = [
            Post(agent, daemon, gap_s=0, posts=count)
            for agent, count in zip(agents, done, strict=True)
        ]
        for post in posts:
            post.start()
        post_all(posts)
        return finish(daemon)
    finally:
        daemon.kill()


def compare(run: Run, reference: Run, agents: list[Agent], done: list[int]) -> bool:
    """Print what differs; return whether nothing does."""
    expected: dict[tuple[str, int], float] = {}
    for agent, count in zip(agents, done, strict=True):
        expected |= agent.stored(count)
    lost = expected.keys() - run.stored.keys()
    invented = run.stored.keys() - expected.keys()
    wrong = [at for at, value in expected.items() if run.stored.get(at, value) != value]
    counts = Counter(metric for metric, _ in run.stored)
    miscounted = [metric for metric in counts if counts[metric] != run.told[metric]]
    differing = sorted(set(run.anomalies) ^ set(reference.anomalies), key=repr)
    table(
        {
            "acknowledged datapoints": f"{len(expected):,}",
            "lost / of another value / invented": f"{len(lost)} / {len(wrong)} / {len(invented)}",
            "integrity_check": run.integrity,
            "metrics with a wrong number of datapoints": f"{len(miscounted)} of {len(counts):,}",
            "anomalies, undisturbed": (
                f"{len(run.anomalies):,}, {len(reference.anomalies):,}"
                f" ({dict(Counter(a[10] for a in reference.anomalies))})"
            ),
            "anomalies that differ": len(differing),
        }
    )
    for title, found in (
        ("lost", sorted(lost)),
        ("of another value", wrong),
        ("invented", sorted(invented)),
        ("wrong number", [(m, counts[m], run.told[m]) for m in miscounted]),
        ("anomaly", differing),
    ):
        for entry in found[:6]:
            print(f"FAILED: {title}: {entry}")
    for title, said in (("killed", run.complaints), ("undisturbed", reference.complaints)):
        for line in said[:6]:
            print(f"the {title} run logged: {line}")
    sound = run.integrity == reference.integrity == "ok" and reference.stored == run.stored
    return sound and not (lost or wrong or invented or miscounted or differing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--agents", type=int, default=6)
    parser.add_argument("--metrics", type=int, default=60, help="of each agent")
    parser.add_argument("--rate", type=float, default=20_000, help="datapoints a second, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to test")
    parser.add_argument("--quick", action="store_true", help="4 rounds")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 4
    os.environ["FLUXD_INGEST__MAX_AGE"] = "31536000"  # so that a series is live, but for its start
    began = (int(time.time()) - FILE_SPAN_S) // 86_400 * 86_400
    agents = [Agent(options.seed, n, options.metrics, began) for n in range(options.agents)]
    print(f"{options.rounds} rounds, {options.agents} agents with {options.metrics} metrics each")
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="fluxd-bench-") as place:
        run, done = disturbed(Path(place), agents, options)
        reference = undisturbed(Path(place), agents, done)
    return 0 if compare(run, reference, agents, done) else 1


if __name__ == "__main__":
    sys.exit(main())
