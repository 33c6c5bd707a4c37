"""/settings/silence: what nobody is told of, muted or expected; it stays visible."""

import calendar
import functools
import time

import falcon

from fluxd.core.errors import BadRequestError, FluxdError, NotFoundError
from fluxd.core.hush import MOST_NAME, Scope, Window, checked_window
from fluxd.store.connection import Connection
from fluxd.store.hushes import (
    add_mute,
    add_window,
    look_again,
    read_muted,
    read_mutes,
    read_windows,
    remove_mute,
    remove_window,
)
from fluxd.store.series import mute_series
from fluxd.web.api_anomalies import number_of
from fluxd.web.api_events import AHEAD_S, LONGEST_TITLE
from fluxd.web.api_parameters import MAX_SECOND
from fluxd.web.channel_forms import Form, read_globs
from fluxd.web.examples import deploy_example
from fluxd.web.page_integrations import NO_KEY, address_of, first_key
from fluxd.web.page_settings import SettingsPage
from fluxd.web.sessions import form_of

# For how long (s) one may mute; None for good.
LENGTHS: dict[str, tuple[str, int | None]] = {
    "1h": ("an hour", 3_600),
    "8h": ("8 hours", 28_800),
    "1d": ("a day", 86_400),
    "1w": ("a week", 604_800),
    "good": ("good", None),
}
SCOPES: dict[Scope, str] = {
    "metric": "one metric",
    "glob": "metrics by a pattern",
    "sender": "all of a sender",
}

MOST_MUTED = 200
LONGEST_REASON = 200
MINUTE_S, DAY_S = 60, 86_400
MOST_MINUTES, MOST_OFFSET = 60 * 24 * 366, 14 * 60

# Windows that were over for less (s) are still shown.
BEHIND_S = DAY_S


class SilencePage(SettingsPage):
    """The page; its forms mute, expect, and take both back."""

    address = "/settings/silence"
    template = "silence.html"

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show what is silent; ?metric=NAME or ?glob=… fills the form in."""
        form: dict[str, str] = {}
        for name in ("metric", "glob"):
            given = req.params.get(name)
            if isinstance(given, str):
                form = {"scope": name, "pattern": given[:MOST_NAME]}
        self._show(req, resp, form=form)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Do what the form says."""
        form = form_of(req)
        run, now = self._services.store.writer.run, int(self._services.clock())
        number = number_of(form.get("id", ""))
        try:
            match form.get("action"):
                case "mute":
                    self._mute(form, now)
                case "expect":
                    window = self._window(form, now)
                    run(functools.partial(add_window, window=window, now=now))
                case "remove-mute":
                    run(functools.partial(remove_mute, mute=number))
                case "remove-window":
                    run(functools.partial(remove_window, window=number))
                case "unmute":
                    run(functools.partial(_hear_again, name=form.get("name", "")))
        except (BadRequestError, NotFoundError) as error:
            self._show(req, resp, fault=error, form=form)
            return
        self.again(resp)

    def _mute(self, form: Form, now: int) -> None:
        scope: Scope = next((one for one in SCOPES if one == form.get("scope")), "metric")
        pattern, reason = form.get("pattern", "").strip(), form.get("reason", "").strip()
        if not 1 <= len(pattern) <= MOST_NAME:
            raise BadRequestError(f"say what to mute, in 1 to {MOST_NAME} characters")
        if len(reason) > LONGEST_REASON:
            raise BadRequestError(f"a reason has at most {LONGEST_REASON} characters")
        if scope == "sender" and pattern not in self._senders():
            raise BadRequestError(
                f"there is no key {pattern[:40]!r}: a sender is muted by its key's name, which "
                "Settings, Keys lists"
            )
        _, length = LENGTHS.get(form.get("length", ""), LENGTHS["1h"])
        until = None if length is None else now + length
        self._services.store.writer.run(
            functools.partial(
                add_mute, scope=scope, pattern=pattern, until=until, reason=reason, now=now
            )
        )

    def _window(self, form: Form, now: int) -> Window:
        title = form.get("title", "").strip()
        if len(title) > LONGEST_TITLE or not title.isprintable():
            raise BadRequestError(f"a title is a line of at most {LONGEST_TITLE} characters")
        text = form.get("minutes", "").strip()
        minutes = (
            int(text) if text.isascii() and text.isdigit() and len(text) <= len("999999") else 0
        )
        if not 1 <= minutes <= MOST_MINUTES:
            raise BadRequestError(f"it lasts from 1 to {MOST_MINUTES:,} minutes")
        began = self._began(form, now)
        return checked_window(
            title,
            began,
            min(began + MINUTE_S * minutes, MAX_SECOND),
            read_globs(form.get("metrics", "")),
            weekly=bool(form.get("weekly")),
        )

    def _began(self, form: Form, now: int) -> int:
        """Return the time that was chosen (Unix s), now without one.

        It is by the browser's clock where its script has said how far that is from UTC (minutes),
        else by fluxd's own.
        """
        text, offset = form.get("begins", "").strip(), form.get("offset", "").strip()
        if not text:
            return now
        try:
            local = calendar.timegm(time.strptime(text[:16], "%Y-%m-%dT%H:%M"))
            ahead = int(offset[:6]) if offset else None
        except ValueError:
            raise BadRequestError("the beginning is written as 2026-11-28T22:30") from None
        if ahead is None or abs(ahead) > MOST_OFFSET:
            began = local - self._services.knowledge.bank.local.offset(local)
        else:
            began = local - MINUTE_S * ahead
        return min(max(began, 0), MAX_SECOND)

    def _senders(self) -> list[str]:
        keys = self._services.store.keys.valid()
        return [key.name for key in keys if key.scope == "ingest"]

    def _show(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        *,
        fault: FluxdError | None = None,
        form: Form | None = None,
    ) -> None:
        now = int(self._services.clock())
        with self._services.store.read() as reader:
            mutes, muted = read_mutes(reader, now), read_muted(reader, limit=MOST_MUTED + 1)
            windows = read_windows(reader, now - BEHIND_S, MAX_SECOND, self._services.local)
        self.show(
            resp,
            fault=fault,
            form=form or {},
            now=now,
            mutes=mutes,
            muted=muted[:MOST_MUTED],
            more_muted=len(muted) > MOST_MUTED,
            windows=[(one, _next(one, now)) for one in windows],
            scopes=SCOPES,
            lengths=LENGTHS,
            senders=self._senders(),
            example=deploy_example(address_of(req)),
            key=first_key(self._services),
            no_key=NO_KEY,
        )


def _next(window: Window, now: int) -> tuple[int, int]:
    """Return when a window holds now or next (Unix s), or did last."""
    times = window.times(now, now + AHEAD_S, most=1)
    return times[0] if times else (window.started, window.ended)


def _hear_again(connection: Connection, name: str) -> None:
    mute_series(connection, name, muted=False)
    look_again(connection)
