"""/settings/notifications: who is told, of what, and what became of the last messages."""

import functools
import threading

import falcon

from fluxd.core.errors import (
    BadRequestError,
    ChannelError,
    FluxdError,
    NotFoundError,
    TooManyAttemptsError,
)
from fluxd.core.message import SEVERITIES
from fluxd.core.sending import DIGESTS
from fluxd.notify.kinds import KINDS
from fluxd.store.channels import (
    StoredChannel,
    add_channel,
    change_channel,
    delete_channel,
    get_channel,
    read_channels,
    switch_channel,
)
from fluxd.store.deliveries import read_conditions, read_last, read_names
from fluxd.store.outbox import read_entries
from fluxd.web.api_anomalies import number_of
from fluxd.web.channel_forms import filled, find_kind, policy, read_channel, shown
from fluxd.web.page_settings import SettingsPage
from fluxd.web.services import Services
from fluxd.web.sessions import form_of

MESSAGES = 50


class NotificationsPage(SettingsPage):
    """The page; its forms add, change, test, switch off and delete channels."""

    address = "/settings/notifications"
    template = "notifications.html"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._one_at_a_time = threading.Lock()  # a test takes a thread that agents could use

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the channels, and with ?add=KIND or ?edit=ID a form."""
        adding, editing = req.params.get("add"), req.params.get("edit")
        if isinstance(adding, str) and adding in KINDS:
            self._show(resp, kind=adding)
        elif isinstance(editing, str):
            channel = self._own(editing)
            self._show(resp, editing=channel, form=filled(channel))
        else:
            self._show(resp)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Do what the form says."""
        form = form_of(req)
        action = form.get("action", "")
        if action == "save":
            self._save(resp, form)
            return
        if action == "test":
            self._test(resp, self._find(form.get("id", "")))
            return
        run, now = self._services.store.writer.run, int(self._services.clock())
        channel = self._own(form.get("id", ""))
        if action == "delete":
            run(functools.partial(delete_channel, number=channel.id, now=now))
        elif action in ("enable", "disable"):
            on = action == "enable"
            run(functools.partial(switch_channel, number=channel.id, on=on, now=now))
        self.again(resp)

    def _save(self, resp: falcon.Response, form: dict[str, str]) -> None:
        run, now = self._services.store.writer.run, int(self._services.clock())
        old = self._own(form["id"]) if form.get("id") else None
        kind = find_kind(form.get("kind", "") if old is None else old.kind)
        try:
            channel = read_channel(form, old)
            if old is None:
                run(functools.partial(add_channel, channel=channel, now=now))
            else:
                run(functools.partial(change_channel, channel=channel))
        except (BadRequestError, ChannelError) as error:
            bare = {name: text for name, text in form.items() if not _is_secret(kind.name, name)}
            self._show(resp, fault=error, kind=kind.name, editing=old, form=bare)
            return
        self.again(resp)

    def _test(self, resp: falcon.Response, channel: StoredChannel) -> None:
        if not self._one_at_a_time.acquire(blocking=False):
            raise TooManyAttemptsError("another test is being sent: try again", retry_after_s=5)
        try:
            arrived, answer = self._services.send_test(channel)
        finally:
            self._one_at_a_time.release()
        self._show(resp, tested=(channel, arrived, answer))

    def _find(self, given: str) -> StoredChannel:
        with self._services.store.read() as reader:
            channel = get_channel(reader, number_of(given))
        if channel is None:
            raise NotFoundError("there is no such channel: somebody deleted it perhaps")
        return channel

    def _own(self, given: str) -> StoredChannel:
        """Return a channel that the page may change: the file's are for the file."""
        channel = self._find(given)
        if channel.from_file:
            raise BadRequestError(
                f"the channel {channel.name} is in the configuration file: change it there"
            )
        return channel

    def _show(
        self,
        resp: falcon.Response,
        *,
        fault: FluxdError | None = None,
        kind: str | None = None,
        editing: StoredChannel | None = None,
        form: dict[str, str] | None = None,
        tested: tuple[StoredChannel, bool, str] | None = None,
    ) -> None:
        with self._services.store.read() as reader:
            channels = read_channels(reader)
            conditions, last = read_conditions(reader), read_last(reader)
            names = read_names(reader)
            entries = read_entries(reader, limit=MESSAGES)
        kind = kind if editing is None else editing.kind
        self.show(
            resp,
            fault=fault,
            channels=[(one, policy(one), shown(one)) for one in channels],
            conditions=conditions,
            last=last,
            names=names,
            entries=entries,
            kinds=KINDS,
            kind=None if kind is None else KINDS[kind],
            editing=editing,
            kept={} if editing is None else dict(shown(editing)),
            form=form or {},
            wrong=getattr(fault, "field", ""),
            severities=SEVERITIES,
            digests=DIGESTS,
            tested=tested,
        )


def _is_secret(kind: str, name: str) -> bool:
    """Whether a form's field is one that is never shown again."""
    return any(one.secret and name == f"f-{one.name}" for one in KINDS[kind].fields)
