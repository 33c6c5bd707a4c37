"""GET /api/v1/selftest: how well the detector does on this installation, night by night."""

import falcon

from fluxd.store.selftests import read_outcomes
from fluxd.web.api_answers import write_page
from fluxd.web.api_parameters import Parameters
from fluxd.web.services import Services


class SelfTestResource:
    """GET /api/v1/selftest: what the last nightly self-tests have found, the latest first."""

    def __init__(self, services: Services) -> None:
        self._store = services.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer all that are kept: thirty at most."""
        Parameters(req)
        with self._store.read() as reader:
            outcomes = read_outcomes(reader)
        write_page(resp, "selftests", outcomes, None)
