"""GET /api/v1/metrics/{metric}/datapoints: a metric's range with its band and scores."""

import falcon

from fluxd.core.retention import DAY_S
from fluxd.web.api_answers import write_json
from fluxd.web.api_metrics import find_metric, status_of
from fluxd.web.api_parameters import Parameters, check_order
from fluxd.web.api_ranges import Range, newest
from fluxd.web.services import Services

MAX_STEP = 366 * DAY_S


class DatapointsResource:
    """GET /api/v1/metrics/{metric}/datapoints: as stored, or in steps."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response, metric: str) -> None:
        """Answer arrays over the datapoints in [from, to], in steps where they are too many."""
        query = Parameters(req, "from", "to", "step")
        series, name = find_metric(self._services.store.catalog, metric)
        since, until = self._range(query, series)
        step = query.integer("step", least=1, most=MAX_STEP)
        points, step = Range(self._services, series, since, until).points(step)
        answer = {"metric": name, "from": since, "to": until, "step": step}
        write_json(resp, answer | points.members())

    def _range(self, query: Parameters, series: int) -> tuple[int, int]:
        """Return the seconds asked for; without any the last day that has datapoints."""
        since, until = query.second("from"), query.second("to")
        check_order(since, until)
        now = int(self._services.clock())
        last = status_of(self._services, series, now).last or now
        if since is None:
            since = max(0, (last if until is None else until) - DAY_S)
        if until is None:
            until = max(since, newest(last, now))
        return since, until
