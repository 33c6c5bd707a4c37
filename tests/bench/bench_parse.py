"""Print what it costs to parse one POST of 500 elements, in µs: the best of many runs.

Run it from the top folder: `python tests/bench/bench_parse.py`.
"""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from fluxd.core.errors import BadRequestError
from fluxd.core.keys import Key
from fluxd.ingest.flux import parse_post
from fluxd.ingest.post import Admission, Window
from fluxd.ingest.walk import walk_post

NOW = 1_700_000_000
ELEMENTS = 500
KEY = Key(1, "bench")
NAMES = [f"test.server-{i % 97}.cpu{i}.user" for i in range(20_000)]
KNOWN = {name: i + 1 for i, name in enumerate(NAMES)}


def find_key(_secret: str) -> Key:
    return KEY


def known(_key: Key) -> dict[str, int]:
    return KNOWN


def body(**extra: object) -> bytes:
    chance = random.Random(1)
    elements = [
        {"metric": name, "timestamp": NOW - 10, "value": round(chance.uniform(0, 100), 3), **extra}
        for name in chance.sample(NAMES, ELEMENTS)
    ]
    return json.dumps({"key": "k" * 32, "metrics": elements}).encode()


def report(title: str, parse: Callable[[], object]) -> None:
    best = float("inf")
    for _ in range(300):
        start = time.perf_counter()
        parse()
        best = min(best, time.perf_counter() - start)
    print(f"{title:42s} {best * 1e6:8.0f} µs  {ELEMENTS / best:12,.0f} datapoints/s")


def main() -> None:
    admission = Admission(None, find_key, known, Window(NOW, 3600))
    plain = body()
    cases = {
        "known metrics": plain,
        "known metrics, flat tags": body(host="web-1", unit="ms"),
        "known metrics, nested tags": body(tags={"host": "web-1", "unit": "ms"}),
        "known metrics, fill": body(fill=True),
        "new metrics": plain.replace(b'"test.', b'"other.'),
        "values as strings (the walk)": body(value="1.5"),
        "one timestamp of milliseconds (refused)": plain[:-2]
        + b","
        + json.dumps({"metric": "a", "timestamp": NOW * 1000, "value": 1}).encode()
        + b"]}",
    }
    for title, sent in cases.items():
        report(title, partial(attempt, sent))
    report("known metrics, by the walk", lambda: walk_post(plain, admission))


def attempt(sent: bytes) -> None:
    with suppress(BadRequestError):
        parse_post(sent, None, find_key, known, NOW, 3600)


if __name__ == "__main__":
    main()
