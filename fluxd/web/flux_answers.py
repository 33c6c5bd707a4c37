"""What the ingestion endpoints do with a request that was read: store it, check it, refuse it."""

import json
import logging
from collections.abc import Callable
from typing import Any

import falcon

from fluxd.core.errors import BadRequestError, FluxdError, UnauthorisedError
from fluxd.core.keys import Key
from fluxd.core.names import stored_name
from fluxd.ingest.flux import KeyQuery, Post, StatusQuery
from fluxd.store.handover import Batch, NewRow, Part
from fluxd.store.ingestion_tests import IngestionTest
from fluxd.store.places import SERIES_BITS, hour_of, open_hour, place_of
from fluxd.store.rows import pack, pack_hours
from fluxd.web.errors import status_of
from fluxd.web.services import Services

log = logging.getLogger(__name__)

Parsed = Post | StatusQuery | KeyQuery


class Answers:
    """What both endpoints do with a request."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def answer(
        self,
        parse: Callable[[], Parsed],
        resp: falcon.Response,
        now: int,
        *,
        key: Key | None,
        test: bool,
    ) -> None:
        """Store what was sent and fill in the response; `key` is the header's, where known."""
        try:
            parsed = parse()
            if isinstance(parsed, Post):
                key = parsed.key  # a refusal from here on is this sender's, wherever its key was
                self._services.store.keys.seen[key.id] = now
            if not isinstance(parsed, Post):
                text = "ok" if isinstance(parsed, StatusQuery) else "key valid"
                write_answer(resp, 200, {"status": text})
                self._services.counts.count(200)
            elif parsed.test or test:
                self._report_test(parsed, resp, now)
            else:
                batch = batch_of(parsed, now)
                names = parsed.names if batch.new else []
                # Free the elements before the wait: the next request then takes their memory
                # while it is in the cache, which makes a sixth more POSTs of 500 a second.
                del parsed
                self._store(batch, names, resp)
        except FluxdError as error:
            self.note_refusal(error, key, now, test=test)
            raise
        except Exception:
            self._services.counts.count(500)
            raise

    def _store(self, batch: Batch, names: list[str], resp: falcon.Response) -> None:
        rejected = self._services.store.writer.submit(batch)
        counts = self._services.counts
        if rejected:
            write_answer(resp, 207, over_quota(names, rejected, batch.key))
            counts.count(207, accepted=batch.rows - len(rejected), over_quota=len(rejected))
        else:
            resp.status = falcon.HTTP_204
            counts.count(204, accepted=batch.rows)

    def _report_test(self, post: Post, resp: falcon.Response, now: int) -> None:
        """Say what would have happened, and keep it for the Metric Ingestion Test page."""
        store = self._services.store
        dropped = set(over_quota_now(post, store.catalog.owned(post.key.id)))
        kept = [name for at, name in enumerate(post.names) if at not in dropped]
        lost = [name for at, name in enumerate(post.names) if at in dropped]
        store.ingestion_tests.note(IngestionTest(now, post.key.name, kept, lost))
        if not post.test:
            resp.status = falcon.HTTP_204
            self._services.counts.count(204)
            return
        report = {
            "message": "metric ingestion test, no metrics were ingested only counts are reported",
            "ingest_count": len(kept),
            "drop_count": len(lost),
            "metrics": kept,
            "dropped": lost,
        }
        write_answer(resp, 200, report)
        self._services.counts.count(200)

    def note_refusal(self, error: FluxdError, key: Key | None, now: int, *, test: bool) -> None:
        """Count a refused request, and keep it where its sender's owner can see it."""
        self._services.counts.count(status_of(error))
        store = self._services.store
        if isinstance(error, UnauthorisedError):
            if self._services.counts.may_tell_of_wrong_key(now):
                log.warning("a request with an unknown key was refused (told once a minute)")
            return
        index = element = None
        if isinstance(error, BadRequestError):
            index, element = error.index, error.element
            key = error.key or key
            test = test or error.test
        name = key.name if key else None
        if test and name is not None:
            store.ingestion_tests.note(IngestionTest(now, name, [], [], error.message))
        else:
            store.rejections.note(now, name, error.message, index=index, element=element)


