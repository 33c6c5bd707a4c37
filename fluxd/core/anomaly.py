"""An anomaly as it is told and stored."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from fluxd.core.budget import Severity

Direction: TypeAlias = Literal["up", "down"]


@dataclass(slots=True)
class Anomaly:
    """A stretch as it is stored, keyed by (slot, started); later snapshots replace earlier ones.

    `kind` is spike, drop, level shift, flat line, unusual pattern, stopped or resumed. `evidence`
    has the numbers of the sentence, and `datapoints` from the start on, in columns. `went_on` is
    when (Unix s) it last began anew within its time, after its end or once history was over.
    """

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
    severity: Severity = "normal"
    went_on: int | None = None


@dataclass(frozen=True, slots=True)
class Lasting:
    """What tells an open anomaly that is stored from another: its own `Anomaly` has the same."""

    started: int
    history: bool
    went_on: int | None
