"""/settings/integrations: examples for agents with address and key, and a datapoint sent now."""

import json
from typing import Any

import falcon

from fluxd.core.errors import FluxdError, NotFoundError
from fluxd.core.keys import Key
from fluxd.core.names import stored_name
from fluxd.ingest.flux import parse_post
from fluxd.store.datapoints import read_datapoints
from fluxd.web.api_answers import write_json
from fluxd.web.api_metrics import describe
from fluxd.web.examples import examples
from fluxd.web.flux_answers import Answers
from fluxd.web.page_settings import SettingsPage
from fluxd.web.services import Services
from fluxd.web.sessions import form_of

TEST_METRIC = "fluxd.test"
NO_KEY = "YOUR_KEY"


class IntegrationsResource(SettingsPage):
    """The page; its buttons show the key, and send a datapoint."""

    address = "/settings/integrations"
    template = "integrations.html"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self._answers = Answers(services)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the examples, the key's place in them left open."""
        name = req.params.get("key")
        self._show(req, resp, self._key(name if isinstance(name, str) else None))

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show them with the key, or send a datapoint with it and show what arrived."""
        form = form_of(req)
        key = self._key(form.get("key"))
        if key is None:
            raise NotFoundError("there is no key to send with: create one at /settings/keys")
        if form.get("action") == "send":
            self._show(req, resp, key, arrived=self._send(key))
        else:
            self._show(req, resp, key, secret=self._services.store.keys.secret_of(key.name))

    def _key(self, name: str | None) -> Key | None:
        """Return the key asked for, else the first that may send."""
        for key in sending_keys(self._services):
            if key.name == name:
                return key
        return first_key(self._services)

    def _show(
        self,
        req: falcon.Request,
        resp: falcon.Response,
        key: Key | None,
        *,
        secret: str | None = None,
        arrived: dict[str, Any] | None = None,
    ) -> None:
        address = address_of(req)
        self.show(
            resp,
            address=address,
            key=key,
            keys=sending_keys(self._services),
            examples=examples(address),
            no_key=NO_KEY,
            test_metric=TEST_METRIC,
            secret=secret,
            arrived=arrived,
        )

    def _send(self, key: Key) -> dict[str, Any]:
        """Send a datapoint as an agent would, and return what of it is in the store."""
        store, now = self._services.store, int(self._services.clock())
        body = json.dumps({"metric": TEST_METRIC, "timestamp": now, "value": 1}).encode()
        answer = falcon.Response()
        try:
            self._answers.answer(
                lambda: parse_post(
                    body,
                    store.keys.secret_of(key.name),
                    store.keys.find,
                    store.catalog.known,
                    now,
                    self._services.max_age,
                ),
                answer,
                now,
                key=key,
                test=False,
            )
        except FluxdError as error:
            return {"fault": error.message}
        if answer.status_code != 204:  # noqa: PLR2004
            return {"fault": json.loads(answer.text or "{}").get("error", "it was refused")}
        return self._arrived(stored_name(key.prefix, TEST_METRIC), now)

    def _arrived(self, name: str, second: int) -> dict[str, Any]:
        series = self._services.store.catalog.id_of(name)
        if series is None:
            return {"fault": f"{name} was deleted meanwhile"}
        with self._services.store.read() as reader:
            seconds, values = read_datapoints(reader, series, second, second, 1)
        if not len(seconds):
            return {"fault": f"{name} has no datapoint of that second"}
        told = describe(self._services, series, name)
        return {
            "fault": None,
            "metric": name,
            "time": int(seconds[0]),
            "value": float(values[0]),
        } | {"progress": told["progress"]}


class KeyResource:
    """POST /settings/integrations/key: a key's secret, for the page's script."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the secret of a key that may send."""
        name = form_of(req).get("key", "")
        if name not in [key.name for key in sending_keys(self._services)]:
            raise NotFoundError("there is no such key")
        write_json(resp, {"key": self._services.store.keys.secret_of(name)})


def sending_keys(services: Services) -> list[Key]:
    """Return the valid keys that may send."""
    return [key for key in services.store.keys.valid() if key.scope == "ingest"]


def first_key(services: Services) -> Key | None:
    """Return the first key that may send, one without prefix rather; None without any."""
    return min(sending_keys(services), key=lambda key: key.prefix is not None, default=None)


def address_of(req: falcon.Request) -> str:
    """Return how the browser reached us; its Host was checked. Proxies say what they speak."""
    scheme = "https" if req.get_header("X-Forwarded-Proto") == "https" else "http"
    return f"{scheme}://{req.get_header('Host')}"
