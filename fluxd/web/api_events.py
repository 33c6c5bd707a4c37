"""/api/v1/events: expected windows, as a deploy script or a person tells of them.

A sender tells with its own key, which has a namespace perhaps: then its globs are below it, as its
metrics' names are, and it forgets its own windows only.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import falcon

from fluxd.core.detect import LocalTime
from fluxd.core.errors import BadRequestError, NotFoundError, PayloadTooLargeError
from fluxd.core.hush import Window, checked_window
from fluxd.core.keys import Key
from fluxd.core.names import MAX_STORED, stored_name
from fluxd.core.wording import later, moment
from fluxd.ingest.strict_json import Number, decode, json_text
from fluxd.store.hushes import add_window, get_window, read_windows, remove_window
from fluxd.web.api_anomalies import number_of
from fluxd.web.api_answers import write_json
from fluxd.web.api_parameters import MAX_SECOND, Parameters, check_order
from fluxd.web.auth import TakesIngestKeys
from fluxd.web.services import Services

DEFAULT_S, MINUTE_S = 1_800, 60
MOST_BYTES, LONGEST_TITLE, MOST_GLOBS = 64 << 10, 200, 100

GLOBS_NAMED = 3  # in a sentence

# Times at which a weekly window is told to be; a chart of a year has 53.
MOST_TIMES = 120

# Without a range a list reaches so far ahead (s).
AHEAD_S = 28 * 86_400

MEMBERS = ("title", "from", "to", "minutes", "metrics", "weekly")
EXAMPLE = '{"title": "deploy of web", "minutes": 30, "metrics": ["web-*"]}'


class EventsResource(TakesIngestKeys):
    """GET and POST /api/v1/events."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer what is expected at some time in [from, to], from now on where none is given."""
        query = Parameters(req, "from", "to", "metric")
        since, until = query.second("from"), query.second("to")
        metric = query.text("metric", longest=MAX_STORED)
        check_order(since, until)
        since = int(self._services.clock()) if since is None else since
        until = min(since + AHEAD_S, MAX_SECOND) if until is None else until
        check_order(since, until)
        with self._services.store.read() as reader:
            windows = read_windows(reader, since, until, self._services.local)
        events = [
            event_of(one, since, until) for one in windows if metric is None or one.is_for(metric)
        ]
        write_json(resp, {"events": [one for one in events if one["times"]]})

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Note that something is expected; 201 with its id, and what will be silent when."""
        Parameters(req)
        body: bytes = req.bounded_stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise PayloadTooLargeError(f"more than {MOST_BYTES} bytes: an event has a few hundred")
        now = int(self._services.clock())
        key: Key | None = req.context.key
        window = read_event(decode(body), key, now)
        number = self._services.store.writer.run(
            functools.partial(
                add_window, window=window, now=now, key=None if key is None else key.id
            )
        )
        resp.status = falcon.HTTP_201
        resp.set_header("Location", f"/api/v1/events/{number}")
        noted = event_of(dataclasses.replace(window, id=number), now, now)
        del noted["times"]
        write_json(resp, noted | {"message": told_of(window, self._services.local)})


class EventResource(TakesIngestKeys):
    """DELETE /api/v1/events/{id}."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_delete(self, req: falcon.Request, resp: falcon.Response, event_id: str) -> None:
        """Forget an expected window; what lasts is told again."""
        Parameters(req)
        number = number_of(event_id)
        with self._services.store.read() as reader:
            found = get_window(reader, number)
        if found is None or not _is_own(req.context.key, found):
            raise NotFoundError("there is no event with that id: GET /api/v1/events lists them")
        self._services.store.writer.run(functools.partial(remove_window, window=number))
        resp.status = falcon.HTTP_204


