"""GET /metrics-list: the metrics by name, found as one types, with what state each is in."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import falcon

from fluxd.core.names import MAX_STORED
from fluxd.core.states import STATES
from fluxd.core.wording import number, span
from fluxd.store.datapoints import read_datapoints
from fluxd.store.metrics import list_metrics
from fluxd.web.api_metrics import describe
from fluxd.web.pages import Page, render
from fluxd.web.services import Services

ROWS = 50
LONGEST_SEARCH = 200  # characters

_WORDS = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Row:
    """A metric as the page lists it; `metric` has what the API says of it."""

    series: int
    metric: dict[str, Any]
    value: str | None
    interval: str | None


class MetricsPage(Page):
    """The page."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer a page of metrics; parameters that make no sense are as if they were not there."""
        match = (_text(req, "match") or "").strip()[:LONGEST_SEARCH]
        state = _text(req, "state")
        state = state if state in STATES else None
        cursor = (_text(req, "cursor") or "")[:MAX_STORED]
        with self._services.store.read() as reader:
            found, after = list_metrics(
                reader, match=pattern(match), state=state, limit=ROWS, cursor=cursor
            )
        rows = [self._row(one.name) for one in found]
        asked = {"match": match, "state": state or ""}
        render(
            resp,
            "metrics.html",
            section="Metrics",
            rows=[row for row in rows if row is not None],
            match=match,
            state=state,
            states=STATES,
            total=len(self._services.store.catalog),
            first="?" + urlencode(asked) if cursor else None,
            following=None if after is None else "?" + urlencode(asked | {"cursor": after}),
        )

    def _row(self, name: str) -> Row | None:
        """Return what is known of a metric, None where it was deleted meanwhile."""
        series = self._services.store.catalog.id_of(name)
        if series is None:
            return None
        metric = describe(self._services, series, name)
        interval = metric["interval"]
        return Row(
            series,
            metric,
            last_value(self._services, series, metric["last"]),
            None if interval is None else span(interval),
        )


def last_value(services: Services, series: int, last: int | None) -> str | None:
    """Return a metric's value at its last analysed timestamp, None where it is not there."""
    if last is None:
        return None
    with services.store.read() as reader:
        _, values = read_datapoints(reader, series, last, last, 1)
    return number(float(values[-1])) if len(values) else None


def pattern(words: str) -> str | None:
    """Return the glob of names that have all words, in their order and in any case; None for all.

    `*` and `?` stand for what they stand for in a shell.

    >>> pattern("web Cpu"), pattern("[a"), pattern(" ")
    ('*[wW][eE][bB]*[cC][pP][uU]*', '*[[][aA]*', None)
    """
    found = _WORDS.findall(words)
    if not found:
        return None
    return f"*{'*'.join(''.join(map(_either, word)) for word in found)}*"


def _either(character: str) -> str:
    if character == "[":
        return "[[]"
    lower, upper = character.lower(), character.upper()
    if lower == upper or len(lower) != 1 or len(upper) != 1:
        return character
    return f"[{lower}{upper}]"


def _text(req: falcon.Request, name: str) -> str | None:
    """Return a query parameter, of one given twice the last."""
    given = req.params.get(name)
    return given[-1] if isinstance(given, list) else given
