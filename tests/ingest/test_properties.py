"""Any bytes at all: an answer of the contract, and the same one from both paths."""

import json
import re
from collections.abc import Callable

from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from ingest.desk import KNOWN, NOW, admission, parse, query

from fluxd.core.errors import BadRequestError, FluxdError, UnauthorisedError
from fluxd.ingest.fast import read_post
from fluxd.ingest.flux import KeyQuery, Post, StatusQuery
from fluxd.ingest.strict_json import MAX_NESTING, is_surely_bounded
from fluxd.ingest.walk import walk_post

# Every message of sections 1 and 2; a value or a timestamp shows at most 100 characters.
SHOWN = r"(?s:.{0,100})"
MESSAGES = [
    r"invalid json data",
    r"no POST data received",
    r"no key passed",
    r"no metric data passed",
    r"Invalid parameter received - (?s:.*)",
    r"invalid metrics element",
    r"invalid metric",
    r"invalid metric - (?s:|\..*|.*\.|.*\.\..*)",
    r"invalid metric - (?s:.*) - invalid characters in name",
    r"invalid metric - [^ ]{256,} - longer than 255 characters",
    r"invalid metric - [^ ]{1,255} - name too long",
    r"invalid timestamp",
    rf"invalid timestamp - {SHOWN} - timestamp is not an int",
    rf"invalid timestamp - {SHOWN} - timestamp is not a valid current unix timestamp",
    r'invalid timestamp - "?\d{10}"? - timestamp is too old, older than 3600 seconds',
    r'invalid timestamp - "?\d{10}"? - timestamp is more than 1 minute in the future',
    r"no value parameter present",
    r"invalid value data passed",
    rf"invalid value - {SHOWN}",
]
is_contract_message = re.compile("|".join(MESSAGES)).fullmatch


# JSON texts, since Python values can't say 1e999, repeat a member or leave a surrogate alone.

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
).map(json.dumps)  # NaN and Infinity included

odd_texts = st.sampled_from(
    [
        *(
            "1e999",
            "-0",
            "-0.0",
            "0.0",
            "1" * 30,
            "1" * 400,
            "9" * 10_000,
            "NaN",
            "-Infinity",
            "01",
        ),
        *('"1.5"', '"1e999"', '"nan"', '"true"', '"é"', '"]"', '"{"', '"\\""'),
        *('"\\ud800"', '"\\ud83d\\ude00"', "[" * 70 + "]" * 70, "[" * 99_999, "x", ""),
        *("{}", "[]", '""', "0", "null", "true", "false"),
    ]
)
decimals = st.from_regex(
    r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", fullmatch=True
)
junk = json_values | odd_texts

good_names = st.sampled_from([*KNOWN, "new", "new.b", "a-b/c=d"]).map(json.dumps)
good_seconds = st.integers(NOW - 3600, NOW + 60).map(str)
good_values = decimals | st.floats(allow_nan=False, allow_infinity=False).map(repr)
edges = [NOW - 3601, NOW - 3600, NOW + 60, NOW + 61, NOW * 1000, 999_999_999, 10**9, -NOW, 0]
seconds = st.sampled_from([*map(str, edges), *(f'"{edge}"' for edge in edges)]) | good_seconds


def rarely(usual: st.SearchStrategy[str], odd: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    # 13, since Hypothesis likes to draw the ends of a range
    return st.integers(0, 29).flatmap(lambda roll: odd if roll == 13 else usual)


@st.composite
def objects(draw: st.DrawFn, members: dict[str, st.SearchStrategy[str]], required: int) -> str:
    """Write an object; the first `required` members are nearly always there."""
    names = list(members)
    chosen = names[:required] + draw(st.lists(st.sampled_from(names), max_size=2))
    if draw(st.integers(0, 29)) == 13:
        chosen = draw(st.permutations(chosen))[1:]
    colon, comma = draw(st.sampled_from([(":", ","), (": ", ", "), ("\n:\t", " ,\r\n")]))
    texts = [json.dumps(name) + colon + draw(members[name]) for name in chosen]
    return "{" + comma.join(texts) + "}"


elements = objects(
    {
        "metric": rarely(good_names, junk | st.text(max_size=9).map(json.dumps)),
        "timestamp": rarely(good_seconds, junk | seconds),
        "value": rarely(good_values, junk),
        "fill": rarely(st.sampled_from(["true", "false"]), junk),
        "tags": junk,
        "é": junk,
    },
    required=3,
)
lists = st.lists(rarely(elements, junk), min_size=1, max_size=4).map(lambda x: f"[{','.join(x)}]")
usual_members = {
    "key": rarely(st.sampled_from(['"secret"', '"prefixed"']), junk | st.just('"reader"')),
    "metrics": rarely(lists, junk),
    "test": rarely(st.sampled_from(["true", "false"]), junk),
}
usual_bodies = objects(usual_members, required=2).map(str.encode)
bodies = objects(
    {
        **usual_members,
        **{name: rarely(st.just("false"), junk) for name in ("status", "validate_key", "extra")},
        "metric": good_names,
        "timestamp": seconds,
        "value": good_values,
        "fill": junk,
    },
    required=2,
).map(str.encode)
credentials = st.sampled_from([None, None, None, "", "other", "wrong", "reader"])


def outcome(read: Callable[[], object]) -> object:
    """Return what was read, or the error; any other exception is a failure."""
    try:
        return read()
    except FluxdError as error:
        return error


def assert_answer(answer: object) -> None:
    match answer:
        case BadRequestError():
            assert is_contract_message(answer.message), answer.message
            assert answer.element is None or len(answer.element) <= 300
            assert answer.message.encode()  # no lone surrogate got through
        case UnauthorisedError():
            assert answer.message == "invalid key"
        case Post():
            assert_sound(answer)
        case _:
            assert isinstance(answer, StatusQuery | KeyQuery)


def assert_sound(post: Post) -> None:
    count = len(post.names)
    assert count > 0
    assert len(post.ids) == len(post.timestamps) == len(post.values) == count
    fills = post.fills or [False] * count
    assert len(fills) == count
    for second, value, fill in zip(post.timestamps, post.values, fills, strict=True):
        assert (1_000_000_000 if fill else NOW - 3600) <= second <= NOW + 60
        assert abs(value) < float("inf")
    assert post.ids == [KNOWN.get(name) for name in post.names]


@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode), credentials)
@example(b"[" * 100_000, None)
@example(b'{"metrics":[{"x":' + b"[" * 100_000, "other")
@example(b'{"key":"secret","metrics":[' + b"9" * 1_000_000 + b"]}", None)
def test_any_bytes_get_an_answer_of_the_contract(body: bytes, credential: str | None) -> None:
    assert_answer(outcome(lambda: parse(body, credential)))


