"""What the pages of Settings have in common."""

from typing import ClassVar

import falcon

from fluxd.core.errors import FluxdError
from fluxd.web.pages import Page, render, sentence
from fluxd.web.services import Services


class SettingsPage(Page):
    """A page of Settings: `address` is its path, `template` what it's drawn with."""

    address: ClassVar[str]
    template: ClassVar[str]

    def __init__(self, services: Services) -> None:
        self._services = services

    def show(
        self,
        resp: falcon.Response,
        *,
        fault: FluxdError | None = None,
        notice: str = "",
        **context: object,
    ) -> None:
        """Answer the page; with a fault, which is what was wrong about a form, it is a 400."""
        render(
            resp,
            self.template,
            status=200 if fault is None else 400,
            page=self.address,
            fault="" if fault is None else sentence(fault.message),
            notice=notice,
            **context,
        )

    def again(self, resp: falcon.Response) -> None:
        """Have the browser ask for the page, so that to reload it sends no form a second time."""
        resp.status = falcon.HTTP_303
        resp.set_header("Location", self.address)
