"""/settings/access: the password, and the browsers that are signed in."""

import falcon

from fluxd.core.errors import BadRequestError, FluxdError
from fluxd.store.logins import (
    SHORTEST_PASSWORD,
    end_other_sessions,
    has_password,
    remove_password,
    set_password,
)
from fluxd.web.page_settings import SettingsPage
from fluxd.web.sessions import form_of


class AccessResource(SettingsPage):
    """The page; its forms set and remove the password, and sign other browsers out."""

    address = "/settings/access"
    template = "access.html"

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show how one gets in."""
        del req
        self._show(resp)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Do what the form says. A new password ends all other sessions: theirs was the old one."""
        form = form_of(req)
        action = form.get("action")
        if action == "set":
            try:
                self._set(form)
            except BadRequestError as error:
                self._show(resp, fault=error)
                return
            notice = "The password is set. Other browsers are signed out."
        elif action == "remove":
            self._services.store.writer.run(remove_password)
            notice = "The password is removed: only links sign in."
        else:
            notice = "Other browsers are signed out."
        self._end_others(resp)
        self._show(resp, notice=notice)

    def _set(self, form: dict[str, str]) -> None:
        password = form.get("password", "")
        if password != form.get("again", ""):
            raise BadRequestError("the two passwords differ: type the same twice")
        self._services.store.writer.run(lambda writer: set_password(writer, password))

    def _end_others(self, resp: falcon.Response) -> None:
        store, digest = self._services.store, resp.context.session.digest
        store.writer.run(lambda writer: end_other_sessions(writer, digest))
        store.writer.run(store.sessions.load)

    def _show(
        self, resp: falcon.Response, *, fault: FluxdError | None = None, notice: str = ""
    ) -> None:
        store = self._services.store
        with store.read() as reader:
            password = has_password(reader)
        self.show(
            resp,
            fault=fault,
            notice=notice,
            password=password,
            shortest=SHORTEST_PASSWORD,
            sessions=store.sessions.count(self._services.clock()),
        )
