"""A desk to hand requests to: four keys, a few known metrics, a clock that stands still."""

from collections.abc import Mapping

import pytest

from fluxd.core.errors import BadRequestError, UnauthorisedError
from fluxd.core.keys import Key
from fluxd.ingest.flux import KeyQuery, Post, StatusQuery, parse_post, parse_query
from fluxd.ingest.post import Admission, Window

NOW = 1_700_000_000
MAX_AGE = 3600
KEYS = {
    "secret": Key(1, "agent"),
    "other": Key(2, "other agent"),
    "reader": Key(3, "page", scope="read"),
    "prefixed": Key(4, "team", prefix="p" * 400),
}
KNOWN = {"known.a": 7, "known.b": 8}

ELEMENT = f'{{"metric":"a.b","timestamp":{NOW},"value":1.5}}'
SINGLE = f'"metric":"a.b","timestamp":{NOW},"value":1.5'


def with_element(
    name: str = '"a.b"', timestamp: str = str(NOW), value: str = "1", more: str = ""
) -> str:
    """Write a POST of one element from JSON texts."""
    element = f'{{"metric":{name},"timestamp":{timestamp},"value":{value}{more}}}'
    return f'{{"key":"secret","metrics":[{element}]}}'


def known(_key: Key) -> Mapping[str, int]:
    return KNOWN


def admission(credential: str | None = None) -> Admission:
    return Admission(credential, KEYS.get, known, Window(NOW, MAX_AGE))


def parse(body: str | bytes, credential: str | None = None) -> Post | StatusQuery | KeyQuery:
    sent = body.encode() if isinstance(body, str) else body
    return parse_post(sent, credential, KEYS.get, known, NOW, MAX_AGE)


def accepted(body: str | bytes, credential: str | None = None) -> Post:
    post = parse(body, credential)
    assert isinstance(post, Post)
    return post


def refused(body: str | bytes, credential: str | None = None) -> BadRequestError:
    with pytest.raises(BadRequestError) as caught:
        parse(body, credential)
    return caught.value


def unauthorised(body: str | bytes, credential: str | None = None) -> str:
    with pytest.raises(UnauthorisedError) as caught:
        parse(body, credential)
    return caught.value.message


def query(params: Mapping[str, str], credential: str | None = None) -> Post | StatusQuery:
    return parse_query(params, credential, KEYS.get, known, NOW, MAX_AGE)


def query_refused(params: Mapping[str, str]) -> str:
    with pytest.raises(BadRequestError) as caught:
        query(params)
    return caught.value.message
