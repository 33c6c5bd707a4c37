"""GET /api/v1/metrics/{metric}/sensitivity: what would be reported of a metric now."""

import dataclasses
import time
from typing import Any

import falcon

from fluxd.core.errors import UnavailableError
from fluxd.core.probe import Sensitivity, probe, sentence
from fluxd.web.api_answers import write_json
from fluxd.web.api_metrics import find_metric, status_of
from fluxd.web.api_parameters import Parameters
from fluxd.web.services import Services

# A step of the analysis takes 0.15 s; between two of them a state can be read.
TRY_AGAIN_S = 0.005
TRIES = 200


class SensitivityResource:
    """GET /api/v1/metrics/{metric}/sensitivity: the smallest spike, drop and shift."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response, metric: str) -> None:
        """Answer the numbers, null before the first verdict and amid an anomaly, and a sentence."""
        Parameters(req)
        services = self._services
        series, name = find_metric(services.store.catalog, metric)
        odd = services.knowledge.stretches.lasts(series)
        # What the detector expects amid an anomaly says nothing of what it will notice after it.
        found = None if odd else self._probe(series)
        if odd:
            told = "it is odd now: what would be noticed is worked out again when that is over"
        elif found is None:
            status = status_of(services, series, int(services.clock()))
            told = f"nothing would be reported yet: {status.progress}"
        else:
            told = sentence(found)
        write_json(resp, {"metric": name, **_members(found), "sentence": told})

    def _probe(self, series: int) -> Sensitivity | None:
        knowledge = self._services.knowledge
        if series >= len(knowledge.bank):
            return None
        state = self._state(series)
        return probe(state, threshold=knowledge.bank.threshold, local=knowledge.bank.local)

    def _state(self, series: int) -> bytes:
        """Return the detector's state of a metric. Raises UnavailableError where it never rests."""
        for _ in range(TRIES):
            state = self._services.knowledge.snapshot(series)
            if state is not None:
                return state
            time.sleep(TRY_AGAIN_S)
        raise UnavailableError("the analysis is busy: ask again")


def _members(found: Sensitivity | None) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(Sensitivity)]
    return {name: None if found is None else getattr(found, name) for name in names}
