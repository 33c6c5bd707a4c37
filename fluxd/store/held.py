"""What is stored of a series, whatever the detector knows: an import is learnt for minutes."""

from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np

from fluxd.store import blocks
from fluxd.store.blocks import Ints
from fluxd.store.datapoints import read_recent_seconds
from fluxd.store.labels import anywhere, by_label

LEAST_FOR_INTERVAL = 9  # datapoints: the detector takes the median of eight differences


@dataclass(frozen=True, slots=True)
class Held:
    """Times in Unix s; `interval` (s) is the usual one of the latest, None of too few."""

    datapoints: int
    first: int
    last: int
    interval: float | None


def read_held(reader: apsw.Connection, series: int) -> Held | None:
    """Return what is stored of a series, None where nothing is; some milliseconds.

    Only the last block is decoded. What an hour's table and a block both have counts twice, until
    it is sealed.
    """
    recent = read_recent_seconds(reader, series)
    rows: list[Any] = reader.execute(
        by_label("blocks", "start, count"), anywhere(series)
    ).fetchall()
    count, first, latest = len(recent), [int(second) for second in recent[:1]], recent
    if rows:
        count += sum(row[1] for row in rows)
        first.append(min(row[0] for row in rows))
        latest = np.union1d(_last_block(reader, series), recent)
    if not count:
        return None
    interval = None
    if len(latest) >= LEAST_FOR_INTERVAL:
        interval = float(np.median(np.diff(latest)))
    return Held(count, min(first), int(latest[-1]), interval)


def read_added(reader: apsw.Connection, series: int) -> int:
    """Return how many imported datapoints of a series wait to be learnt."""
    row = reader.execute("SELECT added FROM rebuilds WHERE series = ?", (series,)).fetchone()
    return int(row[0]) if row else 0


def _last_block(reader: apsw.Connection, series: int) -> Ints:
    query = f"{by_label('blocks', 'start, step, body')} ORDER BY start DESC LIMIT 1"
    row: Any = reader.execute(query, anywhere(series)).fetchone()
    return blocks.decode(*row)[0] if row else blocks.NOTHING[0]