@given(json_values.map(str.encode), credentials)
def test_any_json_gets_an_answer_of_the_contract(body: bytes, credential: str | None) -> None:
    assert_answer(outcome(lambda: parse(body, credential)))


@settings(max_examples=200)
@given(bodies, credentials)
def test_any_likely_body_gets_an_answer_of_the_contract(
    body: bytes, credential: str | None
) -> None:
    assert_answer(outcome(lambda: parse(body, credential)))


@given(bodies, st.integers(0, 200), st.binary(max_size=3))
def test_so_does_a_damaged_one(body: bytes, position: int, damage: bytes) -> None:
    damaged = body[:position] + damage + body[position + 1 :]
    assert_answer(outcome(lambda: parse(damaged)))


@given(
    st.dictionaries(
        st.sampled_from(["key", "metric", "timestamp", "value", "fill", "test", "status", "x"]),
        st.sampled_from(["secret", "true", "", "known.a", str(NOW), "1.5"]) | st.text(max_size=9),
    )
)
def test_any_query_gets_an_answer_of_the_contract(params: dict[str, str]) -> None:
    assert_answer(outcome(lambda: query(params)))


# The fast path and the walk


def assert_same(body: bytes, credential: str | None = None) -> bool:
    """Compare the paths where the fast one doesn't decline; say whether it didn't."""
    desk = admission(credential)
    fast = outcome(lambda: read_post(body, desk))
    if fast is None:
        return False
    walked = outcome(lambda: walk_post(body, desk))
    if isinstance(fast, FluxdError):
        assert (type(fast), str(fast)) == (type(walked), str(walked))
    else:
        assert fast == walked
    return True


@settings(max_examples=300)
@given(usual_bodies | bodies, credentials)
@example(b'{"key":"secret","metrics":[{"metric":"a","timestamp":1700000000,"value":-0}]}', None)
@example(b'{"key":null,"metrics":[{"metric":"a","timestamp":1700000000,"value":1}]}', None)
@example(b'{"key":"wrong","metrics":[{"metric":"a..","timestamp":1,"value":1}]}', None)
def test_the_paths_agree(body: bytes, credential: str | None) -> None:
    event("fast" if assert_same(body, credential) else "walked")


@given(good_values, st.sampled_from(["", ',"tag":1']))
@example("0." + "1" * 10_000, "")
@example("1" + "0" * 400 + "e-400", "")
@example("2.2250738585072011e-308", "")
@example("9007199254740993." + "0" * 800 + "1", "")
@example("1.7976931348623158e308", "")
@example("1.7976931348623159e308", "")
@example("179769313486231580793" + "0" * 288, "")
def test_the_paths_read_the_same_number(value: str, tag: str) -> None:
    body = f'{{"key":"secret","metrics":[{{"metric":"a","timestamp":{NOW},"value":{value}{tag}}}]}}'
    assert_same(body.encode())


def test_the_fast_path_takes_what_senders_send() -> None:
    plain = '{"key":"secret","metrics":[{"metric":"known.a","timestamp":1700000000,"value":1}]}'
    assert assert_same(plain.encode())
    assert assert_same(plain.encode(), "other")
    assert assert_same(plain.replace("1}", '1,"fill":true,"host":"é","tags":{"a":[1]}}').encode())
    assert assert_same(plain.replace("known.a", "new").replace("secret", "prefixed").encode())
    assert assert_same(
        plain.replace("[{", '[{"metric":"b","timestamp":1699999999,"value":2},{').encode()
    )
    assert assert_same(plain.replace("]}", '],"test":true}').encode())


@given(
    st.recursive(
        st.sampled_from(['""', '"["', '"]"', '"a"', "1", '"}{"', '"]["']),
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda x: f"[{','.join(x)}]")
            | inner.map(lambda x: "[" * 20 + x + "]" * 20)
            | inner.map(lambda x: f'{{"a":{x}}}' * 1)
        ),
    )
)
@example("[" * 64 + "]" * 64)
@example("[" * 65 + "]" * 65)
@example('["]",' * 65 + "1" + ',"["]' * 65)
def test_surely_bounded_is_never_wrong(text: str) -> None:
    depth = deepest = 0
    for character in re.sub('"[^"]*"', "", text):
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    sure = is_surely_bounded(text.encode())
    assert deepest <= MAX_NESTING or not sure
    if not re.search(r'"[^"]*[][{}][^"]*"', re.sub(r'"a":', "", text)):
        assert sure == (deepest <= MAX_NESTING)
