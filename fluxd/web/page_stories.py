"""An anomaly as the pages tell it: its sentence, how unusual it was, and a small chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fluxd.core.explain import length_s
from fluxd.core.hush import HISTORY
from fluxd.core.rarity import rarity
from fluxd.core.wording import span
from fluxd.store.anomalies import StoredAnomaly, get_evidence
from fluxd.store.connection import Connection
from fluxd.store.hushes import read_windows
from fluxd.store.odd import read_reasons
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

    @property
    def drawn(self) -> bool:
        """Whether there is something in the chart: what is silent has no datapoints."""
        return bool((self.evidence.get("datapoints") or {}).get("timestamps"))


def tell(services: Services, found: StoredAnomaly) -> Story:
    """Read what is kept with an anomaly and draw it."""
    with services.store.read() as reader:
        evidence = get_evidence(reader, found.id) or {}
    interval = evidence.get("interval")
    unusual = None if found.kind in _UNSCORED else rarity(found.score, interval)
    chart = small(evidence.get("datapoints", {}), [mark_of(found)], width=WIDTH, height=HEIGHT)
    return Story(found, evidence, chart, unusual, lasted(found, interval))


def reasons_of(
    services: Services, reader: Connection, anomalies: Sequence[StoredAnomaly]
) -> dict[int, str]:
    """Return why anomalies are silent, of those that are, by id; what was expected says so always.

    That imported history was not sent is no news of it.
    """
    stored = read_reasons(reader, [one.id for one in anomalies])
    starts = [one.started for one in anomalies]
    if not starts:
        return {}
    windows = read_windows(reader, min(starts), max(starts), services.local)
    found: dict[int, str] = {}
    for one in anomalies:
        reason = stored.get(one.id, HISTORY)
        if reason != HISTORY:
            found[one.id] = reason
            continue
        window = next((w for w in windows if w.covers(one.metric, one.started)), None)
        if window is not None:
            found[one.id] = window.told
    return found


def mark_of(found: StoredAnomaly) -> Mark:
    """Return an anomaly as charts mark it."""
    return Mark(found.started, found.ended, found.peak, found.value)


def lasted(found: StoredAnomaly, interval: float | None) -> str | None:
    """Say how long an anomaly lasted, None while it does; `interval` is in s."""
    if found.ended is None:
        return None
    if found.ended == found.started:
        return "a single datapoint"
    return span(length_s(found.kind, found.started, found.ended, interval))
