"""/settings/ingestion-test: what was sent in test mode, newest first."""

import falcon

from fluxd.web.examples import test_mode_example
from fluxd.web.page_integrations import NO_KEY, address_of, first_key, sending_keys
from fluxd.web.page_settings import SettingsPage
from fluxd.web.sessions import form_of

# Requests on the page, and names shown of each; the API has them all.
MOST_SHOWN = 100
MOST_NAMES = 200


class IngestionTestPage(SettingsPage):
    """The page, for all keys or one."""

    address = "/settings/ingestion-test"
    template = "ingestion_test.html"

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Show the latest requests."""
        now = int(self._services.clock())
        rows = self._services.store.ingestion_tests.rows(now)
        given = req.params.get("key")
        chosen = given if isinstance(given, str) and given else None
        keys = sending_keys(self._services)
        mine = [row for row in rows if chosen is None or row.key == chosen]
        self.show(
            resp,
            tests=mine[:MOST_SHOWN],
            count=len(mine),
            names=sorted({row.key for row in rows} | {key.name for key in keys}),
            chosen=chosen,
            key=first_key(self._services),
            most_names=MOST_NAMES,
            example=test_mode_example(address_of(req)),
            no_key=NO_KEY,
        )

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Clear the list, for all keys or one."""
        key = form_of(req).get("key") or None
        self._services.store.ingestion_tests.clear(key)
        self.again(resp)
