"""What is read, as JSON. Numbers that JSON has no form for (NaN, infinity) become null."""

from collections.abc import Sequence
from typing import Any

import falcon
import msgspec


def write_json(resp: falcon.Response, body: Any) -> None:  # noqa: ANN401  # whatever msgspec encodes
    """Make `body` the answer: a dict, a list, a dataclass, or a nest of them."""
    resp.content_type = falcon.MEDIA_JSON
    resp.data = msgspec.json.encode(body)


def write_page(
    resp: falcon.Response, name: str, rows: Sequence[Any], cursor: int | str | None
) -> None:
    """Make a page of a list the answer; `cursor` asks for the next one, None after the last."""
    write_json(resp, {name: rows, "next": cursor if cursor is None else str(cursor)})
