"""GET /anomalies/{id}: one anomaly, why it is one, the like of it, and what else was odd then."""

import re
from collections.abc import Mapping
from typing import Any

import falcon

from fluxd.core.errors import NotFoundError
from fluxd.core.together import TOGETHER_S
from fluxd.core.wording import number, span
from fluxd.store.anomalies import StoredAnomaly, get_anomaly
from fluxd.store.odd import read_company, read_like
from fluxd.web.chart_svg import small
from fluxd.web.page_stories import OF_VALUES, mark_of, tell
from fluxd.web.pages import Page, render
from fluxd.web.services import Services

_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)

LIKE, COMPANY = 5, 20
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
        found = None
        with self._services.store.read() as reader:
            if _ID.fullmatch(anomaly_id):
                found = get_anomaly(reader, int(anomaly_id))
            if found is None:
                raise NotFoundError("there is no such anomaly")
            like, likes = read_like(reader, found, limit=LIKE)
            company = read_company(reader, found, within_s=TOGETHER_S, limit=COMPANY)
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
    width = found.upper - found.lower
    facts = [
        ("Value at its peak", number(found.value, width)),
        ("Expected", number(found.expected, width)),
        ("Usual", f"{number(found.lower, width)} to {number(found.upper, width)}"),
        ("Difference", number(found.value - found.expected, width)),
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
