"""GET /: what is odd now and was in the last day, or that all is quiet, or how to begin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import falcon
import numpy as np

from fluxd.core.detect import WARMUP
from fluxd.core.hush import HISTORY
from fluxd.core.retention import DAY_S
from fluxd.store.anomalies import StoredAnomaly
from fluxd.store.incident_list import StoredIncident, read_present
from fluxd.store.odd import count_odd, last_end, read_alone
from fluxd.web.examples import examples
from fluxd.web.incident_stories import tell_incident
from fluxd.web.page_integrations import NO_KEY, address_of, first_key
from fluxd.web.page_stories import tell
from fluxd.web.pages import Page, render
from fluxd.web.services import Services

# Incidents that are looked at; that are shown with their charts; and of what is silent.
MOST_READ = 200
MOST_SHOWN = 20
MOST_SILENT = 50

# What is over is shown with its leading metric's chart alone.
OVER_EXHIBITS = 1


@dataclass(frozen=True, slots=True)
class Present:
    """What there is: lasting, not grouped yet, over, and what nobody wants to hear of.

    Of what is lasting so many metrics are odd now, `odd`: some of it may be over.
    """

    lasting: Sequence[StoredIncident]
    alone: Sequence[StoredAnomaly]
    over: Sequence[StoredIncident]
    silent: Sequence[StoredIncident]
    odd: int = 0

    @property
    def odd_now(self) -> int:
        """How many metrics are odd now."""
        names = {one.metric for one in self.alone if one.ended is None}
        return max(self.odd, len(self.lasting)) + len(names)


class NowPage(Page):
    """The page."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the page; it asks for itself again every few seconds."""
        services, now = self._services, int(self._services.clock())
        address = address_of(req)
        with services.store.read() as reader:
            found = read_present(reader, since=now - DAY_S, limit=MOST_READ)
            alone = read_alone(reader, since=now - DAY_S, limit=MOST_SHOWN)
            quiet_since = last_end(reader)
            present = sort_out(found, alone)
            odd = count_odd(reader, [one.id for one in present.lasting])
        present = replace(present, odd=odd)
        room = max(0, MOST_SHOWN - len(present.lasting))
        render(
            resp,
            "now.html",
            section="Now",
            now=now,
            odd_now=present.odd_now,
            lasting=[tell_incident(services, one) for one in present.lasting[:MOST_SHOWN]],
            alone=[tell(services, one) for one in present.alone],
            over=[
                tell_incident(services, one, exhibits=OVER_EXHIBITS) for one in present.over[:room]
            ],
            silent=present.silent[:MOST_SILENT],
            hidden=max(0, len(present.lasting) + len(present.over) - MOST_SHOWN),
            quiet_since=quiet_since,
            states=services.states(),
            metrics=len(services.store.catalog),
            progress=self._progress(now),
            address=address,
            example=examples(address)[0],
            key=first_key(services),
            no_key=NO_KEY,
            command=services.command,
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


def sort_out(found: Sequence[StoredIncident], alone: Sequence[StoredAnomaly]) -> Present:
    """Say what comes where: what nobody knows of before what somebody has acknowledged."""
    heard = [one for one in found if one.silent in (None, HISTORY)]
    lasting = sorted(
        (one for one in heard if one.ended is None), key=lambda one: one.state != "open"
    )
    over = sorted(
        (one for one in heard if one.ended is not None),
        key=lambda one: one.ended or 0,
        reverse=True,
    )
    return Present(lasting, alone, over, [one for one in found if one not in heard])