def event_of(window: Window, since: int, until: int) -> dict[str, Any]:
    """Return a window's members in the API, with the times that it has in [since, until]."""
    return {
        "id": window.id,
        "title": window.title,
        "from": window.started,
        "to": window.ended,
        "metrics": window.metrics,
        "weekly": window.weekly,
        "times": [
            {"from": begin, "to": end} for begin, end in window.times(since, until, most=MOST_TIMES)
        ],
    }


def told_of(window: Window, local: LocalTime) -> str:
    """Say what a window silences, and when."""
    offset = local.offset(window.started)
    since = moment(window.started, offset)
    until = later(window.started, window.ended, offset)
    globs = [*window.metrics[:GLOBS_NAMED], *["others"] * (len(window.metrics) > GLOBS_NAMED)]
    what = f"metrics that match {' or '.join(globs)}" if globs else "all metrics"
    weekly = ", and every week at that time" if window.weekly else ""
    return (
        f"expected from {since} to {until}{weekly}: anomalies of {what} that begin then are stored "
        "and shown, and nobody is told"
    )


def read_event(sent: object, key: Key | None, now: int) -> Window:
    """Return the window that a body asks for. Raises BadRequestError with the mend."""
    if not isinstance(sent, dict):
        raise BadRequestError(f"an event is a JSON object, such as {EXAMPLE}")
    for name in sent:
        if name not in MEMBERS:
            raise BadRequestError(f"unknown member - {json_text(name)} - use {' '.join(MEMBERS)}")
    title = sent.get("title", "")
    if not isinstance(title, str) or len(title) > LONGEST_TITLE or not title.isprintable():
        raise _wrong("title", title, f"must be a line of at most {LONGEST_TITLE} characters")
    weekly = sent.get("weekly", False)
    if not isinstance(weekly, bool):
        raise _wrong("weekly", weekly, "must be true or false")
    since, until = _span(sent, now)
    return checked_window(title, since, until, _globs(sent, key), weekly=weekly)


def _span(sent: Mapping[str, object], now: int) -> tuple[int, int]:
    since = now if "from" not in sent else _integer(sent, "from", 0, MAX_SECOND)
    if "to" in sent and "minutes" in sent:
        raise BadRequestError("to and minutes are both given: leave one of them out")
    if "to" in sent:
        return since, _integer(sent, "to", 0, MAX_SECOND)
    if "minutes" in sent:
        length = MINUTE_S * _integer(sent, "minutes", 1, MAX_SECOND // MINUTE_S)
        return since, min(since + length, MAX_SECOND)
    return since, since + DEFAULT_S


def _integer(sent: Mapping[str, object], name: str, least: int, most: int) -> int:
    given = sent[name]
    text = given.decode() if isinstance(given, Number) else ""
    longest = len(str(most))
    number = int(text) if text.isdecimal() and len(text) <= longest else -1
    if not least <= number <= most:
        raise _wrong(name, given, f"must be an integer from {least} to {most}")
    return number


def _globs(sent: Mapping[str, object], key: Key | None) -> list[str]:
    given = sent.get("metrics", [])
    rule = f'must be a list of at most {MOST_GLOBS} globs, such as ["web-*"]'
    if not isinstance(given, list) or len(given) > MOST_GLOBS:
        raise _wrong("metrics", given, rule)
    globs: list[str] = []
    for one in given:
        if not isinstance(one, str) or not one:
            raise _wrong("metrics", given, rule)
        globs.append(one)
    if key is None or key.prefix is None:
        return globs
    return [stored_name(key.prefix, one) for one in globs or ["*"]]


def _is_own(key: Key | None, window: Window) -> bool:
    """Whether somebody may forget a window: who has a namespace, those within it."""
    if key is None or key.prefix is None:
        return True
    return bool(window.metrics) and all(
        stored_name(key.prefix, one) == one for one in window.metrics
    )


def _wrong(name: str, given: object, rule: str) -> BadRequestError:
    return BadRequestError(f"invalid {name} - {json_text(given)} - {name} {rule}")
