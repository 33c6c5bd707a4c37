"""An incident as the pages tell it: with the charts of what tells most of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from fluxd.core.wording import span
from fluxd.store.incident_list import StoredIncident, read_leading
from fluxd.web.page_stories import Story, tell
from fluxd.web.services import Services

# Charts of an incident that are shown where there is room.
EXHIBITS = 3


@dataclass(frozen=True, slots=True)
class IncidentStory:
    """An incident with what is shown of it; `lasted` is None while it is not resolved."""

    incident: StoredIncident
    exhibits: Sequence[Story]
    lasted: str | None

    @property
    def leading(self) -> Story | None:
        """What tells most, None where its anomalies are gone."""
        return self.exhibits[0] if self.exhibits else None

    @property
    def sentence(self) -> str:
        """What there is to say beside the title."""
        rest = self.incident.explanation.removeprefix(f"{self.incident.title}, ")
        return rest[:1].upper() + rest[1:]


def tell_incident(
    services: Services, incident: StoredIncident, *, exhibits: int = EXHIBITS
) -> IncidentStory:
    """Read what an incident is told with: charts of so many metrics, each once."""
    with services.store.read() as reader:
        leading = read_leading(reader, incident.id, limit=4 * exhibits)
    distinct = {one.metric: one for one in reversed(leading)}
    chosen = [one for one in leading if distinct[one.metric] is one][:exhibits]
    told = [tell(services, one) for one in chosen]
    if incident.anomalies == 1 and incident.ended is not None and told:
        return IncidentStory(incident, told, told[0].lasted)
    return IncidentStory(incident, told, lasted(incident))


def lasted(incident: StoredIncident) -> str | None:
    """Say how long an incident lasted, None while it does."""
    if incident.ended is None:
        return None
    seconds = incident.ended - incident.started
    return span(seconds) if seconds > 0 else "a moment"
