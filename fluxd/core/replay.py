"""A series run through the detector from its first datapoint, with one setting or with two."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from fluxd.core.anomalies import Stretches
from fluxd.core.anomaly import Anomaly
from fluxd.core.budget import BUDGET
from fluxd.core.detect import THRESHOLD, UTC, Bank, LocalTime, Verdicts
from fluxd.core.detect.layout import Floats, Ints

CHUNK_ROWS = 2_000  # between two looks at the progress


@dataclass(frozen=True, slots=True)
class Settings:
    """What of `[detection]` has a part in what is found."""

    threshold: float = THRESHOLD
    budget: int = BUDGET
    local: LocalTime = UTC


@dataclass(slots=True)
class Replay:
    """What was found: the anomalies as they are after the last datapoint, and every verdict."""

    settings: Settings
    bank: Bank
    verdicts: Verdicts
    stretches: Stretches
    _found: dict[int, Anomaly] = field(default_factory=dict)

    @property
    def found(self) -> list[Anomaly]:
        """The anomalies, the earliest first."""
        return [self._found[started] for started in sorted(self._found)]

    @property
    def minor(self) -> int:
        """How many of them are over the budget."""
        return sum(anomaly.severity == "low" for anomaly in self._found.values())

    def take(self, timestamps: Ints, values: Floats, verdicts: Verdicts, start: int) -> None:
        """Take the verdicts on the rows from `start` on, remarked from no higher a threshold."""
        part = slice(start, start + timestamps.size)
        for name in ("analysed", "score", "expected", "lower", "upper"):
            getattr(self.verdicts, name)[part] = getattr(verdicts, name)
        remarks = {
            row: remark
            for row, remark in verdicts.remarks.items()
            if verdicts.score[row] >= self.settings.threshold
        }
        told = dataclasses.replace(verdicts, remarks=remarks)
        slots, history = np.zeros(timestamps.size, np.int64), np.zeros(timestamps.size, np.bool_)
        changes = self.stretches.follow(self.bank, slots, timestamps, values, history, told)
        self._found.update((anomaly.started, anomaly) for anomaly in changes)


def replay(
    timestamps: Ints,
    values: Floats,
    several: Sequence[Settings],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Replay]:
    """Run a series with each of the settings; those with the same clock share a run.

    What is learnt does not depend on what is remarked. `progress(done, total)` is called now and
    then.
    """
    banks: dict[int, Bank] = {}
    replays = []
    for settings in several:
        lowest = min(one.threshold for one in several if one.local is settings.local)
        bank = banks.setdefault(id(settings.local), Bank(lowest, settings.local))
        bank.grow(1)
        blank = Verdicts.blank(timestamps.size)
        replays.append(Replay(settings, bank, blank, Stretches(settings.budget)))
    for start in range(0, timestamps.size, CHUNK_ROWS):
        progress(start, timestamps.size)
        times, some = timestamps[start : start + CHUNK_ROWS], values[start : start + CHUNK_ROWS]
        for bank in banks.values():
            verdicts = bank.advance(np.zeros(times.size, np.int64), times, some)
            for one in replays:
                if one.bank is bank:
                    one.take(times, some, verdicts, start)
    return replays


@dataclass(frozen=True, slots=True)
class Difference:
    """What another setting would change; those of `raised` are minor today, of `lowered` then."""

    new: list[Anomaly]
    lost: list[Anomaly]
    raised: list[Anomaly]
    lowered: list[Anomaly]


def difference(today: Sequence[Anomaly], then: Sequence[Anomaly]) -> Difference:
    """Compare what two settings find; anomalies that overlap in time are the same one."""
    new, raised, lowered = [], [], []
    for anomaly in then:
        same = [one for one in today if _overlap(one, anomaly)]
        if not same:
            new.append(anomaly)
        elif anomaly.severity == "low" and all(one.severity != "low" for one in same):
            lowered.append(anomaly)
        elif anomaly.severity != "low" and all(one.severity == "low" for one in same):
            raised.append(anomaly)
    lost = [one for one in today if not any(_overlap(one, anomaly) for anomaly in then)]
    return Difference(new, lost, raised, lowered)


def _overlap(one: Anomaly, other: Anomaly) -> bool:
    return _meets(one, other.started) or _meets(other, one.started)


def _meets(anomaly: Anomaly, moment: int) -> bool:
    return anomaly.started <= moment and (anomaly.ended is None or moment <= anomaly.ended)
