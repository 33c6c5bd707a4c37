"""GET /metrics-list/{metric}: one metric's chart, its anomalies, and what could be found on it."""

import falcon

from fluxd.core.wording import span
from fluxd.store.odd import read_of_metric
from fluxd.web.api_metrics import describe, find_metric
from fluxd.web.page_metrics import last_value
from fluxd.web.page_stories import reasons_of
from fluxd.web.pages import Page, render
from fluxd.web.services import Services

ANOMALIES = 30


class MetricPage(Page):
    """The page."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response, metric: str) -> None:
        """Answer the page; which part the chart shows is in the address, for its script."""
        del req
        services = self._services
        series, name = find_metric(services.store.catalog, metric)
        with services.store.read() as reader:
            anomalies = read_of_metric(reader, series, limit=ANOMALIES + 1)
            reasons = reasons_of(self._services, reader, anomalies)
        described = describe(services, series, name)
        interval = described["interval"]
        render(
            resp,
            "metric.html",
            section="Metrics",
            metric=described,
            value=last_value(services, series, described["last"]),
            interval=None if interval is None else span(interval),
            anomalies=anomalies[:ANOMALIES],
            reasons=reasons,
            more=len(anomalies) > ANOMALIES,
        )
