"""Hourly rollups: lowest, highest, mean and count of each hour, one row a series and day."""

import itertools
from dataclasses import dataclass
from typing import Any

import apsw
import msgspec
import numpy as np

from fluxd.store.blocks import Floats, Ints, compress, decompress
from fluxd.store.labels import by_label
from fluxd.store.places import DAY_S, HOUR_S, LATEST, place_of

HOURS = DAY_S // HOUR_S

# Digits of a mean: beyond them it is noise that does not compress.
MEAN_DIGITS = 7

Hour = tuple[float, float, float, int]  # lowest, highest, mean, count

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(list[Hour | None]).decode


@dataclass(frozen=True, slots=True)
class Rollups:
    """Hours that have datapoints: aligned arrays; `timestamps` (s) are their beginnings."""

    timestamps: Ints
    lowest: Floats
    highest: Floats
    mean: Floats
    count: Ints


def added_up(shares: Floats, edges: Ints) -> Floats:
    """Return the mean of each group, of its values' shares of it; the groups begin at `edges`.

    A sum of the largest numbers would be infinite. Three thirds of the very largest still are, by
    rounding, so that means are to be kept within the lowest and the highest.
    """
    with np.errstate(over="ignore"):
        return np.add.reduceat(shares, edges)


def roll_up(timestamps: Ints, values: Floats) -> dict[int, Hour]:
    """Return each hour that has any of the datapoints, by its beginning (s)."""
    if not len(timestamps):
        return {}
    hours = timestamps // HOUR_S
    edges = np.flatnonzero(np.diff(hours, prepend=-1))
    sizes = np.diff(edges, append=len(hours))
    lowest, highest = np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges)
    means = added_up(values / np.repeat(sizes, sizes), edges)
    means = np.clip([float(f"{mean:.{MEAN_DIGITS}g}") for mean in means.tolist()], lowest, highest)
    columns = (
        (hours[edges] * HOUR_S).tolist(),
        lowest.tolist(),
        highest.tolist(),
        means.tolist(),
        sizes.tolist(),
    )
    return {
        hour: (low, high, mean, count)
        for hour, low, high, mean, count in zip(*columns, strict=True)
    }


def pack_day(day: int, hours: dict[int, Hour]) -> tuple[int, bytes]:
    """Return size and body of the row of the day that begins at `day` (s)."""
    text = _encode([_plain(hours.get(day + HOUR_S * hour)) for hour in range(HOURS)])
    return len(text), compress(text)


def _plain(hour: Hour | None) -> Any:  # noqa: ANN401  # what the encoder takes
    """Write whole numbers without ".0", as blocks do."""
    if hour is None:
        return None
    return [int(n) if float(n).is_integer() and abs(n) < 1e15 else n for n in hour]  # noqa: PLR2004


def unpack_day(day: int, body: bytes) -> dict[int, Hour]:
    """Return the hours of a row by their beginning (s). Raises ValueError for a damaged one."""
    hours = _decode_day(body)
    return {day + HOUR_S * at: hour for at, hour in enumerate(hours) if hour is not None}


def _decode_day(body: bytes) -> list[Hour | None]:
    try:
        return _decode(decompress(body))
    except msgspec.DecodeError as error:
        raise ValueError(f"a damaged rollup: {error}") from error


def update_day(
    connection: apsw.Connection,
    series: int,
    day: int,
    stored: dict[int, Hour],
    added: dict[int, Hour],
) -> None:
    """Write a day's row: `stored` is what its raw datapoints make now, `added` the new ones alone.

    Where raw datapoints were pruned, the row knows more than they do: what was added is then
    counted in.
    """
    row = connection.execute(
        "SELECT body FROM day_rollups WHERE place = ?", (place_of(day, series),)
    ).fetchone()
    hours = unpack_day(day, row[0]) if row else {}
    for hour in added.keys() | stored.keys():
        if not day <= hour < day + DAY_S:
            continue
        old, new = hours.get(hour), stored.get(hour)
        if old is None or (new is not None and new[3] >= old[3]):
            if new is not None:
                hours[hour] = new
        elif hour in added:
            hours[hour] = combine(old, added[hour])
    write_days(connection, [(place_of(day, series), *pack_day(day, hours))])


def combine(one: Hour, two: Hour) -> Hour:
    """Return the rollup of two disjoint sets of datapoints.

    >>> combine((1.0, 2.0, 1.5, 2), (4.0, 4.5, 4.25, 2))
    (1.0, 4.5, 2.875, 4)
    """
    count = one[3] + two[3]
    mean = one[2] * (one[3] / count) + two[2] * (two[3] / count)
    return (min(one[0], two[0]), max(one[1], two[1]), mean, count)


def write_days(connection: apsw.Connection, rows: list[tuple[int, int, bytes]]) -> None:
    """Write rows (place, size, body) in place of earlier ones."""
    connection.executemany("INSERT OR REPLACE INTO day_rollups VALUES (?, ?, ?)", rows)


def read_rollups(reader: apsw.Connection, series: int, since: int, until: int) -> Rollups:
    """Return the hours of a series that begin in [since, until] (s) and have a rollup."""
    first, last = (min(max(second, 0), LATEST) // DAY_S * DAY_S for second in (since, until))
    rows: list[Any] = reader.execute(
        by_label("day_rollups", "label, body"), {"series": series, "first": first, "last": last}
    ).fetchall()
    times: list[int] = []
    numbers: list[Hour] = []
    for day, body in rows:
        hours = _decode_day(body)
        times += [day + HOUR_S * at for at, hour in enumerate(hours) if hour is not None]
        numbers += [hour for hour in hours if hour is not None]
    seconds = np.array(times, np.int64)
    # One pass over all numbers: a year's arrays column by column took twice as long.
    table = np.fromiter(itertools.chain.from_iterable(numbers), np.float64, 4 * len(numbers))
    inside = (seconds >= since) & (seconds <= until)
    lowest, highest, mean, count = table.reshape(-1, 4)[inside].T
    return Rollups(seconds[inside], lowest, highest, mean, count.astype(np.int64))
