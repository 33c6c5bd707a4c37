"""GET /api/v1/rejections and /api/v1/ingestion-tests: what senders got wrong, what they tried."""

from collections.abc import Sequence
from typing import Any

import falcon

from fluxd.web.api_answers import write_page
from fluxd.web.api_parameters import MAX_INTEGER, Parameters
from fluxd.web.services import Services


class RejectionsResource:
    """GET /api/v1/rejections: refused requests by key and reason, the latest first."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer a page; `key` is null where the request named none."""
        rows, after = _page(req, self._services.store.rejections.rows())
        page = [
            {
                "time": row.time,
                "key": row.key or None,
                "reason": row.reason,
                "message": row.message,
                "index": row.index,
                "element": row.element,
                "count": row.count,
            }
            for row in rows
        ]
        write_page(resp, "rejections", page, after)


class IngestionTestsResource:
    """GET /api/v1/ingestion-tests: what was sent in test mode, the latest first."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer a page; `message` is null where the test was accepted."""
        now = int(self._services.clock())
        rows, after = _page(req, self._services.store.ingestion_tests.rows(now))
        write_page(resp, "ingestion_tests", rows, after)


def _page(req: falcon.Request, rows: Sequence[Any]) -> tuple[Sequence[Any], int | None]:
    """Return the rows asked for and the next cursor: how many rows to leave out.

    New rows come first, so a list that grows between two pages repeats rows, and loses none.
    """
    query = Parameters(req, "limit", "cursor")
    start = query.integer("cursor", least=1, most=MAX_INTEGER) or 0
    stop = start + query.limit()
    return rows[start:stop], stop if stop < len(rows) else None
