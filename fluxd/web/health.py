"""GET /healthz: whether fluxd does its work, and if not, what to do about it."""

import falcon

from fluxd.core.errors import FluxdError
from fluxd.store.metrics import page_metrics
from fluxd.web.api_answers import write_json
from fluxd.web.services import Services

# A turn of the scheduler takes a second at most, but for a replay's largest step.
MAX_TICK_AGE_S = 30.0


class HealthResource:
    """GET /healthz: 200 when datapoints are stored, read and analysed, else 503 and why."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the state, without asking for a key."""
        del req
        reasons = failures(self._services, self._services.clock())
        answer = {
            "status": "failing" if reasons else "ok",
            "reasons": reasons,
            "warnings": warnings(self._services),
        }
        resp.status = falcon.HTTP_503 if reasons else falcon.HTTP_200
        write_json(resp, answer)

    on_head = on_get


def failures(services: Services, now: float) -> list[str]:
    """Return what is wrong at `now` (Unix s), each with its mend; nothing when all is well."""
    reasons = []
    writer = services.store.writer
    if not writer.alive:
        reasons.append("the writer has ended, nothing is stored: restart fluxd, its log says why")
    reasons += [text for text in (writer.refusing, writer.faults.present) if text is not None]
    try:
        with services.store.read() as reader:
            page_metrics(reader, limit=1)
    except FluxdError as error:
        reasons.append(
            f"{error.message}: `fluxd doctor` looks at the data directory's permissions and disk"
        )
    except Exception as error:  # noqa: BLE001  # a health check answers whatever is broken
        reasons.append(
            f"the store can't be read ({type(error).__name__}): run `fluxd check`, and where it "
            "finds damage `fluxd restore FILE` with a backup"
        )
    age = now - services.last_tick()
    if age > MAX_TICK_AGE_S:
        reasons.append(
            f"the scheduler has done nothing for {age:.0f} s, nothing is analysed: "
            "restart fluxd if that lasts, its log says why"
        )
    return reasons


def warnings(services: Services) -> list[str]:
    """Return what will fail before long, each with its mend: limits of the store, a full disk."""
    return services.bounds.warnings()
