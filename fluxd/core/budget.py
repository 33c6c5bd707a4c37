"""How many anomalies a metric may have in a week before a further one has a low severity.

A metric that alarmed more often than that raises its own bar: a further anomaly has a low severity
unless its score is above the k-th largest of the week before it, k being the budget. Nothing is
hidden by it. What is remembered is each anomaly's score for a week; anomalies of a metric are more
than an hour apart, so that is 168 at the most.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

WEEK_S = 604_800
BUDGET = 3
"""Anomalies a metric and week, if the operator says nothing; 0: none has a low severity."""

Severity: TypeAlias = Literal["normal", "low"]


@dataclass(frozen=True, slots=True)
class Standing:
    """An anomaly among those of the week before it."""

    place: int  # how many that makes, it included
    bar: float | None  # the score that it must exceed; None while there is budget left

    def severity(self, score: float) -> Severity:
        """Return how much an anomaly with that peak score matters."""
        return "low" if self.bar is not None and score <= self.bar else "normal"


class Budget:
    """The anomalies of the last week, of metrics that had some.

    >>> budget = Budget(2)
    >>> for day, score in enumerate([0.4, 0.5, 0.6]):
    ...     standing = budget.open(7, 86_400 * day)
    ...     budget.record(7, 86_400 * day, score)
    ...     print(standing.place, standing.bar, standing.severity(score))
    1 None normal
    2 None normal
    3 0.4 normal
    >>> budget.open(7, 86_400 * 3).severity(0.45)
    'low'
    """

    def __init__(self, limit: int = BUDGET) -> None:
        self.limit = limit
        self._weeks: dict[int, list[tuple[int, float]]] = {}

    def open(self, slot: int, started: int) -> Standing:
        """Count an anomaly that begins now."""
        week = [one for one in self._weeks.get(slot, []) if one[0] > started - WEEK_S]
        scores = sorted((score for _, score in week), reverse=True)
        bar = scores[self.limit - 1] if 0 < self.limit <= len(scores) else None
        self._weeks[slot] = [*week, (started, 0.0)]
        return Standing(len(week) + 1, bar)

    def record(self, slot: int, started: int, score: float) -> None:
        """Note the peak score, so far, of the latest anomaly."""
        week = [one for one in self._weeks.get(slot, []) if one[0] != started]
        self._weeks[slot] = [*week, (started, score)]

    def move(self, slot: int, started: int, other: int) -> None:
        """Note that an anomaly began at another time."""
        week = self._weeks.get(slot, [])
        self._weeks[slot] = [(other if at == started else at, score) for at, score in week]

    def week(self, slot: int) -> list[tuple[int, float]]:
        """Return start and peak score of a metric's anomalies."""
        return self._weeks.get(slot, [])

    def load(self, slot: int, week: list[tuple[int, float]]) -> None:
        """Take back what `week` gave."""
        if week:
            self._weeks[slot] = [(started, score) for started, score in week]
        else:
            self._weeks.pop(slot, None)

    def forget(self, slot: int) -> None:
        """Make a metric as if it had had no anomaly."""
        self._weeks.pop(slot, None)
