"""GET /openapi.json: the description of the HTTP interface, for people and for generators."""

from importlib import resources
from typing import Any

import falcon
import msgspec

import fluxd
from fluxd.web.api_answers import write_json


class OpenApiResource:
    """GET /openapi.json: an OpenAPI 3.1 document; no key is asked for."""

    def __init__(self, *, allow_get: bool) -> None:
        self._document = document(allow_get=allow_get)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the document."""
        del req
        write_json(resp, self._document)

    on_head = on_get


def document(*, allow_get: bool) -> dict[str, Any]:
    """Return the document with this version's number, and only with the paths that are served."""
    text = (resources.files("fluxd.web") / "openapi.json").read_bytes()
    described: dict[str, Any] = msgspec.json.decode(text)
    described["info"]["version"] = fluxd.__version__
    if not allow_get:
        del described["paths"]["/flux/metric_data"]
    return described
