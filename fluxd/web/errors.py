"""Errors as HTTP answers: the one place that knows which status an error has.

Every error of every endpoint is `{"code": <the status>, "message": "<a sentence>"}` in JSON,
whatever the client says that it accepts; a bad element of a POST adds its `index`. Errors of pages
are pages, and so is what a browser shows whose user mistyped an address.
"""

import json
import logging
import uuid
from typing import Any

import falcon

from fluxd.core.errors import (
    BadRequestError,
    ChannelError,
    FluxdError,
    ForbiddenError,
    NotFoundError,
    PayloadTooLargeError,
    StoreError,
    TooManyAttemptsError,
    UnauthorisedError,
    UnavailableError,
)
from fluxd.web.pages import render, sentence

log = logging.getLogger(__name__)

# A kind of error that isn't here is no answer to a request: 500.
_STATUSES: dict[type[FluxdError], int] = {
    BadRequestError: 400,
    ChannelError: 400,
    UnauthorisedError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    PayloadTooLargeError: 413,
    TooManyAttemptsError: 429,
    UnavailableError: 503,
    StoreError: 503,
}

# s; of an error that doesn't know better. A full disk or a held lock rarely ends sooner.
RETRY_AFTER_S = 5

# What falcon itself raises has titles for programmers; these say what to do.
_SENTENCES = {
    404: "there is nothing at this address: GET /openapi.json lists what there is",
    405: "this method is not allowed here: the header Allow lists those that are",
}

# Of the errors that pages have; others are "Something went wrong".
_HEADINGS = {403: "Not allowed", 404: "Not found", 429: "Too many attempts", 503: "Not just now"}


def install(app: falcon.App[falcon.Request, falcon.Response]) -> None:
    """Make every error of `app` an answer of the one shape."""
    app.resp_options.xml_error_serialization = False
    app.set_error_serializer(_answer_http_error)
    app.add_error_handler(FluxdError, _answer_fluxd_error)
    app.add_error_handler(Exception, _answer_unexpected)


def status_of(error: FluxdError) -> int:
    """Return the HTTP status of an error."""
    return next((_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES), 500)


def write_error(
    resp: falcon.Response, status: int, message: str, *, index: int | None = None
) -> None:
    """Make `resp` an error's answer; `index` is of the bad element in `metrics`."""
    body: dict[str, Any] = {"code": status, "message": message}
    if index is not None:
        body["index"] = index
    resp.status = status
    resp.content_type = falcon.MEDIA_JSON
    resp.text = json.dumps(body)  # with a space behind : and , as the contract shows it


def _answer_fluxd_error(
    req: falcon.Request, resp: falcon.Response, error: FluxdError, params: dict[str, Any]
) -> None:
    status = status_of(error)
    if status == 500:  # noqa: PLR2004  # not in the table: nobody meant it as an answer
        _answer_unexpected(req, resp, error, params)
        return
    if _is_page(req):
        _write_page(resp, status, error.message)
    else:
        write_error(resp, status, error.message, index=getattr(error, "index", None))
    if status == 401:  # noqa: PLR2004
        resp.set_header("WWW-Authenticate", "Bearer")
    elif status in (429, 503):
        resp.set_header("Retry-After", str(getattr(error, "retry_after_s", RETRY_AFTER_S)))


def _answer_http_error(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    """Serialise falcon's own errors; their headers (Allow) are set already."""
    status = error.status_code
    message = _SENTENCES.get(status) or error.description or error.title or "error"
    if _is_page(req):
        _write_page(resp, status, message)
    elif status == 404 and _is_walk(req):  # noqa: PLR2004  # no route, so nobody noted what it is
        _write_page(resp, status, message.partition(":")[0])
    else:
        write_error(resp, status, message)


def _answer_unexpected(
    req: falcon.Request, resp: falcon.Response, error: Exception, _params: dict[str, Any]
) -> None:
    """Log what nobody expected, once, under a number that the answer names too.

    The route is logged, not the address: a query string may carry a key.
    """
    request_id = uuid.uuid4().hex
    where = req.uri_template or "no route"
    log.error("request %s failed: %s %s", request_id, req.method, where, exc_info=error)
    message = f"internal error: fluxd's log has it as request {request_id}"
    if _is_page(req):
        _write_page(resp, 500, message)
    else:
        write_error(resp, 500, message)


def _is_page(req: falcon.Request) -> bool:
    """Whether the request was routed to a page; the guard of all routes has noted it."""
    return bool(getattr(req.context, "page", False))


def _is_walk(req: falcon.Request) -> bool:
    """Whether a person's browser goes to an address, by what no script and no agent sends."""
    return req.get_header("Sec-Fetch-Mode") == "navigate"


def _write_page(resp: falcon.Response, status: int, message: str) -> None:
    heading = _HEADINGS.get(status, "Something went wrong")
    render(resp, "error.html", status=status, heading=heading, message=sentence(message))
