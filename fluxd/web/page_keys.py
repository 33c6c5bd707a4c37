"""/settings/keys: keys are created and revoked, and what each of them got wrong is shown."""

from collections import defaultdict

import falcon

from fluxd.core.errors import BadRequestError, NotFoundError, StoreError
from fluxd.core.keys import Scope
from fluxd.store.keys import add_key, list_keys, read_seen, revoke_key
from fluxd.store.rejections import Rejection
from fluxd.web.fixes import fix_of
from fluxd.web.pages import Page, render
from fluxd.web.services import Services
from fluxd.web.sessions import form_of

PATH = "/settings/keys"


class KeysResource(Page):
    """The page; its forms create and revoke."""

    def __init__(self, services: Services) -> None:
        self._services = services

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
                resp.status = falcon.HTTP_303
                resp.set_header("Location", PATH)
            else:
                secret = self._create(form)
                self._show(resp, created=form.get("name", "").strip(), secret=secret)
        except (BadRequestError, NotFoundError, StoreError) as error:
            fault = f"{error.message[:1].upper()}{error.message[1:]}."
            self._show(resp, status=400, fault=fault, form=form)

    def _create(self, form: dict[str, str]) -> str:
        store, now = self._services.store, int(self._services.clock())
        quota = form.get("quota", "").strip()
        if quota and not (quota.isascii() and quota.isdigit()):
            raise BadRequestError(f"invalid quota {quota[:20]!r}: give a number of metrics")
        scope: Scope = "read" if form.get("scope") == "read" else "ingest"
        name, prefix = form.get("name", "").strip(), form.get("prefix", "").strip()
        secret = store.writer.run(
            lambda writer: add_key(
                writer,
                name,
                now=now,
                prefix=prefix or None,
                quota=int(quota) if quota else None,
                scope=scope,
            )
        )
        store.writer.run(store.keys.load)
        return secret

    def _revoke(self, name: str) -> None:
        store, now = self._services.store, int(self._services.clock())
        store.writer.run(lambda writer: revoke_key(writer, name, now=now))
        store.writer.run(store.keys.load)

    def _show(self, resp: falcon.Response, *, status: int = 200, **more: object) -> None:
        store = self._services.store
        with store.read() as reader:
            records, seen = list_keys(reader), read_seen(reader) | store.keys.seen
        ledger: dict[str, list[tuple[Rejection, str]]] = defaultdict(list)
        for rejection in store.rejections.rows():
            ledger[rejection.key].append((rejection, fix_of(rejection)))
        valid = [record for record in records if record.revoked is None]
        names = {record.key.name for record in valid}
        render(
            resp,
            "keys.html",
            status=status,
            page=PATH,
            records=valid,
            seen=seen,
            revoked=[record for record in records if record.revoked is not None],
            ledger=[(name, rows) for name, rows in ledger.items() if name in names],
            nameless=ledger.get("", []),
            **{"created": None, "secret": None, "fault": "", "form": {}, **more},
        )
