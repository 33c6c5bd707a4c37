"""The way in: a sign-in link that works once, the optional password, and the way out."""

import logging
import threading
from collections import deque

import falcon

from fluxd.core.errors import ForbiddenError, TooManyAttemptsError
from fluxd.store.logins import has_password, is_link, read_password, redeem_link
from fluxd.web.hosts import Hosts
from fluxd.web.pages import Page, render
from fluxd.web.services import Services
from fluxd.web.sessions import Sessions, form_of

log = logging.getLogger(__name__)

# A person mistypes a password a few times; at this rate a guesser has 2,900 tries a day.
MOST_FAILURES = 10
FAILURES_S = 300

# How long a sign-in waits for others' passwords to be checked.
PATIENCE_S = 2.0

# Addresses that failures are counted of; the one that failed longest ago gives way.
MOST_ADDRESSES = 10_000


class Attempts:
    """Counts failed sign-ins by address, so that nobody guesses for long.

    Behind a proxy all come from one address: a guesser can lock the password for everybody. A good
    link always works, since 256 random bits can't be guessed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: dict[str, deque[float]] = {}

    def check(self, who: str, now: float) -> None:
        """Raise TooManyAttemptsError while `who` has failed too often before `now` (Unix s)."""
        with self._lock:
            failures = self._failures.get(who)
            while failures and not now - FAILURES_S < failures[0] <= now:
                failures.popleft()
            if failures and len(failures) >= MOST_FAILURES:
                wait_s = max(1, int(failures[0] + FAILURES_S - now) + 1)
                raise TooManyAttemptsError(
                    f"too many failed attempts to sign in: wait {wait_s} s, or run `fluxd link`",
                    retry_after_s=wait_s,
                )

    def note(self, who: str, now: float) -> None:
        """Count a failure."""
        with self._lock:
            failures = self._failures.pop(who, None) or deque(maxlen=MOST_FAILURES)
            failures.append(now)
            self._failures[who] = failures
            if len(self._failures) > MOST_ADDRESSES:
                del self._failures[next(iter(self._failures))]


class SignInResource(Page):
    """GET /sign-in?token=…: the link; POST: the password; without either, how to get in."""

    def __init__(self, services: Services, sessions: Sessions) -> None:
        self._services = services
        self._sessions = sessions
        self._hosts = Hosts(services.hosts)
        self._attempts = Attempts()
        self._one_at_a_time = threading.Lock()  # scrypt takes 32 MB

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Sign in with the link's token, and go to the first page."""
        check_host(req, self._hosts)
        token = req.params.get("token")
        if token is None:
            show_sign_in(resp, self._services, status=200)
            return
        if self._redeem(token if isinstance(token, str) else ""):
            self._enter(req, resp)
            return
        now, who = self._services.clock(), f"link {req.remote_addr}"
        self._attempts.check(who, now)
        self._failed(who, now)
        fault = "This link was used already, or is older than ten minutes."
        show_sign_in(resp, self._services, fault=fault)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Sign in with the password."""
        check_host(req, self._hosts)
        self._sessions.check_origin(req)
        now, who = self._services.clock(), f"password {req.remote_addr}"
        self._attempts.check(who, now)
        with self._services.store.read() as reader:
            password = read_password(reader)
        given = form_of(req).get("password", "")
        if not self._one_at_a_time.acquire(timeout=PATIENCE_S):  # a thread that agents could use
            raise TooManyAttemptsError("others are signing in: try again", retry_after_s=5)
        try:
            self._attempts.check(who, now)  # others may have failed while this one waited
            right = password is not None and password.matches(given)
            if not right:
                self._failed(who, now)
        finally:
            self._one_at_a_time.release()
        if not right:
            show_sign_in(resp, self._services, fault="That is not the password.")
            return
        self._enter(req, resp)

    def _redeem(self, secret: str) -> bool:
        """Use a link up; whether it was good. A wrong one costs the writer nothing."""
        store, now = self._services.store, int(self._services.clock())
        with store.read() as reader:
            if not is_link(reader, secret, now):
                return False
        return store.writer.run(lambda writer: redeem_link(writer, secret, now))

    def _enter(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._sessions.begin(req, resp, int(self._services.clock()))
        resp.status = falcon.HTTP_303
        resp.set_header("Location", "/")

    def _failed(self, who: str, now: float) -> None:
        self._attempts.note(who, now)
        log.warning("a sign-in failed: %s", who)


class SignOutResource(Page):
    """POST /sign-out."""

    def __init__(self, services: Services, sessions: Sessions) -> None:
        self._services = services
        self._sessions = sessions

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """End the session and show the sign-in page."""
        del req
        self._sessions.end(resp, resp.context.session)
        resp.status = falcon.HTTP_303
        resp.set_header("Location", "/sign-in")


def check_host(req: falcon.Request, hosts: Hosts) -> None:
    """Raise ForbiddenError where a page is asked for under a name that isn't ours."""
    if not hosts.allow(req.get_header("Host")):
        raise ForbiddenError(
            "the pages are not shown under this name: use http://127.0.0.1 with fluxd's port, or "
            "add the name to server.hosts in fluxd.toml"
        )


def show_sign_in(
    resp: falcon.Response, services: Services, *, status: int = 401, fault: str = ""
) -> None:
    """Make the page the answer that says how to sign in."""
    with services.store.read() as reader:
        password = has_password(reader)
    render(resp, "sign_in.html", status=status, fault=fault, password=password)
