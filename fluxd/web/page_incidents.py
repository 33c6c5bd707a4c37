"""GET /incidents: all of them, the newest first, by state, severity and metric."""

from urllib.parse import urlencode

import falcon

from fluxd.core.incidents.lifecycle import STATES
from fluxd.core.message import SEVERITIES
from fluxd.core.names import MAX_STORED
from fluxd.store.incident_list import page_incidents
from fluxd.web.api_anomalies import number_of
from fluxd.web.incident_stories import lasted
from fluxd.web.pages import Page, render
from fluxd.web.services import Services

ROWS = 50


class IncidentsPage(Page):
    """The page."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer a page of them; parameters that make no sense are as if they were not there."""
        state = next((one for one in STATES if one == req.params.get("state")), None)
        least = next((one for one in SEVERITIES if one == req.params.get("severity")), None)
        given = req.params.get("metric")
        metric = given.strip()[:MAX_STORED] if isinstance(given, str) else ""
        cursor = number_of(str(req.params.get("cursor", "")))
        with self._services.store.read() as reader:
            found, after = page_incidents(
                reader,
                state=state,
                least=least,
                metric=metric or None,
                limit=ROWS,
                cursor=cursor or None,
            )
        asked = {"state": state or "", "severity": least or "", "metric": metric}
        render(
            resp,
            "incidents.html",
            section="Incidents",
            rows=[(one, lasted(one)) for one in found],
            asked=asked,
            filtered=any(asked.values()),
            states=STATES,
            severities=SEVERITIES,
            first="?" + urlencode(asked) if cursor else None,
            following=None if after is None else "?" + urlencode(asked | {"cursor": after}),
        )
