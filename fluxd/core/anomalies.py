"""From verdicts on single datapoints to anomalies: stretches with a start, an end and a peak.

    opens       at the first datapoint whose score is at least THRESHOLD
    ended       its last anomalous timestamp, once QUIET_ROWS datapoints in a row were quiet
    continues   where another anomalous datapoint follows within an hour (at least JOIN_INTERVALS)

Per metric at most the latest stretch is remembered, and only while it can still change.
"""

import json
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from fluxd.core.detect import Bank, Remark, Verdicts
from fluxd.core.explain import sentence

Direction: TypeAlias = Literal["up", "down"]
Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

VERSION = 1  # of the saved form
HEADER = struct.Struct("<8sIQ")  # magic, version, number of slots
MAGIC = b"fluxano\0"

QUIET_ROWS = 5
JOIN_S, JOIN_INTERVALS = 3600, 12
SHIFT_ROWS = 30  # datapoints in a row on one side make it a level shift
SHIFT_SHARE = 1 / 3  # of the way from the expected value to the first anomalous one


@dataclass(slots=True)
class Anomaly:
    """A stretch as it is stored, keyed by (slot, started); later snapshots replace earlier ones."""

    slot: int
    started: int
    ended: int | None
    peak: int
    value: float
    expected: float
    lower: float
    upper: float
    score: float
    direction: Direction
    kind: str
    explanation: str
    evidence: dict[str, Any]
    datapoints: int
    history: bool


@dataclass(slots=True)
class _Row:
    """One analysed datapoint and its verdict."""

    timestamp: int
    value: float
    expected: float
    lower: float
    upper: float
    score: float
    history: bool


@dataclass(slots=True)
class _Stretch:
    """An anomaly while it can still change."""

    started: int
    join_s: float
    known: int  # datapoints before it
    since: int  # timestamp of the first of them
    days: list[tuple[int, float, float]]  # lowest and highest by day before it, newest first
    turn: float  # a value beyond this, seen from the expected one, is off
    upward: bool
    last: int = 0
    quiet: int = 0
    off: int = 0  # datapoints in a row that were off; -1 once one was not
    ended: int | None = None
    datapoints: int = 0
    history: bool = True
    shifted: bool = False
    score: float = -1.0
    peak: int = 0
    value: float = 0.0
    expected: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    forecast_rarity: float = 0.0
    novelty_rarity: float = 0.0

    @classmethod
    def open(cls, row: _Row, remark: Remark) -> "_Stretch":
        return cls(
            started=row.timestamp,
            join_s=0.0,
            known=remark.datapoints,
            since=remark.since,
            days=remark.days,
            turn=row.expected + SHIFT_SHARE * (row.value - row.expected),
            upward=row.value > row.expected,
        )

    def reaches(self, timestamp: int) -> bool:
        """Whether an anomalous datapoint at that time belongs to this stretch."""
        return timestamp - self.last <= self.join_s

    def settled(self, timestamp: int) -> bool:
        """Whether nothing that can come from that time on changes it."""
        return self.ended is not None and self.off < 0 and not self.reaches(timestamp)

    def meet(self, row: _Row, remark: Remark) -> bool:
        """Take an anomalous datapoint; whether the stored form changes."""
        changed = self.ended is not None or self.datapoints == 0
        changed = changed or (self.history and not row.history)  # it happens now, not only then
        self.ended, self.last, self.quiet = None, row.timestamp, 0
        self.join_s = max(JOIN_S, JOIN_INTERVALS * remark.interval)
        self.datapoints += 1
        self.history = self.history and row.history
        if row.score > self.score:
            changed = True
            self.score, self.peak, self.value = row.score, row.timestamp, row.value
            self.expected, self.lower, self.upper = row.expected, row.lower, row.upper
            self.forecast_rarity = remark.forecast_rarity
            self.novelty_rarity = remark.novelty_rarity
        return self.track(row.value) or changed

    def rest(self, value: float) -> bool:
        """Take a quiet datapoint; whether the stored form changes."""
        self.quiet += 1
        changed = self.quiet == QUIET_ROWS and self.ended is None
        if changed:
            self.ended = self.last
        return self.track(value) or changed

    def track(self, value: float) -> bool:
        """Count datapoints that stay off in a row; whether that makes it a level shift now."""
        if self.off < 0:
            return False
        if (value <= self.turn) if self.upward else (value >= self.turn):
            self.off = -1
            return False
        self.off += 1
        if self.off == SHIFT_ROWS:
            self.shifted, self.off = True, -1
            return True
        return False

    def kind(self) -> str:
        if self.shifted:
            return "level shift"
        if self.lower <= self.value <= self.upper:
            return "unusual pattern"
        return "spike" if self.value > self.expected else "drop"

    def snapshot(self, slot: int) -> Anomaly:
        evidence = {
            "known": self.known,
            "known_s": self.started - self.since,
            "lowest": min(low for _, low, _ in self.days),
            "highest": max(high for _, _, high in self.days),
            "days": [list(day) for day in self.days],
            "forecast_rarity": self.forecast_rarity,
            "novelty_rarity": self.novelty_rarity,
        }
        kind = self.kind()
        return Anomaly(
            slot=slot,
            started=self.started,
            ended=self.ended,
            peak=self.peak,
            value=self.value,
            expected=self.expected,
            lower=self.lower,
            upper=self.upper,
            score=self.score,
            direction="up" if self.value >= self.expected else "down",
            kind=kind,
            explanation=sentence(
                kind,
                peak=self.peak,
                value=self.value,
                band=(self.lower, self.expected, self.upper),
                evidence=evidence,
            ),
            evidence=evidence,
            datapoints=self.datapoints,
            history=self.history,
        )


