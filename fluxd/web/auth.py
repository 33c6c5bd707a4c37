"""Who may read: a key of scope `read`, sent as `Authorization: Bearer <key>`."""

import logging
import math
import threading
from collections.abc import Callable

import falcon

from fluxd.core.errors import UnauthorisedError
from fluxd.store.keys import KeyRing

log = logging.getLogger(__name__)

# Everything below needs a read key, so that a route that is added later can't be open by oversight.
GUARDED = "/api/"

# A sender with a stale key tries for ever; its line stands in the log this often.
LOG_EVERY_S = 60.0


class WrongKeys:
    """Counts keys that were refused, and logs them at a bounded rate. Never the keys themselves."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.count = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._logged_at = -math.inf
        self._logged_count = 0

    def note(self, address: str) -> None:
        """Count a wrong key that came from `address`."""
        now = self._clock()
        with self._lock:
            self.count += 1
            since = self.count - self._logged_count
            if now - self._logged_at < LOG_EVERY_S:
                return
            self._logged_at, self._logged_count = now, self.count
        log.warning("wrong key from %s (%d since the last such line)", address, since)


class ReadAccess:
    """Falcon middleware that lets a request below `/api/` pass only with a read key."""

    def __init__(self, keys: KeyRing, wrong_keys: WrongKeys) -> None:
        self._keys = keys
        self._wrong_keys = wrong_keys

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Raise UnauthorisedError unless the request may go on."""
        if not req.path.startswith(GUARDED):
            return
        secret = bearer(req.get_header("Authorization"))
        if secret is not None:
            key = self._keys.find(secret)
            if key is not None and key.scope == "read":
                return
            self._wrong_keys.note(req.remote_addr)
        raise UnauthorisedError("invalid key")


def bearer(header: str | None) -> str | None:
    """Return the secret in an Authorization header, or None where there is none.

    >>> bearer("Bearer abc")
    'abc'
    """
    scheme, _, secret = (header or "").strip().partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None
