"""The answer to telegraf's batches: what is good is stored, and what isn't is told."""

from collections.abc import Callable
from typing import Any

import falcon

from fluxd.core.errors import FluxdError
from fluxd.core.keys import Key
from fluxd.ingest.post import Post
from fluxd.ingest.telegraf import TelegrafPost
from fluxd.store.ingestion_tests import IngestionTest
from fluxd.web.flux_answers import Answers, batch_of, over_quota_now, write_answer
from fluxd.web.services import Services


class TelegrafAnswers:
    """What the endpoint does with a batch."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._answers = Answers(services)

    def answer(
        self,
        parse: Callable[[], TelegrafPost],
        resp: falcon.Response,
        now: int,
        *,
        key: Key | None,
        test: bool,
    ) -> None:
        """Store what can be stored and fill in the response; `key` is the header's."""
        try:
            sent = parse()
            key = sent.post.key
            self._services.store.keys.seen[key.id] = now
            if test:
                self._note_test(sent, now)
                rejected = over_quota_now(sent.post, self._owned(key))
            else:
                self._note_dropped(sent, now)
                rejected = self._store(sent.post, now)
        except FluxdError as error:
            self._answers.note_refusal(error, key, now, test=test)
            raise
        except Exception:
            self._services.counts.count(500)
            raise
        accepted = 0 if test else len(sent.post.names) - len(rejected)
        counts = self._services.counts
        if sent.dropped or rejected:
            write_answer(resp, 207, _report(sent, rejected))
            counts.count(207, accepted=accepted, over_quota=0 if test else len(rejected))
        else:
            resp.status = falcon.HTTP_204
            counts.count(204, accepted=accepted)

    def _store(self, post: Post, now: int) -> list[int]:
        """Return the positions that the quota refused."""
        if not post.names:
            return []
        return self._services.store.writer.submit(batch_of(post, now))

    def _owned(self, key: Key) -> int:
        return self._services.store.catalog.owned(key.id)

    def _note_dropped(self, sent: TelegrafPost, now: int) -> None:
        """Keep what should not have been sent where its sender's owner sees it, once a reason."""
        told = {one.reason: one for one in sent.dropped if not one.expected}
        for one in list(told.values())[:MOST_REASONS]:
            rejections = self._services.store.rejections
            rejections.note(now, sent.post.key.name, one.reason, element=one.metric)

    def _note_test(self, sent: TelegrafPost, now: int) -> None:
        """Keep what would have happened for the Metric Ingestion Test page."""
        lost = set(over_quota_now(sent.post, self._owned(sent.post.key)))
        names = sent.post.names
        tests = self._services.store.ingestion_tests
        if sent.dropped:
            message = f"{len(sent.dropped)} fields dropped, the first: {sent.dropped[0].metric} - "
            message += sent.dropped[0].reason
            tests.note(IngestionTest(now, sent.post.key.name, [], [], message))
        if names:
            kept = [name for at, name in enumerate(names) if at not in lost]
            over = [name for at, name in enumerate(names) if at in lost]
            tests.note(IngestionTest(now, sent.post.key.name, kept, over))


# A batch may have thousands of bad fields, each with a timestamp of its own.
MOST_REASONS = 20


def _report(sent: TelegrafPost, rejected: list[int]) -> dict[str, Any]:
    """Return the body of a 207."""
    quota = f"over quota - this account is allowed {sent.post.key.quota} metrics"
    data = [{"metric": one.metric, "status": 400, "reason": one.reason} for one in sent.dropped] + [
        {"metric": sent.post.names[position], "status": 400, "reason": quota}
        for position in rejected
    ]
    submitted = len(sent.post.names) + len(sent.dropped)
    processed = submitted - len(data)
    return {
        "code": 207,
        "data": data,
        "message": f"{processed} metrics were processed and {len(data)} metrics were rejected",
        "processed metrics count": processed,
        "submitted metrics count": submitted,
    }
