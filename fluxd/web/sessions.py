"""Sessions of browsers: the cookie, who it belongs to, and the token that each form has to send."""

import hashlib
import hmac
from dataclasses import dataclass

import falcon

from fluxd.core.errors import ForbiddenError
from fluxd.store import Store
from fluxd.store.logins import SESSION_S, add_session, end_session
from fluxd.web.hosts import Hosts

COOKIE = "fluxd_session"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Forms are a few hundred bytes.
MAX_FORM_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser; `csrf` is the token of its forms, which no other site can know."""

    digest: bytes
    csrf: str


class Sessions:
    """Finds, begins and ends the sessions of requests."""

    def __init__(self, store: Store, hosts: Hosts) -> None:
        self._store = store
        self._hosts = hosts

    def find(self, req: falcon.Request, now: float) -> Session | None:
        """Return the session of a request, None without one or under a name that isn't ours."""
        secret = req.cookies.get(COOKIE)
        if not secret or not self._hosts.allow(req.get_header("Host")):
            return None
        record = self._store.sessions.find(secret, now)
        return None if record is None else Session(record.digest, csrf_of(secret))

    def begin(self, req: falcon.Request, resp: falcon.Response, now: int) -> None:
        """Sign the browser in that gets this answer."""
        secret = self._store.writer.run(lambda writer: add_session(writer, now))
        self._store.writer.run(self._store.sessions.load)
        _set_cookie(req, resp, secret)

    def end(self, resp: falcon.Response, session: Session) -> None:
        """Sign the browser out that gets this answer."""
        self._store.writer.run(lambda writer: end_session(writer, session.digest))
        self._store.writer.run(self._store.sessions.load)
        resp.unset_cookie(COOKIE, same_site="Lax", path="/")

    def check_change(self, req: falcon.Request, session: Session) -> None:
        """Raise ForbiddenError unless a request that changes something comes from our own page."""
        self.check_origin(req)
        given = req.get_header("X-CSRF-Token") or form_of(req).get("csrf", "")
        if not hmac.compare_digest(given.encode(), session.csrf.encode()):
            raise ForbiddenError("this form is too old or not from here: load the page again")

    def check_origin(self, req: falcon.Request) -> None:
        """Raise ForbiddenError for a request that another site's page sends."""
        foreign = req.get_header("Sec-Fetch-Site") in ("cross-site", "same-site")
        if foreign or not self._hosts.allow_origin(req.get_header("Origin")):
            raise ForbiddenError("this was sent by the page of another site")


def _set_cookie(req: falcon.Request, resp: falcon.Response, secret: str) -> None:
    """Set the cookie: no script reads it, and other sites' forms and frames don't send it.

    Lax rather than Strict, or a link in a mail would lead to the sign-in page. Behind a proxy that
    takes TLS connections it never leaves by another.
    """
    resp.set_cookie(
        COOKIE,
        secret,
        max_age=SESSION_S,
        path="/",
        http_only=True,
        same_site="Lax",
        secure=req.get_header("X-Forwarded-Proto") == "https",
    )


def csrf_of(secret: str) -> str:
    """Return the token of a session's forms; the cookie can't be found from it."""
    return hmac.new(secret.encode(), b"fluxd form", hashlib.sha256).hexdigest()


def form_of(req: falcon.Request) -> dict[str, str]:
    """Return the fields of a form that was sent; read once, then kept with the request."""
    form: dict[str, str] | None = getattr(req.context, "form", None)
    if form is None:
        form = _read_form(req)
        req.context.form = form
    return form


def _read_form(req: falcon.Request) -> dict[str, str]:
    if (req.content_type or "").partition(";")[0].strip() != falcon.MEDIA_URLENCODED:
        return {}
    body: bytes = req.bounded_stream.read(MAX_FORM_BYTES + 1)
    if len(body) > MAX_FORM_BYTES:
        raise ForbiddenError("this form is too large")
    fields = falcon.uri.parse_query_string(
        body.decode("utf-8", "replace"), keep_blank=True, csv=False
    )
    return {name: v if isinstance(v, str) else v[-1] for name, v in fields.items()}
