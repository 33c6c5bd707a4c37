"""/incidents/{id}: one incident, what belongs to it and when, and whom it was told."""

import functools

import falcon

from fluxd.core.errors import BadRequestError, NotFoundError
from fluxd.core.silence import common_prefix
from fluxd.store.deliveries import read_names, read_of_incident
from fluxd.store.hushes import read_windows
from fluxd.store.incident_list import get_incident, read_memberships
from fluxd.store.incidents import act
from fluxd.web.api_anomalies import number_of
from fluxd.web.api_incidents import ACTIONS
from fluxd.web.incident_stories import tell_incident
from fluxd.web.page_stories import reasons_of
from fluxd.web.pages import Page, render, sentence
from fluxd.web.services import Services
from fluxd.web.sessions import form_of
from fluxd.web.timeline import timeline_of

MOST_MEMBERS = 100
MOST_MESSAGES = 200


class IncidentPage(Page):
    """The page; its buttons acknowledge, release and resolve."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response, incident_id: str) -> None:
        """Answer the page. Raises NotFoundError."""
        del req
        self._show(resp, number_of(incident_id))

    def on_post(self, req: falcon.Request, resp: falcon.Response, incident_id: str) -> None:
        """Do what the form says, and show the page that it came from again."""
        form, number = form_of(req), number_of(incident_id)
        event = next((one for one in ACTIONS if one == form.get("action")), None)
        now = int(self._services.clock())
        try:
            if event is not None:
                self._services.store.writer.run(
                    functools.partial(act, incident=number, event=event, now=now)
                )
        except BadRequestError as error:
            self._show(resp, number, fault=error)
            return
        resp.status = falcon.HTTP_303
        resp.set_header("Location", "/" if form.get("back") == "/" else f"/incidents/{number}")

    def _show(
        self, resp: falcon.Response, number: int, fault: BadRequestError | None = None
    ) -> None:
        services, now = self._services, int(self._services.clock())
        with services.store.read() as reader:
            incident = get_incident(reader, number)
            if incident is None:
                raise NotFoundError("there is no such incident: its metrics were deleted perhaps")
            members = read_memberships(reader, number, limit=MOST_MEMBERS)
            messages = read_of_incident(reader, number, limit=MOST_MESSAGES)
            names = read_names(reader)
            reasons = reasons_of(self._services, reader, [one.anomaly for one in members])
            until = now if incident.ended is None else incident.ended
            windows = read_windows(reader, incident.started, until, self._services.local)
        render(
            resp,
            "incident.html",
            section="Incidents",
            status=200 if fault is None else 400,
            fault="" if fault is None else sentence(fault.message),
            story=tell_incident(services, incident),
            members=[one.anomaly for one in members],
            reasons=reasons,
            prefix=common_prefix([one.anomaly.metric for one in members]) if members[1:] else "",
            timeline=timeline_of(incident, members, windows, now),
            messages=messages,
            names=names,
        )
