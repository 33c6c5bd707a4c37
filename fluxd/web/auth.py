"""Who may read: a key of scope `read`, as `Authorization: Bearer <key>`, or a signed-in browser.

What a sender may change, it changes with its own key; all else is changed by browsers alone.
"""

import logging
import math
import threading
from collections.abc import Callable
from typing import Any

import falcon

from fluxd.core.errors import UnauthorisedError
from fluxd.core.keys import Key, Scope
from fluxd.web.entry import check_host, show_sign_in
from fluxd.web.hosts import Hosts
from fluxd.web.pages import Page
from fluxd.web.services import Services
from fluxd.web.sessions import SAFE_METHODS, Sessions

log = logging.getLogger(__name__)

# A sender with a stale key tries for ever; its line stands in the log this often.
LOG_EVERY_S = 60.0


class TakesIngestKeys:
    """Marks a resource that changes what a sender may change: its key is let in to do so."""


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
    """Falcon middleware that lets a request pass with a read key or a session only.

    `open_to_all` are the kinds of resource that ask for none, or for a key in their own way. What
    isn't named is guarded, so a route that is added later can't be open by oversight; and the
    resource decides, not the path: the router finds the same one behind `/api` and `//api`.

    A read key only reads. A session also changes, if the request comes from one of our own pages;
    a key of scope `ingest` does where the resource takes it, which finds it as `req.context.key`.
    """

    def __init__(
        self,
        services: Services,
        sessions: Sessions,
        wrong_keys: WrongKeys,
        *,
        open_to_all: tuple[type, ...],
    ) -> None:
        self._services = services
        self._sessions = sessions
        self._hosts = Hosts(services.hosts)
        self._wrong_keys = wrong_keys
        self._open_to_all = open_to_all

    def process_resource(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        resource: object,
        _params: dict[str, Any],
    ) -> None:
        """Raise an error, or answer with the sign-in page, unless the request may go on."""
        req.context.page = isinstance(resource, Page)
        req.context.key = None
        if isinstance(resource, self._open_to_all):
            return
        if req.context.page:
            check_host(req, self._hosts)
        session = self._sessions.find(req, self._services.clock())
        resp.context.session = session
        if req.method not in SAFE_METHODS:
            if session is not None:
                self._sessions.check_change(req, session)
                return
            if isinstance(resource, TakesIngestKeys):
                req.context.key = self._find_key(req, "ingest", req.get_header("key"))
                if req.context.key is not None:
                    return
        elif session is not None or self._find_key(req, "read") is not None:
            return
        if not req.context.page:
            raise UnauthorisedError("invalid key")
        show_sign_in(resp, self._services)
        resp.complete = True

    def _find_key(self, req: falcon.Request, scope: Scope, given: str | None = None) -> Key | None:
        secret = given or bearer(req.get_header("Authorization"))
        if secret is None:
            return None
        key = self._services.store.keys.find(secret)
        if key is not None and key.scope == scope:
            self._services.store.keys.seen[key.id] = int(self._services.clock())
            return key
        self._wrong_keys.note(req.remote_addr)
        return None


def bearer(header: str | None) -> str | None:
    """Return the secret in an Authorization header, or None where there is none.

    >>> bearer("Bearer abc")
    'abc'
    """
    scheme, _, secret = (header or "").strip().partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None
