"""A fleet's past, written straight into a store: hours of one day, and a day long ago."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import numpy as np

from fluxd.store import blocks
from fluxd.store.connection import open_writer, transaction
from fluxd.store.places import DAY_S, HOUR_S, place_of

INTERVAL_S = 60
BODIES = 499  # made of each length; the metrics share them
ROWS = 20_000  # a transaction


@dataclass(frozen=True)
class Past:
    """How many datapoints were written: those that retention keeps, and the others."""

    kept: int
    old: int


def fill_past(path: Path, names: list[str], *, day: int, hours: range, old_day: int) -> Past:
    """Create the metrics with ids from 1 on, and write blocks of these hours of a day (s).

    The old day (s) becomes one block a metric.
    """
    with contextlib.closing(open_writer(path)) as connection:
        with transaction(connection):
            connection.executemany(
                "INSERT INTO series (id, name, key, created) VALUES (?, ?, 1, ?)",
                ((number, name, old_day) for number, name in enumerate(names, 1)),
            )
        _write(connection, _rows(len(names), [old_day], DAY_S))
        _write(connection, _rows(len(names), [day + HOUR_S * hour for hour in hours], HOUR_S))
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    return Past(len(names) * len(hours) * 60, len(names) * 1_440)


def _rows(metrics: int, labels: list[int], length: int) -> Iterator[tuple[object, ...]]:
    bodies = [_body(number, length) for number in range(BODIES)]
    for label in labels:
        for series in range(1, metrics + 1):
            body = bodies[(series + label) % BODIES]
            yield (
                place_of(label, series),
                length,
                label,
                INTERVAL_S,
                body.count,
                body.size,
                label + length - 1,
                body.body,
            )


def _body(number: int, length: int) -> blocks.Body:
    """Return datapoints as a fleet sends them."""
    times = np.arange(0, length, INTERVAL_S, dtype=np.int64)
    rng = np.random.default_rng([2, number])
    values = 100 + 30 * np.sin(2 * np.pi * (times / DAY_S + number / BODIES))
    return blocks.encode(times, np.round(values + rng.normal(0, 2, len(times)), 3))


def _write(connection: apsw.Connection, rows: Iterator[tuple[object, ...]]) -> None:
    done = False
    while not done:
        with transaction(connection):
            some = [row for _, row in zip(range(ROWS), rows, strict=False)]
            connection.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", some)
            done = len(some) < ROWS
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
