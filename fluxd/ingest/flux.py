"""The /flux wire format: what a POST's JSON or a GET's query string asks for.

Steps 4 to 11 of the ingestion contract, bytes in and values out: no IO, no clock, no store. The
`fast` path takes good bodies; whatever it leaves is walked.
"""

from collections.abc import Callable, Mapping

from fluxd.core.errors import BadRequestError
from fluxd.core.keys import Key
from fluxd.ingest.fast import read_post
from fluxd.ingest.post import Admission, KeyQuery, Post, StatusQuery, Window
from fluxd.ingest.walk import walk_post, walk_query

__all__ = ["KeyQuery", "Post", "StatusQuery", "parse_post", "parse_query"]


def parse_post(
    body: bytes,
    credential: str | None,
    find_key: Callable[[str], Key | None],
    known: Callable[[Key], Mapping[str, int]],
    now: int,
    max_age: int,
) -> Post | StatusQuery | KeyQuery:
    """Read an inflated body; `credential` is the key of a header, None where there was none.

    `known(key)` maps the sender's names to the ids of metrics that exist; `now` and `max_age` in
    whole seconds. Raises BadRequestError, with the key in it where the sender is known, and
    UnauthorisedError.
    """
    admission = Admission(credential, find_key, known, Window(now, max_age))
    try:
        return read_post(body, admission) or walk_post(body, admission)
    except BadRequestError as error:
        # A body too broken to come to step 7 still has a sender, if a header says so.
        if error.key is None and credential:
            error.key = find_key(credential)
        raise


def parse_query(
    params: Mapping[str, str],
    credential: str | None,
    find_key: Callable[[str], Key | None],
    known: Callable[[Key], Mapping[str, int]],
    now: int,
    max_age: int,
) -> Post | StatusQuery:
    """Read the parameters of GET /flux/metric_data, decoded; the rest as `parse_post`."""
    return walk_query(params, Admission(credential, find_key, known, Window(now, max_age)))
