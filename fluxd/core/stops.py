"""A stop: what is told of metrics of one sender that fell silent together, and of their return.

open    metrics that fell silent in the same window join it
ended   BACK_SHARE of them are back; the others' return is told no more
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fluxd.core.detect.localtime import LocalTime
from fluxd.core.silence import (
    BACK_SHARE,
    Window,
    common_name,
    common_prefix,
    resumed_text,
    stopped_text,
)
from fluxd.core.wording import moment, span

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Names that the evidence lists; the table `silences` has them all while they are silent.
LISTED = 500


@dataclass(slots=True)
class Stop:
    """An event that is not over: `id` 0 until it is stored; times in Unix s."""

    window: Window
    series: int  # the metric that it is stored with, the first that fell silent
    first: str  # its name
    started: int
    sender: str = ""
    interval: float = 0.0  # of most of them, s
    count: int = 0  # metrics that fell silent
    of: int = 0  # metrics that the sender has
    back: int = 0  # of them have come back
    gone: int = 0  # of them were deleted or retired
    listed: list[str] = field(default_factory=list)
    id: int = 0

    @classmethod
    def load(cls, number: int, series: int, started: int, evidence: Mapping[str, Any]) -> Self:
        """Take back what `evidence` returned."""
        names = ("first", "sender", "interval", "of", "back", "gone")
        values = {name: evidence[name] for name in names}
        window = Window(**evidence["window"])
        values |= {"count": evidence["metrics"], "listed": evidence["members"]}
        return cls(window, series, started=started, id=number, **values)

    def add(self, names: Sequence[str], intervals: Sequence[float], key: str, of: int) -> None:
        """Take in metrics that fell silent with the others; the sender has `of` of them now."""
        if len(names) >= self.count:
            self.interval = sorted(intervals)[len(intervals) // 2]
        self.count += len(names)
        self.of = max(of, self.count)
        self.sender = common_name([*self.listed, *names], key, whole=self.count >= self.of)
        self.listed += names[: max(0, LISTED - len(self.listed))]

    def prefix(self, names: Sequence[str]) -> str:
        """Return what its metrics' names and these begin with, the dot included; "" for nothing."""
        prefix = common_prefix([*self.listed, *names])
        return prefix and f"{prefix}."

    @property
    def over(self) -> bool:
        """Whether most are back, or nobody is left who could come back."""
        expected = self.count - self.gone
        return self.back >= BACK_SHARE * expected

    def evidence(self, local: LocalTime) -> dict[str, Any]:
        """Return all that is known of it, for JSON; `offset` is local time less UTC then, s."""
        return {
            "sender": self.sender,
            "metrics": self.count,
            "of": self.of,
            "first": self.first,
            "interval": self.interval,
            "back": self.back,
            "gone": self.gone,
            "window": asdict(self.window),
            "offset": local.offset(self.started),
            "members": self.listed,
        }

    def text(self, local: LocalTime, ended: int | None = None) -> str:
        """Say what stopped, and when it was back, by a local clock."""
        told = stopped_text(
            self.sender,
            self.first,
            count=self.count,
            of=self.of,
            at=moment(self.started, local.offset(self.started)),
            interval=self.interval,
        )
        if ended is None or not self.back:
            return told
        back = moment(ended, local.offset(ended))
        return f"{told} Back at {back}, after {span(ended - self.started)}."

    def resumed_text(self, local: LocalTime, ended: int) -> str:
        """Say that they are back."""
        return resumed_text(
            self.sender,
            self.first,
            back=self.back,
            count=self.count,
            at=moment(ended, local.offset(ended)),
            after=ended - self.started,
        )


class Members:
    """The metrics of which a stop is told, as long as they are silent."""

    def __init__(self, rows: Iterable[tuple[int, int, int]]) -> None:
        """Take (slot, event, last timestamp then) of each."""
        table = np.array(list(rows), np.int64).reshape(-1, 3).T.copy()
        self.slots: Ints = table[0]
        self.events: Ints = table[1]
        self._marks: Ints = table[2]
        self._arrived: Ints = np.full(len(self.slots), -1)

    def __len__(self) -> int:
        return len(self.slots)

    def locate(self, arrived: Ints) -> None:
        """Take when datapoints last came, by slot."""
        self._arrived = arrived[self.slots]

    def add(self, event: int, slots: Ints, marks: Ints, arrived: Ints) -> None:
        """Take in metrics that a stop was told of."""
        self.slots = np.concatenate([self.slots, slots])
        self.events = np.concatenate([self.events, np.full(len(slots), event)])
        self._marks = np.concatenate([self._marks, marks])
        self._arrived = np.concatenate([self._arrived, arrived])

    def back(self, marks: Ints, arrived: Ints) -> Bools:
        """Say which are back: something came of them, and it is newer than what they had.

        By arrival alone those would seem to be whose last datapoints are taken in again after a
        crash; by timestamp alone those whose gap is filled with history.
        """
        back: Bools = (marks[self.slots] > self._marks) & (arrived[self.slots] > self._arrived)
        return back

    def drop(self, those: Bools) -> None:
        """Let some go."""
        stay = ~those
        self.slots, self.events = self.slots[stay], self.events[stay]
        self._marks, self._arrived = self._marks[stay], self._arrived[stay]
