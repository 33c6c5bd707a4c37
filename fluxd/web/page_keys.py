"""/settings/keys: keys are created and revoked, and what each of them got wrong is shown."""

from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

import falcon

from fluxd.core.errors import BadRequestError, FluxdError, NotFoundError, StoreError
from fluxd.core.keys import Scope
from fluxd.store.connection import Connection
from fluxd.store.keys import add_key, list_keys, read_seen, revoke_key
from fluxd.store.rejections import Rejection
from fluxd.web.fixes import fix_of
from fluxd.web.page_settings import SettingsPage
from fluxd.web.sessions import form_of

Done = TypeVar("Done")

MOST_DIGITS = 20  # of a quota; what is too large of these is refused with the bounds


class KeysResource(SettingsPage):
    """The page; its forms create and revoke."""

    address = "/settings/keys"
    template = "keys.html"

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the keys, without their secrets."""
        del req
        self._show(resp)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Create a key and show it, or revoke one."""
        form = form_of(req)
        try:
            if form.get("action") == "revoke":
                self._revoke(form.get("name", ""))
                self.again(resp)
            else:
                secret = self._create(form)
                self._show(resp, created=form.get("name", "").strip(), secret=secret)
        except (BadRequestError, NotFoundError, StoreError) as error:
            self._show(resp, fault=error, form=form)

    def _create(self, form: dict[str, str]) -> str:
        now = int(self._services.clock())
        quota = form.get("quota", "").strip()
        if quota and not (quota.isascii() and quota.isdigit() and len(quota) <= MOST_DIGITS):
            raise BadRequestError(f"invalid quota {quota[:20]!r}: give a number of metrics")
        scope: Scope = "read" if form.get("scope") == "read" else "ingest"
        name, prefix = form.get("name", "").strip(), form.get("prefix", "").strip()
        return self._change(
            lambda writer: add_key(
                writer,
                name,
                now=now,
                prefix=prefix or None,
                quota=int(quota) if quota else None,
                scope=scope,
            )
        )

    def _revoke(self, name: str) -> None:
        now = int(self._services.clock())
        self._change(lambda writer: revoke_key(writer, name, now=now))

    def _change(self, work: Callable[[Connection], Done]) -> Done:
        """Change keys in the store, and have the change at once."""
        store = self._services.store
        done = store.writer.run(work)
        store.writer.run(store.keys.load)
        return done

    def _show(
        self,
        resp: falcon.Response,
        *,
        fault: FluxdError | None = None,
        form: dict[str, str] | None = None,
        created: str = "",
        secret: str | None = None,
    ) -> None:
        store = self._services.store
        with store.read() as reader:
            records, seen = list_keys(reader), read_seen(reader) | store.keys.seen
        ledger: dict[str, list[tuple[Rejection, str]]] = defaultdict(list)
        for rejection in store.rejections.rows():
            ledger[rejection.key].append((rejection, fix_of(rejection)))
        valid = [record for record in records if record.revoked is None]
        names = {record.key.name for record in valid}
        self.show(
            resp,
            fault=fault,
            form=form or {},
            created=created,
            secret=secret,
            records=valid,
            seen=seen,
            revoked=[record for record in records if record.revoked is not None],
            ledger=[(name, rows) for name, rows in ledger.items() if name in names],
            nameless=ledger.get("", []),
        )
