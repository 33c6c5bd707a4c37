"""GET /api/v1/metrics and /api/v1/metrics/{metric}: what metrics there are, how far each is."""

import time
from typing import Any

import falcon

from fluxd.core.detect import WARMUP
from fluxd.core.errors import NotFoundError
from fluxd.core.names import MAX_STORED
from fluxd.core.states import STATES, MetricStatus, waiting_text
from fluxd.store.catalog import Catalog
from fluxd.store.held import read_added, read_held
from fluxd.store.metrics import page_metrics, read_summary
from fluxd.web.api_answers import write_json, write_page
from fluxd.web.api_parameters import MAX_LIMIT, Parameters
from fluxd.web.api_paths import metric_of
from fluxd.web.services import Services

# Metrics looked at for one page that asks for a state, which is known in memory only: about 100 ms.
MAX_LOOKED_AT = 20_000


class MetricsResource:
    """GET /api/v1/metrics: the metrics by name, all or those that match."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer a page; with a state it may be shorter than `limit` though more follow."""
        query = Parameters(req, "match", "state", "limit", "cursor")
        match = query.text("match", longest=MAX_STORED)
        state = query.choice("state", STATES)
        limit = query.limit()
        cursor = query.text("cursor", longest=MAX_STORED) or ""
        if state is None:
            found, after = self._page(match, limit, cursor)
            page = [describe(self._services, series, name) for series, name in found]
        else:
            page, after = self._page_in_state(match, state, limit, cursor)
        write_page(resp, "metrics", page, after)

    def _page(
        self, match: str | None, limit: int, cursor: str
    ) -> tuple[list[tuple[int, str]], str | None]:
        with self._services.store.read() as reader:
            return page_metrics(reader, match=match, limit=limit, cursor=cursor)

    def _page_in_state(
        self, match: str | None, state: str, limit: int, cursor: str
    ) -> tuple[list[dict[str, Any]], str | None]:
        page: list[dict[str, Any]] = []
        after: str | None = cursor
        now = int(self._services.clock())
        for _ in range(MAX_LOOKED_AT // MAX_LIMIT):
            looked_at, after = self._page(match, MAX_LIMIT, after or "")
            for series, name in looked_at:
                if self._is_in(state, series, now):
                    page.append(describe(self._services, series, name))
                if len(page) > limit:  # one more than asked for: there is a next page
                    return page[:limit], page[limit - 1]["metric"]
            if after is None:
                break
        return page, after

    def _is_in(self, state: str, series: int, now: int) -> bool:
        if self._services.store.catalog.is_retired(series):
            return state == "retired"
        return self._services.knowledge.state(series, now) == state


class MetricResource:
    """GET /api/v1/metrics/{metric}: one metric."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response, metric: str) -> None:
        """Answer the metric with the name that the path spells."""
        Parameters(req)
        series, name = find_metric(self._services.store.catalog, metric)
        write_json(resp, describe(self._services, series, name))


def find_metric(catalog: Catalog, segment: str) -> tuple[int, str]:
    """Return id and name of the metric that a path's segment spells. Raises NotFoundError."""
    name = metric_of(segment)
    series = catalog.id_of(name) if name is not None else None
    if name is None or series is None:
        raise NotFoundError(
            "there is no metric of that name: percent-encode it in the path (/ as %2F, % as %25)"
        )
    return series, name


# From here on (s) the numbers of a metric may lag visibly behind what was just sent.
TELL_LAG_S = 2.0


def status_of(services: Services, series: int, now: int) -> MetricStatus:
    """Return what is known of a metric, of a retired one what was when it was retired.

    Of one whose datapoints wait to be learnt (after its first POST for a part of a second, after
    an import for minutes) it says what is stored.
    """
    status = services.knowledge.status(series, now)
    if not services.store.catalog.is_retired(series):
        return _waiting(services, series, status) if status.state == "learning" else status
    with services.store.read() as reader:
        summary = read_summary(reader, series)
    last = status.last if summary is None else summary.last
    silent = time.strftime("silent since %Y-%m-%d %H:%M UTC, ", time.gmtime(last)) if last else ""
    return MetricStatus(
        status.interval if summary is None else summary.interval,
        status.datapoints if summary is None else summary.datapoints,
        status.first if summary is None else summary.first,
        last,
        "retired",
        None,
        f"retired: {silent}analysed anew once it reports",
    )


def _waiting(services: Services, series: int, status: MetricStatus) -> MetricStatus:
    with services.store.read() as reader:
        waits = not status.datapoints or read_added(reader, series)
        held = read_held(reader, series) if waits else None
    if held is None:
        return status
    # From the hundredth on there are verdicts, and who waits for them goes by this number.
    count = held.datapoints if held.datapoints < WARMUP else status.datapoints
    return MetricStatus(
        held.interval,
        count,
        held.first,
        held.last,
        status.state,
        None,
        waiting_text(held.datapoints),
    )


def describe(services: Services, series: int, name: str) -> dict[str, Any]:
    """Return what is told of a metric; times in Unix s, null where not known yet."""
    now = services.clock()
    status = status_of(services, series, int(now))
    lag_s = services.lag_s(now)
    waiting = f"; others have waited {lag_s:.0f} s to be analysed" if lag_s >= TELL_LAG_S else ""
    return {
        "metric": name,
        "interval": status.interval,
        "datapoints": status.datapoints,
        "first": status.first,
        "last": status.last,
        "state": status.state,
        "ready_in": status.ready_in,
        "progress": status.progress + waiting,
    }
