"""The pages for who is signed in, and the files behind them: every route."""

import falcon

from fluxd.web.metric_files import ChartResource, CsvResource, SparkResource
from fluxd.web.page_access import AccessResource
from fluxd.web.page_anomaly import AnomalyPage
from fluxd.web.page_incident import IncidentPage
from fluxd.web.page_incidents import IncidentsPage
from fluxd.web.page_integrations import IntegrationsResource, KeyResource
from fluxd.web.page_keys import KeysResource
from fluxd.web.page_metric import MetricPage
from fluxd.web.page_metrics import MetricsPage
from fluxd.web.page_notifications import NotificationsPage
from fluxd.web.page_now import NowPage
from fluxd.web.page_silence import SilencePage
from fluxd.web.page_status import StatusPage
from fluxd.web.page_tests import IngestionTestPage
from fluxd.web.services import Services


def add_pages(app: falcon.App[falcon.Request, falcon.Response], services: Services) -> None:
    """Add the routes."""
    app.add_route("/", NowPage(services))
    app.add_route("/incidents", IncidentsPage(services))
    app.add_route("/incidents/{incident_id}", IncidentPage(services))
    app.add_route("/metrics-list", MetricsPage(services))
    app.add_route("/metrics-list/{metric}", MetricPage(services))
    app.add_route("/metrics-list/{metric}/chart.svg", ChartResource(services))
    app.add_route("/metrics-list/{metric}/spark.svg", SparkResource(services))
    app.add_route("/metrics-list/{metric}/datapoints.csv", CsvResource(services))
    app.add_route("/anomalies/{anomaly_id}", AnomalyPage(services))
    app.add_route("/settings/integrations/key", KeyResource(services))
    for page in (
        IntegrationsResource(services),
        IngestionTestPage(services),
        NotificationsPage(services),
        SilencePage(services),
        KeysResource(services),
        AccessResource(services),
    ):
        app.add_route(page.address, page)
    app.add_route("/status", StatusPage(services))
