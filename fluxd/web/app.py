"""The WSGI application: every route, and what happens around each request."""

import falcon

from fluxd.web import errors
from fluxd.web.api_anomalies import AnomaliesResource, AnomalyResource
from fluxd.web.api_datapoints import DatapointsResource
from fluxd.web.api_ledgers import IngestionTestsResource, RejectionsResource
from fluxd.web.api_metrics import MetricResource, MetricsResource
from fluxd.web.api_paths import EncodedPaths
from fluxd.web.auth import ReadAccess, WrongKeys
from fluxd.web.exposition import ExpositionResource
from fluxd.web.flux import FluxQueryResource, FluxResource
from fluxd.web.health import HealthResource
from fluxd.web.openapi import OpenApiResource
from fluxd.web.services import Services

App = falcon.App[falcon.Request, falcon.Response]

# Ingestion looks for its key in three places itself; the others tell nothing of the metrics.
OPEN_TO_ALL = (
    FluxResource,
    FluxQueryResource,
    OpenApiResource,
    HealthResource,
    ExpositionResource,
)


def create_app(services: Services) -> App:
    """Return the application over the daemon's parts."""
    wrong_keys = WrongKeys(services.clock)
    app: App = falcon.App(
        middleware=[
            ReadAccess(services.store.keys, wrong_keys, open_to_all=OPEN_TO_ALL),
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
    app.add_route("/api/v1/anomalies", AnomaliesResource(services))
    app.add_route("/api/v1/anomalies/{anomaly_id}", AnomalyResource(services))
    app.add_route("/api/v1/rejections", RejectionsResource(services))
    app.add_route("/api/v1/ingestion-tests", IngestionTestsResource(services))

    app.add_route("/openapi.json", OpenApiResource(allow_get=services.allow_get))
    app.add_route("/healthz", HealthResource(services))
    app.add_route("/metrics", ExpositionResource(services, wrong_keys))
    return app


class AnswerHeaders:
    """Falcon middleware: headers that every answer carries.

    No answer here is worth keeping, a health check's least of all; and no browser shall guess that
    one of them is a page.
    """

    def process_response(
        self,
        _req: falcon.Request,
        resp: falcon.Response,
        _resource: object,
        _req_succeeded: bool,  # noqa: FBT001  # falcon's signature
    ) -> None:
        """Add them."""
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_header("Cache-Control", "no-store")