class Stretches:
    """The stretches of all metrics that are open or may still continue."""

    def __init__(self) -> None:
        self._latest: dict[int, _Stretch] = {}
        self._watched = np.zeros(0, np.bool_)  # per slot: is it in `_latest`?

    def __len__(self) -> int:
        return len(self._latest)

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

        Returns the anomalies whose stored form changed, each once, as they are after the last row.
        `history` tells rows that arrived as history (`fill`, import) from live ones.
        """
        self._grow(len(bank))
        self._watched[slots[list(verdicts.remarks)]] = True
        rows = np.flatnonzero(self._watched[slots] & verdicts.analysed)
        changed: dict[tuple[int, int], _Stretch] = {}
        columns = (
            timestamps,
            values,
            verdicts.expected,
            verdicts.lower,
            verdicts.upper,
            verdicts.score,
            history,
        )
        picked = zip(*(column[rows].tolist() for column in columns), strict=True)
        for index, slot, row in zip(rows.tolist(), slots[rows].tolist(), picked, strict=True):
            for stretch in self._step(slot, _Row(*row), verdicts.remarks.get(index)):
                changed[slot, stretch.started] = stretch
        return [stretch.snapshot(slot) for (slot, _), stretch in changed.items()]

    def _step(self, slot: int, row: _Row, remark: Remark | None) -> Iterable[_Stretch]:
        """Take one row; give the stretches that it changes."""
        stretch = self._latest.get(slot)
        if remark is None:
            if stretch is None:
                return
            if stretch.rest(row.value):
                yield stretch
            if stretch.settled(row.timestamp):
                self._forget(slot)
            return
        if stretch is None or not stretch.reaches(row.timestamp):
            if stretch is not None and stretch.ended is None:
                stretch.ended = stretch.last
                yield stretch
            stretch = self._latest[slot] = _Stretch.open(row, remark)
            self._watched[slot] = True
        if stretch.meet(row, remark):
            yield stretch

    def end(self, slot: int) -> Anomaly | None:
        """Forget a slot; return its anomaly as it ends, if it was open."""
        stretch = self._latest.get(slot)
        if stretch is None:
            return None
        self._forget(slot)
        if stretch.ended is not None:
            return None
        stretch.ended = stretch.last
        return stretch.snapshot(slot)

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
        rows = {
            slot - start: asdict(self._latest[slot])
            for slot in sorted(self._latest)
            if start <= slot < stop
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
        for slot in [slot for slot in self._latest if start <= slot < start + count]:
            self._forget(slot)
        for slot, fields in rows.items():
            fields["days"] = [tuple(day) for day in fields["days"]]
            self._latest[start + int(slot)] = _Stretch(**fields)
            self._watched[start + int(slot)] = True
