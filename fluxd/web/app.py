"""The WSGI application: every route, and what happens around each request."""

import falcon

from fluxd.web import errors
from fluxd.web.api_anomalies import AnomaliesResource, AnomalyResource
from fluxd.web.api_datapoints import DatapointsResource
from fluxd.web.api_events import EventResource, EventsResource
from fluxd.web.api_incidents import (
    ACTIONS,
    IncidentActionResource,
    IncidentResource,
    IncidentsResource,
)
from fluxd.web.api_ledgers import IngestionTestsResource, RejectionsResource
from fluxd.web.api_metrics import MetricResource, MetricsResource
from fluxd.web.api_notifications import NotificationsResource
from fluxd.web.api_paths import EncodedPaths
from fluxd.web.api_selftest import SelfTestResource
from fluxd.web.api_sensitivity import SensitivityResource
from fluxd.web.assets import AssetsResource
from fluxd.web.auth import ReadAccess, WrongKeys
from fluxd.web.entry import SignInResource, SignOutResource
from fluxd.web.exposition import ExpositionResource
from fluxd.web.flux import FluxQueryResource, FluxResource
from fluxd.web.health import HealthResource
from fluxd.web.hosts import Hosts
from fluxd.web.openapi import OpenApiResource
from fluxd.web.page_routes import add_pages
from fluxd.web.pages import ASSETS, SECURITY_HEADERS
from fluxd.web.services import Services
from fluxd.web.sessions import Sessions

App = falcon.App[falcon.Request, falcon.Response]

# Ingestion looks for its key in three places itself; the others tell nothing of the metrics.
OPEN_TO_ALL = (
    FluxResource,
    FluxQueryResource,
    OpenApiResource,
    HealthResource,
    ExpositionResource,
    AssetsResource,
    SignInResource,
)


def create_app(services: Services) -> App:
    """Return the application over the daemon's parts."""
    wrong_keys = WrongKeys(services.clock)
    sessions = Sessions(services.store, Hosts(services.hosts))
    app: App = falcon.App(
        middleware=[
            ReadAccess(services, sessions, wrong_keys, open_to_all=OPEN_TO_ALL),
            EncodedPaths(),
            AnswerHeaders(),
        ]
    )
    errors.install(app)

    app.add_route("/flux/metric_data_post", FluxResource(services))
    if services.allow_get:
        app.add_route("/flux/metric_data", FluxQueryResource(services))

    app.add_route("/api/v1/metrics", MetricsResource(services))
    app.add_route("/api/v1/metrics/{metric}", MetricResource(services))
    app.add_route("/api/v1/metrics/{metric}/datapoints", DatapointsResource(services))
    app.add_route("/api/v1/metrics/{metric}/sensitivity", SensitivityResource(services))
    app.add_route("/api/v1/anomalies", AnomaliesResource(services))
    app.add_route("/api/v1/anomalies/{anomaly_id}", AnomalyResource(services))
    app.add_route("/api/v1/incidents", IncidentsResource(services))
    app.add_route("/api/v1/incidents/{incident_id}", IncidentResource(services))
    for event in ACTIONS:
        address = f"/api/v1/incidents/{{incident_id}}/{event}"
        app.add_route(address, IncidentActionResource(services, event))
    app.add_route("/api/v1/events", EventsResource(services))
    app.add_route("/api/v1/events/{event_id}", EventResource(services))
    app.add_route("/api/v1/notifications", NotificationsResource(services))
    app.add_route("/api/v1/selftest", SelfTestResource(services))
    app.add_route("/api/v1/rejections", RejectionsResource(services))
    app.add_route("/api/v1/ingestion-tests", IngestionTestsResource(services))

    app.add_route("/openapi.json", OpenApiResource(allow_get=services.allow_get))
    app.add_route("/healthz", HealthResource(services))
    app.add_route("/metrics", ExpositionResource(services, wrong_keys))
    app.add_route("/static/{name:path}", AssetsResource(ASSETS))
    add_pages(app, services)
    app.add_route("/sign-in", SignInResource(services, sessions))
    app.add_route("/sign-out", SignOutResource(services, sessions))
    return app


class AnswerHeaders:
    """Falcon middleware: headers that every answer carries.

    But for static files no answer is worth keeping, a health check's least of all; and no browser
    shall guess that an answer is a page, or let another site's page have it.
    """

    def process_response(
        self,
        _req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        _req_succeeded: bool,  # noqa: FBT001  # falcon's signature
    ) -> None:
        """Add them; an agent gets the two that matter to it, since it is what there is most of."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        if not isinstance(resource, FluxResource | FluxQueryResource):
            for name, value in SECURITY_HEADERS.items():
                if resp.get_header(name) is None:  # a picture's own policy is stricter
                    resp.set_header(name, value)
        if resp.get_header("Cache-Control") is None:
            resp.set_header("Cache-Control", "no-store")