def batch_of(post: Post, now: int) -> Batch:
    """Return a request's datapoints as the store takes them."""
    if post.fills is None and None not in post.ids:
        places = [
            timestamp << SERIES_BITS | series  # type: ignore[operator]  # none is None here
            for timestamp, series in zip(post.timestamps, post.ids, strict=True)
        ]
        datapoints = dict(zip(places, post.values, strict=True))
        oldest_open, second = open_hour(now), post.timestamps[0]
        if post.timestamps.count(second) == len(
            places
        ):  # as agents send: no need to look for hours
            parts = [Part(hour_of(second, oldest_open), history=False, packed=pack(datapoints))]
        else:
            parts = pack_hours(datapoints, oldest_open, history=False)
        return Batch(post.key, now, len(places), parts)
    return _mixed_batch(post, now)


def _mixed_batch(post: Post, now: int) -> Batch:
    """Return a batch with new metrics or history in it.

    Of a pair sent twice the last one stands, fill or not, whichever way each would have gone: a
    name may become known while its request is read, so one unknown place makes it new in all.
    """
    fills = post.fills or [False] * len(post.ids)
    new = {name for name, series in zip(post.names, post.ids, strict=True) if series is None}
    stored = [stored_name(post.key.prefix, name) for name in post.names]
    last = {
        (name, timestamp): (value, fill)
        for name, timestamp, value, fill in zip(
            stored, post.timestamps, post.values, fills, strict=True
        )
    }
    live: dict[int, float] = {}
    history: dict[int, float] = {}
    batch = Batch(post.key, now, len(post.ids))
    elements = zip(post.names, stored, post.ids, post.timestamps, strict=True)
    for position, (name, as_stored, series, timestamp) in enumerate(elements):
        value, fill = last[as_stored, timestamp]
        if series is None or name in new:
            batch.new.append(NewRow(position, as_stored, timestamp, value, fill))
        else:
            (history if fill else live)[place_of(timestamp, series)] = value
    for datapoints, is_history in ((live, False), (history, True)):
        batch.parts += pack_hours(datapoints, open_hour(now), history=is_history)
    return batch


def over_quota(names: list[str], rejected: list[int], key: Key) -> dict[str, Any]:
    """Return the body of a 207: the rejected elements, then the processed ones."""
    refused = set(rejected)
    lost = [name for at, name in enumerate(names) if at in refused]
    kept = [name for at, name in enumerate(names) if at not in refused]
    return {
        "code": 207,
        "data": [{"metric": name, "status": 400} for name in lost]
        + [{"metric": name, "status": 204} for name in kept],
        "error": (
            f"over quota - this account is allowed {key.quota} metrics and an additional "
            f"{len(lost)} new metrics were posted that have been rejected"
        ),
        "message": f"{len(kept)} metrics were processed and {len(lost)} metrics were rejected",
        "rejected metrics": lost,
        "rejected metrics count": len(lost),
        "processed metrics": kept,
        "processed metrics count": len(kept),
        "submitted metrics count": len(names),
    }


def over_quota_now(post: Post, owned: int) -> list[int]:
    """Return the positions that the quota would refuse if the request were stored now."""
    if post.key.quota is None:
        return []
    created: set[str] = set()
    refused = []
    for position, (name, series) in enumerate(zip(post.names, post.ids, strict=True)):
        stored = stored_name(post.key.prefix, name)
        if series is not None or stored in created:
            continue
        if owned + len(created) < post.key.quota:
            created.add(stored)
        else:
            refused.append(position)
    return refused


def write_answer(resp: falcon.Response, status: int, body: dict[str, Any]) -> None:
    """Make `body` the answer, written as the contract shows it."""
    resp.status = status
    resp.content_type = falcon.MEDIA_JSON
    resp.text = json.dumps(body)  # with a space behind : and ,
