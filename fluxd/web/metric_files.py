"""Below /metrics-list/{metric}/: a chart as SVG, a sparkline, and the datapoints as CSV.

Their addresses are stable: notifications and reports of people's own may name them.
"""

import re
from collections.abc import Iterator
from urllib.parse import quote

import falcon

from fluxd.core.retention import DAY_S
from fluxd.store.datapoints import read_datapoints
from fluxd.store.hushes import read_windows
from fluxd.store.odd import read_of_metric
from fluxd.web import chart_svg
from fluxd.web.api_events import MOST_TIMES
from fluxd.web.api_metrics import find_metric, status_of
from fluxd.web.api_parameters import MAX_SECOND, Parameters, check_order
from fluxd.web.api_ranges import Range
from fluxd.web.page_stories import mark_of
from fluxd.web.services import Services

WIDTH, HEIGHT = 960, 320
SPARK_WIDTH, SPARK_HEIGHT, SPARK_POINTS = 120, 30, 72

# A sparkline shows a day, or of a metric that seldom reports this many intervals.
SPARK_INTERVALS = 48

# Steps (s) that divide a day, as the tiers have them.
_STEPS = (1, 5, 10, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200)

MARKS = 500  # anomalies that are looked at for one chart

# Datapoints read at once for a CSV: 250 kB of text, and a read transaction of some milliseconds.
CSV_CHUNK = 10_000

# A picture brings its own style, and nothing else; no script runs where it is opened as a page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


class _Files:
    def __init__(self, services: Services) -> None:
        self._services = services

    def _span(self, query: Parameters, series: int) -> tuple[int, int]:
        """Return the seconds asked for; without any the last day that the metric reported in."""
        since, until = query.second("from"), query.second("to")
        check_order(since, until)
        now = int(self._services.clock())
        last = status_of(self._services, series, now).last or now
        until = max(last, since or 0) if until is None else until
        return max(0, until - DAY_S) if since is None else since, until


class ChartResource(_Files):
    """GET …/chart.svg: the chart of a range with its band and its anomalies."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, metric: str) -> None:
        """Answer a picture that is light or dark as its reader's screen is."""
        query = Parameters(req, "from", "to", "width", "height")
        series, name = find_metric(self._services.store.catalog, metric)
        since, until = self._span(query, series)
        width = query.integer("width", least=200, most=4_000) or WIDTH
        height = query.integer("height", least=120, most=2_000) or HEIGHT
        reading = Range(self._services, series, since, until)
        points, _ = reading.points(_step(until - since, width))
        with self._services.store.read() as reader:
            found = read_of_metric(reader, series, limit=MARKS)
            windows = read_windows(reader, since, until, self._services.local)
        spans = [
            chart_svg.Span(begin, end, one.title)
            for one in windows
            if one.is_for(name)
            for begin, end in one.times(since, until, most=MOST_TIMES)
        ]
        local = self._services.knowledge.bank.local
        _answer_svg(
            resp,
            chart_svg.whole(
                points.members(),
                [*spans, *(mark_of(one) for one in found)],
                title=name,
                since=since,
                until=until,
                width=width,
                height=height,
                offset=local.offset(until),
            ),
        )


class SparkResource(_Files):
    """GET …/spark.svg: the last day as a line."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, metric: str) -> None:
        """Answer a small picture, which may be kept for half a minute."""
        Parameters(req)
        services = self._services
        series, _ = find_metric(services.store.catalog, metric)
        status = status_of(services, series, int(services.clock()))
        if status.last is None:
            _answer_svg(resp, chart_svg.spark({}, width=SPARK_WIDTH, height=SPARK_HEIGHT))
            return
        length = max(DAY_S, SPARK_INTERVALS * int(status.interval or 0))
        since = max(0, status.last - length)
        step = _step(length, SPARK_POINTS)
        points, _ = Range(services, series, since, status.last).points(step)
        _answer_svg(resp, chart_svg.spark(points.members(), width=SPARK_WIDTH, height=SPARK_HEIGHT))
        resp.set_header("Cache-Control", "private, max-age=30")


class CsvResource(_Files):
    """GET …/datapoints.csv: the datapoints as they are stored, `timestamp,value`."""

    def on_get(self, req: falcon.Request, resp: falcon.Response, metric: str) -> None:
        """Answer a range, piece by piece: a long one is never in memory as a whole."""
        query = Parameters(req, "from", "to")
        series, name = find_metric(self._services.store.catalog, metric)
        since, until = query.second("from"), query.second("to")
        check_order(since, until)
        resp.content_type = "text/csv; charset=utf-8"
        plain = _PLAIN.sub("_", name)[:100]
        resp.set_header(
            "Content-Disposition",
            f"attachment; filename=\"{plain}.csv\"; filename*=UTF-8''{quote(name, safe='')}.csv",
        )
        resp.stream = self._lines(series, since or 0, MAX_SECOND if until is None else until)

    def _lines(self, series: int, since: int, until: int) -> Iterator[bytes]:
        yield b"timestamp,value\n"
        while since <= until:
            with self._services.store.read() as reader:
                times, values = read_datapoints(reader, series, since, until, CSV_CHUNK)
            if not len(times):
                return
            rows = zip(times.tolist(), values.tolist(), strict=True)
            yield "".join(f"{at},{value!r}\n" for at, value in rows).encode()
            since = int(times[-1]) + 1


def _step(length: int, width: int) -> int | None:
    """Return the step (s) that gives a point for each pixel, None where there are no more."""
    wanted = length / width
    if wanted <= 1:
        return None
    days = -(-length // width // DAY_S) * DAY_S
    return next((step for step in _STEPS if step >= wanted), max(days, DAY_S))


def _answer_svg(resp: falcon.Response, text: str) -> None:
    resp.content_type = "image/svg+xml"
    resp.set_header("Content-Security-Policy", _POLICY)
    resp.text = text
