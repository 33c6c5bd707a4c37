"""Telling stops and returns: metrics that fell silent together are one event.

What is told, and when it is over, is in `core.stops`.
"""

import dataclasses
import logging
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fluxd.core.silence import GAPS, LEAST_S, Window, join, stopped_within_s
from fluxd.core.stops import Members, Stop
from fluxd.jobs.analysis import Analysis
from fluxd.store import Store
from fluxd.store.connection import Connection
from fluxd.store.datapoints import read_datapoints
from fluxd.store.stops import (
    Notice,
    add_notice,
    add_silences,
    change_stop,
    end_silences,
    key_names,
    muted_among,
    read_silences,
    read_stops,
)

log = logging.getLogger(__name__)

Ints = npt.NDArray[np.int64]

# When a muted metric is looked at again, s.
AGAIN_S = 600


class Silent(NamedTuple):
    """A metric that is silent for too long: when something last came of it, and its habits."""

    slot: int
    arrived: int
    mark: int
    interval: float
    limit: float


class StopTeller:
    """The stops that are not over; on the thread of the analysis."""

    def __init__(self, store: Store, analysis: Analysis) -> None:
        self._store = store
        self._arrivals = analysis.knowledge.arrivals
        self._bank = analysis.knowledge.bank
        self._local = analysis.knowledge.bank.local
        with store.read() as reader:
            self._members = Members(read_silences(reader))
            told = read_stops(reader)
        self._stops = {
            one.id: Stop.load(one.id, one.series, one.started, one.evidence)
            for one in told
            if one.ended is None
        }
        slots = self._members.slots
        self._arrivals.grow(max(store.catalog.next_id, int(slots.max(initial=-1)) + 1))
        self._arrivals.told[slots] = True
        self._members.locate(self._arrivals.arrived)

    # ---- stopped

    def tell(self, ripe: list[Silent], now: int) -> None:
        """Add metrics to the stops that they belong to, or begin new ones."""
        store = self._store
        with store.read() as reader:
            muted = muted_among(reader, [one.slot for one in ripe])
            self._arrivals.look[list(muted)] = now + AGAIN_S
            ripe = [one for one in ripe if one.slot not in muted]
            names = key_names(reader, {store.catalog.key_of(one.slot) for one in ripe})
        if not ripe:
            return
        stops = list(self._stops.values())
        windows = [dataclasses.replace(stop.window) for stop in stops]
        numbers = join(
            windows,
            np.array([store.catalog.key_of(one.slot) for one in ripe], np.int64),
            np.array([one.arrived for one in ripe], np.int64),
            np.array([one.arrived + stopped_within_s(one.interval) for one in ripe], np.int64),
        )
        told: list[tuple[Stop, list[Silent]]] = []
        for number in np.unique(numbers).tolist():
            members = [one for one, at in zip(ripe, numbers.tolist(), strict=True) if at == number]
            stop = self._copy(stops[number]) if number < len(stops) else self._begin(members)
            stop.window = windows[number]
            self._add(stop, members, names.get(stop.window.key, ""))
            told.append((stop, members))
        store.writer.run(lambda connection: self._write(connection, told))
        for stop, members in told:
            if stop.id not in self._stops:
                log.info("%s", stop.text(self._local))
            self._stops[stop.id] = stop
            columns = [(one.slot, one.mark, one.arrived) for one in members]
            slots, marks, arrived = np.array(columns, np.int64).T
            self._members.add(stop.id, slots, marks, arrived)
            self._arrivals.told[slots] = True

    def _copy(self, stop: Stop) -> Stop:
        return dataclasses.replace(stop, listed=list(stop.listed))

    def _begin(self, members: list[Silent]) -> Stop:
        """Return a stop that is told of the metric which fell silent first."""
        name_of = self._store.catalog.name_of
        first = min(members, key=lambda one: (one.arrived, len(name_of(one.slot)), one.slot))
        # A sender's clock may be wrong: then it counts when its last datapoint came.
        known = abs(first.mark - first.arrived) <= first.limit
        last = first.mark if known else first.arrived
        started = last + max(1, round(first.interval))
        return Stop(Window(0, 0, 0), first.slot, name_of(first.slot), started)

    def _add(self, stop: Stop, members: list[Silent], key: str) -> None:
        """Take metrics in, and count what the sender has: all of its key that are heard of."""
        catalog, arrivals = self._store.catalog, self._arrivals
        names = [catalog.name_of(one.slot) for one in members]
        slots = catalog.live_ids(stop.window.key)
        slots = slots[slots < len(arrivals)]
        others = slots[(arrivals.arrived[slots] > 0) & ~arrivals.told[slots]]
        others = np.setdiff1d(others, [one.slot for one in members])
        prefix = stop.prefix(names)
        if prefix:
            of = sum(catalog.name_of(slot).startswith(prefix) for slot in others.tolist())
        else:
            of = len(others)
        intervals = [one.interval for one in members]
        stop.add(names, intervals, key, of + stop.count + len(names))

    def _write(self, connection: Connection, told: list[tuple[Stop, list[Silent]]]) -> None:
        for stop, members in told:
            if stop.id:
                change_stop(
                    connection,
                    stop.id,
                    series=stop.series,
                    ended=None,
                    explanation=stop.text(self._local),
                    evidence=stop.evidence(self._local),
                )
            else:
                stop.id = add_notice(connection, self._notice(connection, stop))
            add_silences(connection, stop.id, [(one.slot, one.mark) for one in members])

    def _notice(self, connection: Connection, stop: Stop, ended: int | None = None) -> Notice:
        """Return what is stored of a new stop, or of the return from one that ended."""
        mark = int(self._bank.marks[stop.series])
        _, values = read_datapoints(connection, stop.series, mark, mark, 1)
        value = float(values[0]) if len(values) else 0.0
        if ended is None:
            return Notice(
                stop.series,
                "stopped",
                stop.started,
                None,
                value,
                stop.text(self._local),
                stop.evidence(self._local),
            )
        evidence = {**stop.evidence(self._local), "stopped": stop.id, "after": ended - stop.started}
        return Notice(
            stop.series,
            "resumed",
            ended,
            ended,
            value,
            stop.resumed_text(self._local, ended),
            evidence,
        )

    # ---- resumed

    def take_back(self, now: int) -> None:
        """Let those go that are back, or gone for good; end the stops that are over by that."""
        members = self._members
        if not len(members):
            return
        gone = ~self._store.catalog.live_among(members.slots)
        marks, arrived = self._bank.marks, self._arrivals.arrived
        back = members.back(marks, arrived) & ~gone
        if not (back | gone).any():
            return
        ended: list[tuple[Stop, int]] = []
        changed: dict[int, Stop] = {}
        for event in np.unique(members.events[back | gone]).tolist():
            if event not in self._stops:
                continue  # it ended when most were back
            mine = members.events == event
            stop = self._copy(self._stops[event])
            stop.back += int((mine & back).sum())
            stop.gone += int((mine & gone).sum())
            self._keep_told(stop, members.slots[mine & ~gone])
            changed[event] = stop
            if stop.over:
                ended.append((stop, self._moment_of(members.slots[mine & back], stop, now)))
        left = members.slots[back | gone].tolist()
        self._store.writer.run(
            lambda connection: self._write_back(connection, changed, ended, left)
        )
        for stop, _ in ended:
            if stop.back:
                log.info("%s", stop.text(self._local))
        self._stops |= changed
        for stop, _ in ended:
            del self._stops[stop.id]
        self._arrivals.told[members.slots[gone]] = False
        members.drop(back | gone)

    def _keep_told(self, stop: Stop, others: Ints) -> None:
        """Have another metric stand for a stop whose own one was deleted: it would go with it."""
        catalog = self._store.catalog
        if catalog.name_of(stop.series) != stop.first and len(others):
            stop.series = int(others[0])
            stop.first = catalog.name_of(stop.series)

    def _moment_of(self, slots: Ints, stop: Stop, now: int) -> int:
        """Return when the first of metrics that are back reported again."""
        if not len(slots):
            return max(now, stop.started)
        marks = self._bank.marks[slots]
        came = self._arrivals.arrived[slots]
        times = np.where(np.abs(marks - came) <= max(LEAST_S, GAPS * stop.interval), marks, came)
        return max(int(times.min()), stop.started)

    def _write_back(
        self,
        connection: Connection,
        changed: dict[int, Stop],
        ended: list[tuple[Stop, int]],
        left: list[int],
    ) -> None:
        ends = {stop.id: at for stop, at in ended}
        for event, stop in changed.items():
            at = ends.get(event)
            change_stop(
                connection,
                event,
                series=stop.series,
                ended=at,
                explanation=stop.text(self._local, at),
                evidence=stop.evidence(self._local),
            )
            if at is not None and stop.back:
                add_notice(connection, self._notice(connection, stop, at))
        end_silences(connection, left)
