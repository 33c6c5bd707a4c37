"""GET /api/v1/notifications: the outbox, what was sent to whom and what they answered."""

from collections.abc import Mapping
from typing import Any

import falcon

from fluxd.store.deliveries import read_names
from fluxd.store.outbox import Entry, read_entries
from fluxd.web.api_answers import write_json
from fluxd.web.api_parameters import Parameters
from fluxd.web.services import Services

LONGEST_NAME = 64


class NotificationsResource:
    """GET /api/v1/notifications: messages, the latest first, without what they say."""

    def __init__(self, services: Services) -> None:
        self._store = services.store

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Answer the latest, of one channel where its name is given."""
        query = Parameters(req, "channel", "limit")
        name = query.text("channel", longest=LONGEST_NAME)
        limit = query.limit()
        with self._store.read() as reader:
            names = read_names(reader)
            wanted = [number for number, known in names.items() if known == name]
            if name is not None and not wanted:
                entries = []
            else:
                channel = wanted[0] if wanted else None
                entries = read_entries(reader, channel=channel, limit=limit)
        write_json(resp, {"notifications": [members_of(entry, names) for entry in entries]})


def members_of(entry: Entry, names: Mapping[int, str]) -> dict[str, Any]:
    """Return a message's members in the API; `names` are those of the channels."""
    return {
        "id": entry.id,
        "channel": names.get(entry.channel),
        "incident": entry.incident,
        "notice": entry.notice,
        "severity": entry.severity,
        "state": entry.state,
        "created": entry.created,
        "due": entry.due,
        "attempts": entry.attempts,
        "finished": entry.finished,
        "answer": entry.answer,
        "key": entry.key,
    }
