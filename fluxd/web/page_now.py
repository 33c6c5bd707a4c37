"""GET /: what is odd now and was in the last day, or that all is quiet, or how to begin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import falcon
import numpy as np

from fluxd.core.detect import WARMUP
from fluxd.core.retention import DAY_S
from fluxd.core.together import together
from fluxd.store.anomalies import StoredAnomaly
from fluxd.store.odd import last_end, read_odd
from fluxd.web.examples import examples
from fluxd.web.page_integrations import NO_KEY, address_of, first_key
from fluxd.web.page_stories import Story, tell
from fluxd.web.pages import Page, render
from fluxd.web.services import Services

# Anomalies that are looked at; and groups, and anomalies of one group, that are shown.
MOST_READ = 2_000
MOST_GROUPS = 20
MOST_OF_GROUP = 4


@dataclass(frozen=True, slots=True)
class Group:
    """Anomalies that began together, the most telling first; `others` are not shown."""

    stories: Sequence[Story]
    others: Sequence[StoredAnomaly]
    lasting: bool
    since: int

    @property
    def size(self) -> int:
        """How many anomalies there are in it."""
        return len(self.stories) + len(self.others)


class NowPage(Page):
    """The page."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the page; it asks for itself again every few seconds."""
        now = int(self._services.clock())
        since, address = now - DAY_S, address_of(req)
        with self._services.store.read() as reader:
            found = read_odd(reader, since=since, limit=MOST_READ)
            quiet_since = last_end(reader)
        groups = ranked(found)
        shown = [self._group(group) for group in groups[:MOST_GROUPS]]
        render(
            resp,
            "now.html",
            section="Now",
            now=now,
            odd_now=len({one.metric for one in found if one.ended is None}),
            lasting=[group for group in shown if group.lasting],
            over=[group for group in shown if not group.lasting],
            hidden=sum(len(group) for group in groups[MOST_GROUPS:]),
            quiet_since=quiet_since,
            states=self._services.states(),
            metrics=len(self._services.store.catalog),
            progress=self._progress(now),
            address=address,
            example=examples(address)[0],
            key=first_key(self._services),
            no_key=NO_KEY,
            command=self._services.command,
        )

    def _group(self, found: Sequence[StoredAnomaly]) -> Group:
        return Group(
            [tell(self._services, one) for one in found[:MOST_OF_GROUP]],
            found[MOST_OF_GROUP:],
            any(one.ended is None for one in found),
            min(one.started for one in found),
        )

    def _progress(self, now: int) -> Mapping[str, Any] | None:
        """Say how far the first metric to be judged is; None once there is a verdict."""
        counts = self._services.knowledge.bank.counts.copy()
        if not len(counts) or int(counts.max()) >= WARMUP:
            return None
        first = int(np.argmax(counts))
        status = self._services.knowledge.status(first, now)
        ready_at = None if status.ready_in is None else now + status.ready_in
        return {"datapoints": int(counts.max()), "of": WARMUP, "ready_at": ready_at}


def ranked(found: Sequence[StoredAnomaly]) -> list[list[StoredAnomaly]]:
    """Group what began together; first what lasts, then by how unusual it is, minor ones last."""
    groups = [
        sorted((found[place] for place in group), key=_rank)
        for group in together(one.started for one in found)
    ]
    return sorted(groups, key=lambda group: min(_rank(one) for one in group))


def _rank(one: StoredAnomaly) -> tuple[bool, bool, float]:
    return one.ended is not None, one.severity == "low", -one.score
