"""From verdicts on single datapoints to anomalies: stretches with a start, an end and a peak.

    opens       at the first datapoint that is remarked (its score is at least the threshold)
    ended       its last anomalous timestamp, once QUIET_ROWS datapoints in a row were quiet
    continues   where another anomalous datapoint follows within an hour (at least JOIN_INTERVALS)

A level shift is told once (`shift`): what is remarkable for a day only because of it counts as
quiet. Per metric the latest stretch is remembered while it can still change, and for a week how
many there were (`budget`).
"""

import dataclasses
import json
import struct
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fluxd.core import stretch_saved
from fluxd.core.anomaly import Anomaly, Direction, Lasting
from fluxd.core.budget import BUDGET, Budget
from fluxd.core.detect import Bank, Remark, Verdicts
from fluxd.core.excerpt import Row
from fluxd.core.stretch import Stretch

__all__ = ["Anomaly", "Direction", "Lasting", "Stretches"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

VERSION = 2  # of the saved form
HEADER = struct.Struct("<8sIQ")  # magic, version, number of slots
MAGIC = b"fluxano\0"


class Stretches:
    """The stretches of all metrics that are open or may still continue."""

    def __init__(self, budget: int = BUDGET) -> None:
        """Take how many anomalies a metric may have in a week before a further one is minor."""
        self._latest: dict[int, Stretch] = {}
        self._budget = Budget(budget)
        self._watched = np.zeros(0, np.bool_)  # per slot: is it in `_latest`?

    def __len__(self) -> int:
        return len(self._latest)

    @property
    def budget(self) -> int:
        """Anomalies a metric and week; 0: none is minor."""
        return self._budget.limit

    def follow(
        self,
        bank: Bank,
        slots: Ints,
        timestamps: Ints,
        values: Floats,
        history: Bools,
        verdicts: Verdicts,
    ) -> list[Anomaly]:
        """Take the rows just given to `bank.advance`, with its verdicts, in the same order.

        Returns the anomalies whose stored form changed, each once, as they are after their last
        change. `history` tells rows that arrived as history (`fill`, import) from live ones.
        """
        self._grow(len(bank))
        self._watched[slots[list(verdicts.remarks)]] = True
        rows = np.flatnonzero(self._watched[slots] & verdicts.analysed)
        changed: dict[tuple[int, int], Anomaly] = {}
        # Of a counter all is told of its rate.
        rates = map(verdicts.rates, (values, verdicts.expected, verdicts.lower, verdicts.upper))
        columns = (timestamps, *rates, verdicts.score, history)
        picked = zip(*(column[rows].tolist() for column in columns), strict=True)
        for index, slot, row in zip(rows.tolist(), slots[rows].tolist(), picked, strict=True):
            for stretch in self._step(slot, Row(*row), verdicts.remarks.get(index)):
                # As it is now: what comes later in this call may change it, and not be told.
                changed[slot, stretch.started] = stretch.snapshot(slot)
        return list(changed.values())

    def _step(self, slot: int, row: Row, remark: Remark | None) -> Iterable[Stretch]:
        """Take one row; give the stretches that it changes."""
        stretch = self._latest.get(slot)
        shift = None if stretch is None else stretch.standing_shift
        if shift is not None and shift.explains(row.timestamp, row.value):
            remark = remark if stretch is not None and stretch.says_more(row, remark) else None
        if remark is None:
            if stretch is None:
                self._watched[slot] = False
                return
            if stretch.rest(row):
                yield stretch
            if stretch.settled(row.timestamp):
                self._forget(slot)
            return
        if stretch is None or not stretch.reaches(row.timestamp, remark):
            if stretch is not None and stretch.ended is None:
                stretch.ended = stretch.last
                yield stretch
            started = remark.began(row.timestamp)
            if stretch is not None:
                started = max(started, stretch.last + 1)
            standing = self._budget.open(slot, started)
            stretch = self._latest[slot] = Stretch.open(started, remark, standing, shift)
            self._watched[slot] = True
        if stretch.meet(row, remark):
            self._budget.record(slot, stretch.started, stretch.score)
            yield stretch

    def lasts(self, slot: int) -> bool:
        """Whether a slot's anomaly is open; other threads may ask."""
        stretch = self._latest.get(slot)
        return stretch is not None and stretch.ended is None

    def lasting(self, slot: int) -> Anomaly | None:
        """Return a slot's anomaly as it is, if it is open."""
        stretch = self._latest.get(slot)
        return None if stretch is None or stretch.ended is not None else stretch.snapshot(slot)

    def ended(self, slot: int) -> Anomaly | None:
        """Return a slot's anomaly as it would end now, if it is open."""
        stretch = self._latest.get(slot)
        if stretch is None or stretch.ended is not None:
            return None
        return dataclasses.replace(stretch, ended=stretch.last).snapshot(slot)

    def silence(self, slot: int) -> Anomaly | None:
        """End a slot's anomaly, if it is open, with its last datapoint; what comes reopens it."""
        stretch = self._latest.get(slot)
        if stretch is None or stretch.ended is not None:
            return None
        stretch.ended = stretch.last
        return stretch.snapshot(slot)

    def forget(self, slot: int) -> Anomaly | None:
        """Make a slot as if it had had no anomaly; return the one that was open, as it ends."""
        found = self.ended(slot)
        self._budget.forget(slot)
        if slot in self._latest:
            self._forget(slot)
        return found

    def adopt(self, slot: int, blob: bytes, stored: Lasting | None = None) -> None:
        """Take over what another one's `dump` of one slot knows; an open stretch goes on here.

        One that is open there goes on as `stored`, if that is given.
        """
        here = self._latest.get(slot)
        self.load(slot, blob)
        there = self._latest.get(slot)
        if here is not None and (here.ended is None or there is None or there.ended is not None):
            self._latest[slot] = here
            self._watched[slot] = True
        elif stored is not None and there is not None and there.ended is None:
            self._budget.move(slot, there.started, stored.started)
            there.started, there.history = stored.started, stored.history
            there.went_on = stored.went_on

    def _forget(self, slot: int) -> None:
        del self._latest[slot]
        self._watched[slot] = False

    def _grow(self, count: int) -> None:
        if count > self._watched.size:
            larger = np.zeros(max(count, 2 * self._watched.size), np.bool_)
            larger[: self._watched.size] = self._watched
            self._watched = larger

    def dump(self, start: int, stop: int) -> bytes:
        """Return what is remembered of slots start to stop - 1, exactly."""
        rows: dict[int, dict[str, Any]] = {}
        for slot in range(start, stop):
            week, stretch = self._budget.week(slot), self._latest.get(slot)
            if week or stretch is not None:
                rows[slot - start] = {
                    "week": week,
                    "latest": stretch and stretch_saved.dump(stretch),
                }
        return HEADER.pack(MAGIC, VERSION, stop - start) + json.dumps(rows).encode()

    def load(self, start: int, blob: bytes) -> None:
        """Take back what `dump` gave; ValueError for another version's or a damaged one."""
        if len(blob) < HEADER.size:
            raise ValueError("not saved anomalies")
        magic, version, count = HEADER.unpack_from(blob)
        if magic != MAGIC:
            raise ValueError("not saved anomalies")
        if version != VERSION:
            raise ValueError(f"saved anomalies of version {version}, this is version {VERSION}")
        rows = json.loads(blob[HEADER.size :])
        self._grow(start + count)
        for slot in range(start, start + count):
            self._budget.forget(slot)
            if slot in self._latest:
                self._forget(slot)
        for at, fields in rows.items():
            slot = start + int(at)
            self._budget.load(slot, fields["week"])
            if fields["latest"] is not None:
                try:
                    self._latest[slot] = stretch_saved.load(fields["latest"])
                except (KeyError, TypeError) as error:  # of a newer build, which saves more
                    raise ValueError(f"a saved anomaly can't be read: {error}") from error
                self._watched[slot] = True
