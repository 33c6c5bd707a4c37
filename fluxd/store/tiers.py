"""Which tier answers for which part of a series' range: datapoints, or hourly rollups of them."""

from dataclasses import dataclass
from typing import Any

import apsw
import numpy as np
import numpy.typing as npt

from fluxd.store.blocks import Ints
from fluxd.store.labels import by_label
from fluxd.store.places import (
    DAY_S,
    HOUR_S,
    HOUR_TABLES,
    LATE_TABLE,
    LATEST,
    SERIES_BITS,
    WEEK_S,
    place_of,
)
from fluxd.store.rollups import Rollups, read_rollups

# Seconds with late datapoints of any series that are looked at: about 20 ms. Beyond them a late
# datapoint shows in its hour only once it is sealed.
MAX_HOPS = 10_000

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tiers:
    """The rollups of the hours that a range has a part of, and which of them are all there is.

    Of those in `gone` the datapoints were pruned, though some may have come late since then.
    """

    rollups: Rollups
    gone: Bools

    @property
    def coarse(self) -> bool:
        """Whether the range can be told in hours at best."""
        return bool(self.gone.any())


@dataclass(frozen=True, slots=True)
class Plan:
    """How a range is read in hours: of an hour that both have, the one that counts more stands.

    `raw` are ranges of seconds, both ends included, ascending.
    """

    rollups: Rollups
    raw: list[tuple[int, int]]


def look(reader: apsw.Connection, series: int, since: int, until: int) -> Tiers:
    """Find out what is kept of [since, until] (s), without reading datapoints."""
    spans = _spans(reader, series, since, until)
    first = min([since // HOUR_S * HOUR_S, *(label for label, _, _ in spans)])
    last = max([until, *(label + length - 1 for label, length, _ in spans)])
    rollups = read_rollups(reader, series, first, last)
    hours = rollups.timestamps
    gone = hours < _unsealed_from(reader)
    for label, length, count in spans:
        start, stop = np.searchsorted(hours, [label, label + length])
        if rollups.count[start:stop].sum() <= count:  # what was pruned is counted in rollups only
            gone[start:stop] = False
    inside = (hours + HOUR_S > since) & (hours <= until)
    return Tiers(_only(rollups, inside), gone[inside])


def plan_hours(reader: apsw.Connection, series: int, since: int, until: int, tiers: Tiers) -> Plan:
    """Say what to read of [since, until] (s) where hours are fine enough.

    Hours that the range cuts are read raw while that can be, and so are days whose rollups may
    lack datapoints that are not sealed yet.
    """
    start, stop = -(-since // HOUR_S) * HOUR_S, (until + 1) // HOUR_S * HOUR_S
    hours = tiers.rollups.timestamps
    found = _only(tiers.rollups, ((hours >= start) & (hours < stop)) | tiers.gone)

    days = np.unique(found.timestamps // DAY_S) * DAY_S
    days = days[days + DAY_S <= _unsealed_from(reader)]
    days = days[~np.isin(days, _late_days(reader, series, since, until))]
    raw = []
    at = since
    for day in days.tolist():
        if at < (first := max(day, start)):
            raw.append((at, first - 1))
        at = max(at, min(day + DAY_S, stop))
    if at <= until:
        raw.append((at, until))
    return Plan(found, raw)


def _spans(
    reader: apsw.Connection, series: int, since: int, until: int
) -> list[tuple[int, int, int]]:
    """Return label, length (s) and count of the blocks that [since, until] (s) has a part of."""
    rows: list[Any] = reader.execute(
        by_label("blocks", "label, length, count", "label + length > :since"),
        {
            "series": series,
            "first": since // WEEK_S * WEEK_S,
            "last": min(until, LATEST),
            "since": since,
        },
    ).fetchall()
    return rows


def _only(rollups: Rollups, chosen: Bools) -> Rollups:
    return Rollups(
        rollups.timestamps[chosen],
        rollups.lowest[chosen],
        rollups.highest[chosen],
        rollups.mean[chosen],
        rollups.count[chosen],
    )


def _unsealed_from(reader: apsw.Connection) -> int:
    """Return the second from which on datapoints may be missing in rollups, late ones apart."""
    tables = " UNION ALL ".join(f"SELECT min(place) AS place FROM {table}" for table in HOUR_TABLES)
    ((place,),) = reader.execute(f"SELECT min(place) FROM ({tables})").fetchall()
    return LATEST if place is None else int(place) >> SERIES_BITS


def _late_days(reader: apsw.Connection, series: int, since: int, until: int) -> Ints:
    """Return the days (s) in the range of which late datapoints are not sealed yet.

    Hops from one second with late datapoints of any series to the next, and over the rest of a day
    where one is of this series.
    """
    rows: list[Any] = reader.execute(
        f"""
        WITH RECURSIVE hops (timestamp) AS (
          SELECT (SELECT min(place) FROM {LATE_TABLE} WHERE place >= ?1) >> {SERIES_BITS}
          UNION ALL
          SELECT (SELECT min(place) FROM {LATE_TABLE} WHERE place >= CASE
              WHEN EXISTS (SELECT 1 FROM {LATE_TABLE}
                           WHERE place = (hops.timestamp << {SERIES_BITS}) + ?3)
              THEN (hops.timestamp / {DAY_S} + 1) * {DAY_S}
              ELSE hops.timestamp + 1
            END << {SERIES_BITS}) >> {SERIES_BITS}
          FROM hops WHERE hops.timestamp <= ?2
          LIMIT ?4
        )
        SELECT DISTINCT hops.timestamp / {DAY_S} * {DAY_S}
        FROM hops CROSS JOIN {LATE_TABLE}
        WHERE place = (hops.timestamp << {SERIES_BITS}) + ?3 AND hops.timestamp <= ?2
        """,
        (place_of(since - since % DAY_S, 0), until, series, MAX_HOPS),
    ).fetchall()
    return np.array([row[0] for row in rows], np.int64)
