"""An anomaly as the pages tell it: its sentence, how unusual it was, and a small chart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fluxd.core.rarity import rarity
from fluxd.core.wording import span
from fluxd.store.anomalies import StoredAnomaly, get_evidence
from fluxd.web.chart_svg import Mark, small
from fluxd.web.services import Services

WIDTH, HEIGHT = 240, 84

# What is no deviation of a value has no score that would say how rare it is.
_UNSCORED = ("stopped", "resumed")

OF_VALUES = ("spike", "drop")


@dataclass(frozen=True, slots=True)
class Story:
    """An anomaly with what is shown of it; `lasted` is None while it lasts.

    Numbers alone went into `chart`, no texts, so templates take it as it is.
    """

    anomaly: StoredAnomaly
    evidence: Mapping[str, Any]
    chart: str
    unusual: str | None
    lasted: str | None


def tell(services: Services, found: StoredAnomaly) -> Story:
    """Read what is kept with an anomaly and draw it."""
    with services.store.read() as reader:
        evidence = get_evidence(reader, found.id) or {}
    interval = evidence.get("interval")
    unusual = None if found.kind in _UNSCORED else rarity(found.score, interval)
    chart = small(evidence.get("datapoints", {}), [mark_of(found)], width=WIDTH, height=HEIGHT)
    return Story(found, evidence, chart, unusual, lasted(found, interval))


def mark_of(found: StoredAnomaly) -> Mark:
    """Return an anomaly as charts mark it."""
    return Mark(found.started, found.ended, found.peak, found.value)


def lasted(found: StoredAnomaly, interval: float | None) -> str | None:
    """Say how long an anomaly lasted, None while it does.

    Of values as their sentence counts it: the last datapoint stands for an interval (s) too.
    """
    if found.ended is None:
        return None
    seconds = found.ended - found.started
    if not seconds:
        return "a single datapoint"
    return span(seconds + (interval or 0.0) if found.kind in OF_VALUES else seconds)
