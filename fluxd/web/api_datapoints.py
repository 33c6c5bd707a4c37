"""GET /api/v1/metrics/{metric}/datapoints: a metric's range with its band and scores."""

import falcon
import numpy as np

from fluxd.core.errors import BadRequestError
from fluxd.store.datapoints import read_datapoints
from fluxd.web.api_answers import write_json
from fluxd.web.api_buckets import MAX_POINTS, Ints, Points, align, bucket, smallest_step
from fluxd.web.api_metrics import find_metric
from fluxd.web.api_parameters import Parameters, check_order
from fluxd.web.services import Services

DAY_S = 86_400

# Ahead of the clock (s): ingestion accepts no later datapoint.
AHEAD_S = 60

MAX_STEP = 366 * DAY_S

# Datapoints read for one answer, 16 MB of them, and in one read transaction: while one is open the
# log can't begin anew.
MAX_READ = 1_000_000
CHUNK = 50_000


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
        points = self._read(series, since, until)
        if step is None and len(points.timestamps) > MAX_POINTS:
            step = smallest_step(points.timestamps)
        if step is not None:
            points = bucket(points, step)
            _check_size(points, step)
        answer = {"metric": name, "from": since, "to": until, "step": step}
        write_json(resp, answer | points.members())

    def _range(self, query: Parameters, series: int) -> tuple[int, int]:
        """Return the seconds asked for; without any the last day that has datapoints."""
        since, until = query.second("from"), query.second("to")
        check_order(since, until)
        now = int(self._services.clock())
        last = self._services.knowledge.status(series, now).last or now
        if since is None:
            since = max(0, (last if until is None else until) - DAY_S)
        if until is None:
            # Of a live metric there may be newer datapoints than the last one analysed.
            newest = now + AHEAD_S if last > now - DAY_S else last
            until = max(since, newest)
        return since, until

    def _read(self, series: int, since: int, until: int) -> Points:
        times: list[Ints] = [np.empty(0, np.int64)]
        values = [np.empty(0, np.float64)]
        start = since
        for _ in range(MAX_READ // CHUNK):
            with self._services.store.read() as reader:
                some_times, some_values = read_datapoints(reader, series, start, until, CHUNK)
            times.append(np.array(some_times, np.int64))
            values.append(np.array(some_values, np.float64))
            if len(some_times) < CHUNK:
                band = self._services.knowledge.bands.read(series, since, until)
                return align(np.concatenate(times), np.concatenate(values), band)
            start = some_times[-1] + 1
        raise BadRequestError(
            f"invalid from - {since} - from that time to {until} there are {MAX_READ} datapoints "
            "or more: ask for a shorter range"
        )


def _check_size(points: Points, step: int) -> None:
    """Raise BadRequestError where a step that was asked for leaves too many buckets."""
    if len(points.timestamps) > MAX_POINTS:
        raise BadRequestError(
            f"invalid step - {step} - the range has {len(points.timestamps)} steps with "
            f"datapoints, at most {MAX_POINTS} are answered: "
            f"use {smallest_step(points.timestamps)} or more, or a shorter range"
        )
