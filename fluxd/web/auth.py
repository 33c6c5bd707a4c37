"""Who may read: a key of scope `read`, sent as `Authorization: Bearer <key>`."""

import logging
import math
import threading
from collections.abc import Callable
from typing import Any

import falcon

from fluxd.core.errors import UnauthorisedError
from fluxd.store.keys import KeyRing

log = logging.getLogger(__name__)

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
    """Falcon middleware that lets a request pass to a resource only with a read key.

    `open_to_all` are the kinds of resource that ask for none, or for a key in their own way. What
    isn't named is guarded, so a route that is added later can't be open by oversight; and the
    resource decides, not the path: the router finds the same one behind `/api` and `//api`.
    """

    def __init__(
        self, keys: KeyRing, wrong_keys: WrongKeys, *, open_to_all: tuple[type, ...]
    ) -> None:
        self._keys = keys
        self._wrong_keys = wrong_keys
        self._open_to_all = open_to_all

    def process_resource(
        self,
        req: falcon.Request,
        _resp: falcon.Response,
        resource: object,
        _params: dict[str, Any],
    ) -> None:
        """Raise UnauthorisedError unless the request may go on."""
        if isinstance(resource, self._open_to_all):
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
