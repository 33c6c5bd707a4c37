"""GET /anomalies/{id}: one anomaly, why it is one, the like of it, and what else was odd then."""

from collections.abc import Mapping
from typing import Any

import falcon

from fluxd.core.errors import NotFoundError
from fluxd.core.wording import number, span
from fluxd.store.anomalies import StoredAnomaly, get_anomaly
from fluxd.store.incident_list import get_incident, incident_of
from fluxd.store.odd import read_company, read_like
from fluxd.web.api_anomalies import number_of
from fluxd.web.chart_svg import small
from fluxd.web.page_stories import OF_VALUES, mark_of, reasons_of, tell
from fluxd.web.pages import Page, render
from fluxd.web.services import Services

LIKE, COMPANY = 5, 20

# What begins so close to it (s) is told to be at the same time.
COMPANY_S = 300

WIDTH, HEIGHT = 1_000, 240

# The chart shows so much of what was before and after (s), at least.
LEAST_AROUND_S = 1_800
AROUND_INTERVALS = 90


class AnomalyPage(Page):
    """The page."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response, anomaly_id: str) -> None:
        """Answer the page. Raises NotFoundError."""
        del req
        with self._services.store.read() as reader:
            found = get_anomaly(reader, number_of(anomaly_id))
            if found is None:
                raise NotFoundError("there is no such anomaly")
            like, likes = read_like(reader, found, limit=LIKE)
            company = read_company(reader, found, within_s=COMPANY_S, limit=COMPANY)
            number = incident_of(reader, found.id)
            incident = None if number is None else get_incident(reader, number)
            reasons = reasons_of(self._services, reader, [found, *like, *company])
        story = tell(self._services, found)
        drawn = small(
            story.evidence.get("datapoints", {}), [mark_of(found)], width=WIDTH, height=HEIGHT
        )
        now = int(self._services.clock())
        render(
            resp,
            "anomaly.html",
            section="Now",
            one=found,
            story=story,
            drawn=drawn,
            facts=_facts(found, story.evidence, story.unusual),
            view=_view(found, story.evidence.get("interval"), now),
            like=like,
            likes=likes,
            company=company,
            incident=incident,
            reasons=reasons,
        )


def _view(found: StoredAnomaly, interval: float | None, now: int) -> tuple[int, int]:
    """Return from when to when the chart shows."""
    end = now if found.ended is None else found.ended
    around = max(LEAST_AROUND_S, AROUND_INTERVALS * (interval or 0), (end - found.started) / 2)
    return max(0, int(found.started - around)), int(end + around)


def _facts(
    found: StoredAnomaly, evidence: Mapping[str, Any], unusual: str | None
) -> list[tuple[str, str]]:
    """Return the numbers behind the sentence, each with its name."""
    width, unit = found.upper - found.lower, "/s" if evidence.get("rate") else ""
    value, expected, lower, upper, off = (
        number(one, width) + unit
        for one in (
            found.value,
            found.expected,
            found.lower,
            found.upper,
            found.value - found.expected,
        )
    )
    facts = [
        ("Value at its peak", value),
        ("Expected", expected),
        ("Usual", f"{lower} to {upper}"),
        ("Difference", off),
        ("Kind", _kind(found)),
        ("Score", f"{found.score:.2f} of 1"),
    ]
    if unusual is not None:
        facts.append(("By chance", unusual))
    interval = evidence.get("interval")
    if interval:
        facts.append(("Interval", span(interval)))
    return facts


def _kind(found: StoredAnomaly) -> str:
    """Name a kind; a spike and a drop say their direction already."""
    return found.kind if found.kind in OF_VALUES else f"{found.kind}, {found.direction}"
