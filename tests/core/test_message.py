"""Messages: what was stored with the outbox is what was written."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.message import SEVERITIES, Links, Member, Message, Picture, from_json, to_json

TEXTS = st.text(max_size=20)
TIMES = st.integers(0, 2**40)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    count = draw(st.integers(0, 5))
    columns = [tuple(draw(st.lists(NUMBERS, min_size=count, max_size=count))) for _ in range(4)]
    times = tuple(draw(st.lists(TIMES, min_size=count, max_size=count)))
    return Picture(times, *columns, draw(TIMES), draw(st.none() | TIMES), draw(TEXTS))


MEMBERS = st.builds(
    Member,
    metric=TEXTS,
    kind=TEXTS,
    direction=TEXTS,
    started=TIMES,
    ended=st.none() | TIMES,
    score=st.floats(0, 1),
    sentence=TEXTS,
    link=TEXTS,
)
MESSAGES = st.builds(
    Message,
    kind=st.sampled_from(["opened", "worsened", "resolved", "digest", "test"]),
    key=TEXTS,
    thread=TEXTS,
    incident=st.none() | st.integers(1, 2**40),
    severity=st.sampled_from(SEVERITIES),
    subject=TEXTS,
    sentence=TEXTS,
    started=TIMES,
    ended=st.none() | TIMES,
    members=st.lists(MEMBERS, max_size=3).map(tuple),
    metrics=st.integers(0, 10**6),
    links=st.builds(Links, TEXTS, TEXTS, TEXTS),
    picture=st.none() | pictures(),
    offset=st.integers(-86_400, 86_400),
    host=TEXTS,
    notes=st.lists(TEXTS, max_size=2).map(tuple),
    stories=st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
)


@given(MESSAGES)
def test_a_message_comes_back_from_its_json_as_it_was(message: Message) -> None:
    stored = json.loads(json.dumps(to_json(message), allow_nan=False))
    again = from_json(stored)
    assert again == message
    assert hash(again) == hash(message)  # tuples all the way down, as the original
    assert to_json(again) == stored


def test_a_message_that_lacks_a_member_is_not_taken_for_one() -> None:
    stored = {"kind": "test", "picture": None, "members": [], "links": {}, "notes": []}
    with pytest.raises(KeyError, match="stories"):
        from_json(stored)


def test_messages_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Links().open = "https://flux.example.org"  # type: ignore[misc]
