"""The pages that show metrics, and the files behind them: every route."""

import falcon

from fluxd.web.metric_files import ChartResource, CsvResource, SparkResource
from fluxd.web.page_anomaly import AnomalyPage
from fluxd.web.page_metric import MetricPage
from fluxd.web.page_metrics import MetricsPage
from fluxd.web.page_now import NowPage
from fluxd.web.services import Services


def add_pages(app: falcon.App[falcon.Request, falcon.Response], services: Services) -> None:
    """Add the routes."""
    app.add_route("/", NowPage(services))
    app.add_route("/metrics-list", MetricsPage(services))
    app.add_route("/metrics-list/{metric}", MetricPage(services))
    app.add_route("/metrics-list/{metric}/chart.svg", ChartResource(services))
    app.add_route("/metrics-list/{metric}/spark.svg", SparkResource(services))
    app.add_route("/metrics-list/{metric}/datapoints.csv", CsvResource(services))
    app.add_route("/anomalies/{anomaly_id}", AnomalyPage(services))
