"""GET /api/v1/incidents, one of them with all that belongs to it, and what people do about it."""

import dataclasses
import functools
from typing import Any

import falcon

from fluxd.core.errors import NotFoundError
from fluxd.core.incidents.lifecycle import STATES, Event
from fluxd.core.message import SEVERITIES
from fluxd.core.names import MAX_STORED
from fluxd.store.deliveries import read_names, read_of_incident
from fluxd.store.incident_list import get_incident, page_incidents, read_memberships
from fluxd.store.incidents import act
from fluxd.web.api_anomalies import number_of
from fluxd.web.api_answers import write_json, write_page
from fluxd.web.api_notifications import members_of
from fluxd.web.api_parameters import MAX_INTEGER, Parameters, check_order
from fluxd.web.services import Services

MOST_MEMBERS = 1_000

# What people do; the rest of an incident's life comes from its anomalies.
ACTIONS: tuple[Event, ...] = ("acknowledge", "release", "resolve")

_MISSING = "there is no incident with that id: GET /api/v1/incidents lists them"


class IncidentsResource:
    """GET /api/v1/incidents: the incidents, the newest first."""

    def __init__(self, services: Services) -> None:
        self._store = services.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer a page of those that lasted at any time in [from, to]."""
        query = Parameters(req, "state", "from", "to", "severity", "metric", "limit", "cursor")
        state = query.choice("state", STATES)
        since, until = query.second("from"), query.second("to")
        check_order(since, until)
        severity = query.choice("severity", SEVERITIES)
        metric = query.text("metric", longest=MAX_STORED)
        limit = query.limit()
        cursor = query.integer("cursor", least=1, most=MAX_INTEGER)
        with self._store.read() as reader:
            page, after = page_incidents(
                reader,
                state=state,
                since=since,
                until=until,
                least=severity,
                metric=metric,
                limit=limit,
                cursor=cursor,
            )
        write_page(resp, "incidents", page, after)


class IncidentResource:
    """GET /api/v1/incidents/{id}: one incident, its anomalies, and whom it was told."""

    def __init__(self, services: Services) -> None:
        self._store = services.store

    def on_get(self, req: falcon.Request, resp: falcon.Response, incident_id: str) -> None:
        """Answer the incident with this id."""
        Parameters(req)
        number = number_of(incident_id)
        with self._store.read() as reader:
            found = get_incident(reader, number)
            if found is None:
                raise NotFoundError(_MISSING)
            members = read_memberships(reader, number, limit=MOST_MEMBERS)
            entries = read_of_incident(reader, number, limit=MOST_MEMBERS)
            names = read_names(reader)
        answer: dict[str, Any] = dataclasses.asdict(found)
        answer["members"] = [
            dataclasses.asdict(one.anomaly) | {"silent": one.silent} for one in members
        ]
        answer["notifications"] = [members_of(entry, names) for entry in entries]
        write_json(resp, answer)


class IncidentActionResource:
    """POST /api/v1/incidents/{id}/acknowledge, /release and /resolve, for signed-in browsers."""

    def __init__(self, services: Services, event: Event) -> None:
        self._services = services
        self._event = event

    def on_post(self, req: falcon.Request, resp: falcon.Response, incident_id: str) -> None:
        """Do it; 204. What is so already stays so."""
        Parameters(req)
        number = number_of(incident_id)
        if not number:
            raise NotFoundError(_MISSING)
        now = int(self._services.clock())
        self._services.store.writer.run(
            functools.partial(act, incident=number, event=self._event, now=now)
        )
        resp.status = falcon.HTTP_204
