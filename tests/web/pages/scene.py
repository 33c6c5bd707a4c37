"""A daemon with something to see: history with anomalies, sent as an agent would send it."""

import json
import math
import random
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from running import Daemon, until

from fluxd.store import open_store
from fluxd.store.handover import Batch, NewRow
from fluxd.store.keys import add_key

MINUTE, HOUR, DAY = 60, 3_600, 86_400
PER_POST = 500

HOSTILE = (
    "<script>window.hacked=1</script>",
    "\"'><img src=x onerror=window.hacked=1>",
    "{{7*7}}</title>.${alert(1)}",
    "größe.温度.🔥.\u202egpj",
    "javascript:alert(1)",
    "a/b/../c?x=1#y%2Fz",
    ".".join(["long" * 6] * 20),
)


def series(seed: int, *, now: int, count: int, level: float = 50.0) -> list[tuple[int, float]]:
    """Return a noisy daily wave, once a minute until `now`."""
    rng = random.Random(seed)
    start = now - (count - 1) * MINUTE
    return [
        (at, round(level * (1 + 0.3 * math.sin(math.tau * at / DAY)) + rng.gauss(0, level / 50), 3))
        for at in range(start, now + 1, MINUTE)
    ]


def with_spike(
    rows: Iterable[tuple[int, float]], since: int, until_: int, by: float
) -> list[tuple[int, float]]:
    """Return the datapoints with those in [since, until_] moved."""
    return [(at, value + by if since <= at <= until_ else value) for at, value in rows]


def send(daemon: Daemon, metric: str, rows: list[tuple[int, float]], *, fill: bool) -> None:
    """Send a metric's datapoints."""
    for at in range(0, len(rows), PER_POST):
        elements = [
            {"metric": metric, "timestamp": stamp, "value": value}
            | ({"fill": True} if fill else {})
            for stamp, value in rows[at : at + PER_POST]
        ]
        answer = daemon.post({"metrics": elements})
        assert answer.status == 204, answer


def analysed(daemon: Daemon, metric: str, count: int) -> dict[str, Any]:
    """Wait until so many datapoints of a metric are analysed; return what is told of it."""

    def look() -> dict[str, Any] | None:
        answer = daemon.get(f"/api/v1/metrics/{quote(metric, safe='')}")
        found = answer.status == 200 and answer.body["datapoints"] >= count
        return answer.body if found else None

    found: dict[str, Any] = until(look)
    return found


def plant(data: Path, names: Iterable[str], rows: list[tuple[int, float]]) -> None:
    """Make a store with metrics of names that no sender may use; a prefix of ours might."""
    data.mkdir(mode=0o700)
    store = open_store(data / "fluxd.db", create=True)
    try:
        for name, scope in (("first", "ingest"), ("first-read", "read")):
            secret = store.writer.run(
                lambda connection, name=name, scope=scope: add_key(  # type: ignore[misc]
                    connection, name, now=int(time.time()), scope=scope
                )
            )
            (data.parent / f"{name}.key").write_text(json.dumps(secret))
        store.writer.run(store.keys.load)
        key = store.keys.find(json.loads((data.parent / "first.key").read_text()))
        assert key is not None
        for name in names:
            new = [NewRow(n, name, at, value, history=False) for n, (at, value) in enumerate(rows)]
            store.writer.submit(Batch(key, int(time.time()), len(new), new=new))
    finally:
        store.close()


def planted(data: Path) -> Daemon:
    """Start a daemon on what `plant` made."""
    daemon = Daemon(data)
    daemon.key = json.loads((data.parent / "first.key").read_text())
    daemon.read_key = json.loads((data.parent / "first-read.key").read_text())
    return daemon
