"""GET /api/v1/anomalies and /api/v1/anomalies/{id}: what was anomalous, and why."""

import dataclasses
import re

import falcon

from fluxd.core.errors import NotFoundError
from fluxd.core.names import MAX_STORED
from fluxd.store.anomalies import get_anomaly, get_evidence, page_anomalies
from fluxd.web.api_answers import write_json, write_page
from fluxd.web.api_parameters import MAX_INTEGER, Parameters, check_order
from fluxd.web.services import Services

_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)  # 18 digits fit SQLite's integers


class AnomaliesResource:
    """GET /api/v1/anomalies: the anomalies, the latest found first."""

    def __init__(self, services: Services) -> None:
        self._store = services.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer a page of those that lasted at any time in [from, to]."""
        query = Parameters(req, "metric", "from", "to", "min_score", "severity", "limit", "cursor")
        metric = query.text("metric", longest=MAX_STORED)
        since, until = query.second("from"), query.second("to")
        check_order(since, until)
        min_score = query.decimal("min_score", least=0, most=1)
        severity = query.choice("severity", ("normal", "low"))
        limit = query.limit()
        cursor = query.integer("cursor", least=1, most=MAX_INTEGER)
        with self._store.read() as reader:
            page, after = page_anomalies(
                reader,
                metric=metric,
                since=since,
                until=until,
                min_score=min_score,
                severity=severity,
                limit=limit,
                cursor=cursor,
            )
        write_page(resp, "anomalies", page, after)


class AnomalyResource:
    """GET /api/v1/anomalies/{id}: one anomaly with its evidence."""

    def __init__(self, services: Services) -> None:
        self._store = services.store

    def on_get(self, req: falcon.Request, resp: falcon.Response, anomaly_id: str) -> None:
        """Answer the anomaly with this id."""
        Parameters(req)
        number = number_of(anomaly_id)
        with self._store.read() as reader:
            found, evidence = get_anomaly(reader, number), get_evidence(reader, number)
        if found is None:
            raise NotFoundError(
                "there is no anomaly with that id: GET /api/v1/anomalies lists them"
            )
        write_json(resp, dataclasses.asdict(found) | {"evidence": evidence})


def number_of(segment: str) -> int:
    """Return the id that a step of a path spells; 0, which nothing has, where it is none."""
    return int(segment) if _ID.fullmatch(segment) else 0
