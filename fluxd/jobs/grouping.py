"""Grouping: each anomaly that is new or changed finds its incident, and the incident is told."""

import functools
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Sequence

from fluxd.core.detect import LocalTime
from fluxd.core.hush import HISTORY, Mute, Window, reason_to_hush
from fluxd.core.incidents.grouping import Cluster, Grouping, Onset
from fluxd.core.incidents.kinship import Fleet, parts_of
from fluxd.store import Store
from fluxd.store.connection import Connection
from fluxd.store.hushes import (
    forget_hushes,
    has_mute_ended,
    look_again,
    read_mutes,
    read_windows,
)
from fluxd.store.incident_queue import (
    STALE_S,
    Found,
    Row,
    count_since,
    read_found,
    read_near,
    read_queue,
    read_series_of,
    went_together,
)
from fluxd.store.incidents import Grouped, write_groups

log = logging.getLogger(__name__)

# Anomalies looked at in one turn, at the most and to begin with, and how long (s) a turn may take:
# 1,000 of one flood are 50 ms, 1,000 of a year of history, an incident each, 350.
BATCH, FIRST_BATCH = 1_000, 200
TURN_S = 0.08

# Metrics of an incident that others are compared with: they stand for a flood of 100,000.
MOST_KNOWN = 1_000

# How many causes there are a day is counted over a week; shares of names' parts are taken of so
# many metrics, spread over all, and anew when a fifth more of them are known.
RATE_DAYS, DAY_S, HOUR_S = 7, 86_400, 3_600
SAMPLED, GROWN = 20_000, 1.2

# In one turn the past is asked for company at most so often.
MOST_LOOKS = 100

HUSHES_KEPT_S = 90 * DAY_S


class Grouper:
    """Takes anomalies from the queue that the store keeps of them, on the scheduler's thread."""

    def __init__(self, store: Store, local: LocalTime) -> None:
        self._store = store
        self._local = local
        self._fleet = Fleet()
        self._known = 0  # series ids when the fleet was counted
        self._looks = 0
        self._batch = FIRST_BATCH
        self._hushed_until = 0  # mutes that ended up to then (Unix s) are done with

    def step(self, now: int) -> bool:
        """Group what waits, up to BATCH anomalies; return whether more may wait."""
        self._hear_again(now)
        began = time.monotonic()
        with self._store.read() as reader:
            upto, anomalies = read_queue(reader, min(self._batch, BATCH))
            if not anomalies:
                return False
            found = read_found(reader, anomalies)
            groups = self._group(reader, found, now)
        changed = self._store.writer.run(
            functools.partial(
                write_groups,
                groups=groups,
                upto=upto,
                fleet=len(self._store.catalog),
                offset=self._local.offset,
                now=now,
            )
        )
        log.debug("%d anomalies in %d incidents", len(found), len(changed))
        took_s = max(time.monotonic() - began, 1e-3)
        self._batch = min(BATCH, max(1, int(self._batch * min(2.0, TURN_S / took_s))))
        return True

    def forget(self, now: int) -> None:
        """Delete mutes and windows that are long over."""
        self._store.writer.run(lambda connection: forget_hushes(connection, now - HUSHES_KEPT_S))

    def _hear_again(self, now: int) -> None:
        """Have what lasts looked at once a mute's time is up, were it while no daemon ran."""
        with self._store.read() as reader:
            ended = has_mute_ended(reader, self._hushed_until, now)
        if ended:
            self._store.writer.run(look_again)
        self._hushed_until = now

    def _group(self, reader: Connection, found: Sequence[Found], now: int) -> list[Grouped]:
        """Return what goes to which incident; what has one already stays with it."""
        silent = self._silent(reader, found, now)
        by_anomaly = {one.anomaly: one for one in found}
        clusters = self._place(reader, [one for one in found if one.incident is None])
        groups = [
            Grouped(
                cluster.incident,
                cluster.first,
                cluster.last,
                [by_anomaly[onset.anomaly] for onset in cluster.added],
                silent,
            )
            for cluster in clusters
            if cluster.added
        ]
        known: dict[int, list[Found]] = defaultdict(list)
        for one in found:
            if one.incident is not None:
                known[one.incident].append(one)
        return groups + [Grouped(number, None, None, own, silent) for number, own in known.items()]

    def _place(self, reader: Connection, new: Sequence[Found]) -> list[Cluster]:
        """Return the clusters that new anomalies are near to, and those that they begin."""
        self._count_fleet()
        self._looks = 0
        clusters: dict[int, Cluster] = {}
        begun: list[Cluster] = []
        for _, hour in itertools.groupby(new, lambda one: one.started // HOUR_S):
            some = list(hour)
            since, until = some[0].started, some[-1].started
            for row in read_near(reader, since, until, {one.series for one in some}):
                if row.id not in clusters:
                    clusters[row.id] = self._cluster(reader, row, new)
            grouping = Grouping(
                [*clusters.values(), *begun],
                self._fleet,
                causes_per_day=count_since(reader, until - RATE_DAYS * DAY_S, until) / RATE_DAYS,
                together=functools.partial(self._together, reader),
            )
            for one in some:
                grouping.place(self._onset(one.anomaly, one.series, one.started, one.ended))
            begun = [one for one in grouping.clusters if not one.incident]
        return [*clusters.values(), *begun]

    def _cluster(self, reader: Connection, row: Row, new: Sequence[Found]) -> Cluster:
        cluster = Cluster(row.id, row.first, row.last, row.ended)
        wanted = {one.series for one in new}
        for series in read_series_of(reader, row.id, wanted, limit=MOST_KNOWN):
            cluster.know(self._onset(0, series, row.first))
        return cluster

    def _onset(self, anomaly: int, series: int, started: int, ended: int | None = None) -> Onset:
        catalog = self._store.catalog
        name = catalog.name_of(series)
        return Onset(anomaly, series, started, parts_of(name), catalog.key_of(series), ended)

    def _together(self, reader: Connection, series: int, others: Sequence[int]) -> bool:
        self._looks += 1
        return self._looks <= MOST_LOOKS and went_together(reader, series, others)

    def _count_fleet(self) -> None:
        catalog = self._store.catalog
        if catalog.next_id <= GROWN * self._known:
            return
        self._known = catalog.next_id
        self._fleet = Fleet()
        step = 1 + catalog.next_id // SAMPLED
        self._fleet.add(
            (catalog.name_of(series), catalog.key_of(series))
            for series in range(1, catalog.next_id, step)
            if catalog.is_live(series)
        )

    def _silent(
        self, reader: Connection, found: Sequence[Found], now: int
    ) -> dict[int, str | None]:
        """Return why each anomaly is not sent, None where it is."""
        mutes = read_mutes(reader, now)
        starts = [one.started for one in found]
        windows = read_windows(reader, min(starts, default=0), max(starts, default=0), self._local)
        return {one.anomaly: _reason(one, mutes, windows, now) for one in found}


def _reason(one: Found, mutes: Sequence[Mute], windows: Sequence[Window], now: int) -> str | None:
    if one.history or (one.silent == HISTORY and one.ended is not None):
        return HISTORY
    if one.incident is None and one.ended is not None and one.ended < now - STALE_S:
        return HISTORY
    if one.muted:
        return "muted"
    reasons = [
        reason_to_hush(name, one.sender, now, mutes, ())
        or reason_to_hush(name, one.sender, one.started, (), windows)
        for name in one.names
    ]
    return None if None in reasons else reasons[0]
