"""GET /healthz: whether fluxd does its work, and if not, what to do about it."""

import falcon

from fluxd.core.errors import FluxdError
from fluxd.core.retention import DAY_S
from fluxd.core.wording import span
from fluxd.store.deliveries import count_given_up, read_conditions, read_names
from fluxd.store.metrics import page_metrics
from fluxd.web.api_answers import write_json
from fluxd.web.services import Services

# A turn of the scheduler takes a second at most, but for a replay's largest step.
MAX_TICK_AGE_S = 30.0

# A service that is restarted, or a link that is down, is back by then (s).
MAX_FAILING_S = 600


class HealthResource:
    """GET /healthz: 200 when datapoints are stored, read and analysed, else 503 and why."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the state, without asking for a key."""
        del req
        now = self._services.clock()
        reasons = failures(self._services, now)
        answer = {
            "status": "failing" if reasons else "ok",
            "reasons": reasons,
            "warnings": warnings(self._services, now),
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


def warnings(services: Services, now: float) -> list[str]:
    """Return what will fail before long or reaches nobody, each with its mend."""
    return services.bounds.warnings() + _unsent(services, int(now))


def _unsent(services: Services, now: int) -> list[str]:
    """Say which messages don't arrive; a store that can't be read is among the failures."""
    try:
        with services.store.read() as reader:
            names = read_names(reader)
            conditions = read_conditions(reader)
            given_up = count_given_up(reader, now - DAY_S)
    except Exception:  # noqa: BLE001  # a health check answers whatever is broken
        return []
    told = [
        f"the channel {names[channel]} has failed for {span(now - one.failing)}: "
        "Settings, Notifications says why, and has a test"
        for channel, one in conditions.items()
        if now - one.failing > MAX_FAILING_S
    ]
    return told + [
        f"{count:,} message{'s' if count > 1 else ''} to {name} {'were' if count > 1 else 'was'} "
        "given up in the last day: Settings, Notifications says why"
        for name, count in given_up.items()
    ]
