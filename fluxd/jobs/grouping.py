"""Grouping: each anomaly that is new or changed finds its incident, and the incident is told."""

import functools
import itertools
import logging
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from fluxd.core.detect import LocalTime
from fluxd.core.hush import HISTORY, Mute, Window, reason_to_hush
from fluxd.core.incidents.grouping import FLOOD, Cluster, Grouping, Onset
from fluxd.core.incidents.kinship import Fleet, parts_of
from fluxd.core.incidents.notices import GATHER_S
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
    Queued,
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


@dataclass(frozen=True, slots=True)
class _Return:
    """An anomaly that opened its incident again, at the time `at`; that had been over at `over`."""

    queued: Queued
    incident: int
    over: int
    at: int


class Grouper:
    """Takes anomalies from the queue that the store keeps of them, on the scheduler's thread."""

    def __init__(self, store: Store, local: LocalTime) -> None:
        self._store = store
        self._local = local
        self._fleet = Fleet()
        self._known = 0  # series ids when the fleet was counted
        self._looks = 0
        self._batch = FIRST_BATCH
        self._returns: dict[int, _Return] = {}  # by anomaly
        self._ends: dict[
            int, int
        ] = {}  # when incidents were over (Unix s), as this turn found them
        self._hushed_until = 0  # mutes that ended up to then (Unix s) are done with

    def step(self, now: int) -> bool:
        """Group what waits, up to BATCH anomalies; return whether more may wait."""
        self._hear_again(now)
        began = time.monotonic()
        with self._store.read() as reader:
            upto, queued = read_queue(reader, min(self._batch, BATCH))
            if not queued:
                return False
            found = read_found(reader, self._with_returns(queued, now))
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
        """Return what goes to which incident; what has one stays with it, unless it goes on."""
        silent = self._silent(reader, found, now)
        by_anomaly = {one.anomaly: one for one in found}
        new = [one for one in found if one.incident is None or one.went_on]
        clusters = self._place(reader, new)
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
            if one.incident is not None and not one.went_on:
                known[one.incident].append(one)
        self._note_returns(groups, now)
        return groups + [Grouped(number, None, None, own, silent) for number, own in known.items()]

    def _with_returns(self, queued: Sequence[Queued], now: int) -> list[Queued]:
        """Return what is queued, and what returned so lately that nobody was told of it."""
        self._returns = {
            anomaly: one for anomaly, one in self._returns.items() if 0 <= now - one.at < GATHER_S
        }
        looked_at = {anomaly: one.queued for anomaly, one in self._returns.items()}
        for one in queued:
            if one.went_on is not None or one.anomaly not in looked_at:
                looked_at[one.anomaly] = one
        return list(looked_at.values())

    def _note_returns(self, groups: Sequence[Grouped], now: int) -> None:
        """Note what went on and opened its incident again: it may be the first of a flood."""
        for group in groups:
            over = self._ends.get(group.incident)
            again = [one for one in group.members if one.went_on]
            for one in again:
                before = self._returns.pop(one.anomaly, None)
                if over is not None and one.incident == group.incident and len(again) < FLOOD:
                    queued = Queued(one.anomaly, one.started, one.over)
                    at = now if before is None else before.at
                    self._returns[one.anomaly] = _Return(queued, group.incident, over, at)

    def _place(self, reader: Connection, new: Sequence[Found]) -> list[Cluster]:
        """Return the clusters that new anomalies are near to, and those that they begin."""
        self._count_fleet()
        self._looks = 0
        self._ends = {one.incident: one.over for one in self._returns.values()}
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
            onsets = [self._onset(one) for one in some]
            for onset in sorted(onsets, key=grouping.returns):
                grouping.place(onset)
            begun = [one for one in grouping.clusters if not one.incident]
        return [*clusters.values(), *begun]

    def _cluster(self, reader: Connection, row: Row, new: Sequence[Found]) -> Cluster:
        if row.ended is not None:
            self._ends[row.id] = row.ended
        cluster = Cluster(row.id, row.first, row.last, self._ends.get(row.id), row.history)
        wanted = {one.series for one in new}
        for series in read_series_of(reader, row.id, wanted, limit=MOST_KNOWN):
            parts, sender = self._names(series)
            cluster.know(Onset(0, series, row.first, parts, sender))
        return cluster

    def _onset(self, one: Found) -> Onset:
        parts, sender = self._names(one.series)
        return Onset(
            one.anomaly,
            one.series,
            one.started,
            parts,
            sender,
            one.ended,
            one.history,
            one.down,
        )

    def _names(self, series: int) -> tuple[frozenset[str], int]:
        catalog = self._store.catalog
        return parts_of(catalog.name_of(series)), catalog.key_of(series)

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
    if one.history:
        return HISTORY
    if one.ended is not None:
        looks = one.incident is None or one.went_on
        if one.ended < now - STALE_S if looks else one.silent == HISTORY:
            return HISTORY
    if one.muted:
        return "muted"
    reasons = [
        reason_to_hush(name, one.sender, now, mutes, ())
        or reason_to_hush(name, one.sender, one.started, (), windows)
        for name in one.names
    ]
    return None if None in reasons else reasons[0]
