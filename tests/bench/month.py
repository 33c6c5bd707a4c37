"""A store with a month of many metrics: imported, but for the last hours, which were posted."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import numpy as np
from realseries import INTERVAL_S, Floats, Ints, Series

from fluxd.core.keys import Key
from fluxd.store import Store, open_store
from fluxd.store.connection import open_writer, transaction
from fluxd.store.handover import Batch
from fluxd.store.keys import add_key
from fluxd.store.places import HOUR_S, open_hour, place_of
from fluxd.store.rebuilds import History
from fluxd.store.rows import pack_hours

YEAR = "year.of-rollups"  # the one metric that was imported with a year
DAYS_OF_YEAR = 365
PER_POST = 10_000


@dataclass(frozen=True)
class Built:
    """What was built: its end (Unix s), and what the import took."""

    now: int
    metrics: int
    datapoints: int
    import_s: float


def name_of(metric: int) -> str:
    return f"month.host-{metric // 10:05}.load-{metric % 10}"


def build(path: Path, real: list[Series], *, metrics: int, days: int) -> Built:
    """Build the store at `path`.

    Each metric has the values of a real series, begun elsewhere in it, and reports once a minute at
    a second of its own.
    """
    now = int(time.time())
    live_since = open_hour(now) * HOUR_S
    with contextlib.closing(open_store(path, create=True)) as store:
        store.writer.run(lambda connection: add_key(connection, "month", now=now))
    began, count = time.monotonic(), 0
    with contextlib.closing(open_writer(path)) as connection:
        for metric in range(metrics):
            times, values = _month(real, metric, now, days)
            past = times < live_since
            _import(connection, History(name_of(metric), times[past], values[past]), now)
            count += int(past.sum())
            if metric % 200 == 0:
                took = time.monotonic() - began
                print(f"{metric:,} metrics, {count:,} datapoints, {took:,.0f} s", flush=True)
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        import_s = time.monotonic() - began
        times, values = _month(real, 0, now, DAYS_OF_YEAR)
        _import(connection, History(YEAR, times, values), now)
    with contextlib.closing(open_store(path)) as store:
        for metric, (times, values) in _live(real, metrics, now, days, live_since):
            count += _post(store, metric, times, values, now)
    return Built(now, metrics, count, import_s)


def _month(real: list[Series], metric: int, now: int, days: int) -> tuple[Ints, Floats]:
    """Return a metric's datapoints until `now`."""
    last = (now - metric * 7 % INTERVAL_S) // INTERVAL_S * INTERVAL_S + metric * 7 % INTERVAL_S
    last -= INTERVAL_S * (last > now)
    count = days * 86_400 // INTERVAL_S
    times = last - INTERVAL_S * np.arange(count - 1, -1, -1, dtype=np.int64)
    source = real[metric % len(real)].values
    begin = metric // len(real) * 397
    return times, np.take(source, np.arange(begin, begin + count), mode="wrap")


def _import(connection: apsw.Connection, history: History, now: int) -> None:
    """Write a metric's history as `fluxd import` does, in one transaction."""
    with transaction(connection):
        history.write_some(connection, now=now, more=lambda: not history.complete)


def _live(
    real: list[Series], metrics: int, now: int, days: int, since: int
) -> Iterator[tuple[int, tuple[Ints, Floats]]]:
    for metric in range(metrics):
        times, values = _month(real, metric, now, days)
        yield metric, (times[times >= since], values[times >= since])


def _post(store: Store, metric: int, times: Ints, values: Floats, now: int) -> int:
    series = store.catalog.id_of(name_of(metric))
    assert series is not None
    rows = dict(zip((place_of(t, series) for t in times.tolist()), values.tolist(), strict=True))
    parts = pack_hours(rows, open_hour(now), history=False)
    store.writer.submit(Batch(Key(1, "month"), now, len(rows), parts=parts))
    return len(rows)
