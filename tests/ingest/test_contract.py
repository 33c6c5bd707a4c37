"""Section 1 of the ingestion contract, step by step, byte for byte."""

import json

import pytest
from ingest.desk import (
    ELEMENT,
    KEYS,
    NOW,
    SINGLE,
    accepted,
    parse,
    refused,
    unauthorised,
    with_element,
)

from fluxd.ingest.flux import KeyQuery, Post, StatusQuery

# Step 4


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", "null", "0", '""', " {} ", "{\n}", "[ ]", "\tnull\r\n", " 0 ", ' "" ']
)
def test_step_4_nothing_was_sent(body: str) -> None:
    assert refused(body).message == "no POST data received"


@pytest.mark.parametrize("body", ["false", "0.0", " ", "\n", "-0", "0e0", "[null]", '" "'])
def test_step_4_these_look_empty_and_are_not(body: str) -> None:
    assert refused(body).message == "invalid json data"


# Step 5


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"{", id="cut"),
        pytest.param(b"{'key':'secret'}", id="single quotes"),
        pytest.param(b'{"key":"secret",}', id="trailing comma"),
        pytest.param(b'{"key":"secret"} x', id="trailing text"),
        pytest.param(b'{"key":"secret"}\0', id="trailing NUL"),
        pytest.param(b'{"key":"a\nb"}', id="line break in a string"),
        pytest.param(b"metric=a&value=1", id="a form"),
        pytest.param(b'[{"key":"secret"}]', id="a list"),
        pytest.param(b'"secret"', id="a string"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"true", id="true"),
        pytest.param(b'{"key":"\xff"}', id="not UTF-8"),
        pytest.param(b'{"key":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b'{"key":"\xc0\xaf"}', id="overlong UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"key":"secret"}', id="byte order mark"),
        pytest.param('{"key":"secret"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"key":"\\ud800"}', id="a lone high surrogate"),
        pytest.param(b'{"key":"\\udc00"}', id="a lone low surrogate"),
        pytest.param(b'{"key":"\\ud83d\\ude00\\ude00"}', id="a pair and a half"),
        pytest.param(b'{"\\uD800":1}', id="a lone surrogate in a name"),
        pytest.param(b'{"key":"\\ud83d\\\\\\ude00"}', id="halves apart"),
        pytest.param(b'{"a":"\\ud800","a":1}', id="a lone surrogate that is overwritten"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":Infinity}', id="Infinity"),
        pytest.param(b'{"a":-Infinity}', id="-Infinity"),
        pytest.param(b'{"a":01}', id="leading zero"),
        pytest.param(b'{"a":+1}', id="plus sign"),
        pytest.param(b'{"a":.5}', id="no integer part"),
        pytest.param(b'{"a":1.}', id="no fraction after the point"),
        pytest.param(b"[" * 100_000, id="100,000 brackets"),
        pytest.param(b'{"a":' * 100_000, id="100,000 braces"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100,000 brackets, closed"),
        pytest.param(b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", id="65 levels"),
    ],
)
def test_step_5_not_strict_json(body: bytes) -> None:
    assert refused(body).message == "invalid json data"


@pytest.mark.parametrize("member", ['"é😀"', '"\\ud83d\\ude00"', '"\\\\ud800"', '"\\\\\\\\ud800"'])
def test_step_5_strict_json_in_all_its_forms(member: str) -> None:
    assert accepted(with_element(more=f',"tag":{member}')).names == ["a.b"]
    assert accepted(with_element(value='"1"', more=f',"tag":{member}')).names == ["a.b"]


@pytest.mark.parametrize(
    "text", [b'"\xff"', b'"\\ud800"', b'{"\xff":1}', b"NaN", b"01", b'"\x01"', b'"\\x"', b"[1,]"]
)
@pytest.mark.parametrize("value", ["1", '"1"'], ids=["fast", "walked"])
def test_step_5_a_member_to_be_ignored_is_strict_json_too(value: str, text: bytes) -> None:
    body = with_element(value=value, more=',"tag":0').encode().replace(b'"tag":0', b'"tag":' + text)
    assert refused(body).message == "invalid json data"


@pytest.mark.parametrize("value", ["1", '"1"'], ids=["fast", "walked"])
def test_step_5_nesting_ends_at_64_levels(value: str) -> None:
    deepest = "[" * 61 + "]" * 61  # below the object, its metrics and the element
    assert accepted(with_element(value=value, more=f',"tags":{deepest}')).values == [1.0]
    too_deep = with_element(value=value, more=f',"tags":[{deepest}]')
    assert refused(too_deep).message == "invalid json data"


def test_the_last_of_equal_members_stands() -> None:
    body = f'{{"key":"wrong","metrics":7,"metrics":[{ELEMENT}],"key":"secret"}}'
    assert accepted(body).names == ["a.b"]
    assert accepted(with_element(more=',"value":3')).values == [3.0]
    assert accepted(with_element(more=',"value":"3"')).values == [3.0]


# Steps 6 and 7


@pytest.mark.parametrize("key", ["", '"key":null,', '"key":"",'])
@pytest.mark.parametrize("credential", [None, ""])
def test_step_6_no_key(key: str, credential: str | None) -> None:
    assert refused(f'{{{key}"metrics":[{ELEMENT}]}}', credential).message == "no key passed"


@pytest.mark.parametrize(
    "key", ['"wrong"', '"reader"', "1", "0", "false", "[]", '["secret"]', "{}"]
)
def test_step_7_invalid_key(key: str) -> None:
    assert unauthorised(f'{{"key":{key},"metrics":[{ELEMENT}]}}') == "invalid key"


@pytest.mark.parametrize("credential", ["wrong", "reader"])
def test_step_7_invalid_key_in_a_header(credential: str) -> None:
    assert unauthorised(f'{{"key":"secret","metrics":[{ELEMENT}]}}', credential) == "invalid key"


@pytest.mark.parametrize(
    "key", ["", '"key":"secret",', '"key":"wrong",', '"key":7,', '"key":null,']
)
def test_step_6_a_header_goes_before_the_body(key: str) -> None:
    assert accepted(f'{{{key}"metrics":[{ELEMENT}]}}', "other").key == KEYS["other"]


# Step 8


@pytest.mark.parametrize("name", ["Metrics", "metrix", "", "é", "a - b", "😀", "timestamps"])
def test_step_8_unknown_member(name: str) -> None:
    body = f'{{"key":"secret",{json.dumps(name)}:1,"zzz":2,"metrics":[{ELEMENT}]}}'
    assert refused(body).message == f"Invalid parameter received - {name}"


def test_step_8_every_known_member() -> None:
    body = (
        f'{{"key":"secret","metrics":[{ELEMENT}],"metric":"x","timestamp":1,"value":[],'
        '"fill":0,"test":false,"status":false,"validate_key":false}'
    )
    assert accepted(body).names == ["a.b"]


# Steps 9 and 10

EMPTY = ["null", "[]", "{}", '""', "0", "false"]


@pytest.mark.parametrize(
    "metrics",
    ["true", "1", "0.0", "-0", '"a"', f'"{ELEMENT[1:9]}"'.replace('""', '"'), '{"a":1}', ELEMENT],
)
def test_step_9_metrics_that_are_no_list(metrics: str) -> None:
    error = refused(f'{{"key":"secret","metrics":{metrics},{SINGLE}}}')
    assert (error.message, error.index) == ("invalid metrics element", None)


@pytest.mark.parametrize("element", ["null", "1", '"a"', "[]", "true", f"[{ELEMENT}]"])
def test_step_9_an_element_that_is_no_object(element: str) -> None:
    bad = '{"metric":null}'  # comes first, but the list as a whole is looked at before
    error = refused(f'{{"key":"secret","metrics":[{bad},{element},2]}}')
    assert (error.message, error.index) == ("invalid metrics element", 1)


@pytest.mark.parametrize("metrics", ["", *(f',"metrics":{value}' for value in EMPTY)])
def test_step_10_the_single_form_where_metrics_is_empty(metrics: str) -> None:
    assert accepted(f'{{"key":"secret"{metrics},{SINGLE}}}').timestamps == [NOW]


@pytest.mark.parametrize("metrics", ["", *(f',"metrics":{value}' for value in EMPTY)])
@pytest.mark.parametrize(
    "single",
    ["", '"metric":"a"', f'"metric":"a","timestamp":{NOW}', '"metric":"a","value":1', '"value":1'],
)
def test_step_10_nothing_to_ingest(metrics: str, single: str) -> None:
    comma = "," if single else ""
    body = f'{{"key":"secret"{metrics}{comma}{single}}}'
    assert refused(body).message == "no metric data passed"


def test_step_10_metrics_win_over_the_single_form() -> None:
    single = '"metric":"c","timestamp":7,"value":{},"fill":true'
    body = f'{{"key":"secret","metrics":[{ELEMENT}],{single}}}'
    post = accepted(body)
    assert (post.names, post.fills) == (["a.b"], None)
    assert refused(f'{{"key":"secret","metrics":[{{}}],{SINGLE}}}').message == "invalid metric"


# Queries and test mode

YES = ["true", '"true"', "1", "0", '""', '"please"', "[]", "{}"]
NO = ["false", "null", '"false"']


@pytest.mark.parametrize("value", YES)
def test_status_answers_after_step_5_whatever_else_was_sent(value: str) -> None:
    assert parse(f'{{"status":{value}}}') == StatusQuery()
    assert parse(f'{{"status":{value},"key":"wrong","nonsense":1}}', "wrong") == StatusQuery()


@pytest.mark.parametrize("value", YES)
def test_validate_key_answers_after_step_7(value: str) -> None:
    body = f'{{"key":"secret","validate_key":{value},"nonsense":1,"metrics":3}}'
    assert parse(body) == KeyQuery(KEYS["secret"])
    assert unauthorised(body.replace("secret", "wrong")) == "invalid key"
    assert unauthorised(body, "reader") == "invalid key"
    assert refused(body.replace("secret", "")).message == "no key passed"


@pytest.mark.parametrize("name", ["status", "validate_key"])
@pytest.mark.parametrize("value", NO)
def test_a_query_that_says_no_is_none(name: str, value: str) -> None:
    assert accepted(f'{{"key":"secret","{name}":{value},"metrics":[{ELEMENT}]}}').values == [1.5]


def test_status_goes_before_validate_key() -> None:
    assert parse('{"key":"secret","status":1,"validate_key":true}') == StatusQuery()


@pytest.mark.parametrize(
    ("member", "test"),
    [("", False), (',"test":true', True), (',"test":"true"', True)]
    + [(f',"test":{value}', False) for value in ("false", "null", "1", '"yes"', '"True"')],
)
def test_test_mode(member: str, *, test: bool) -> None:
    assert accepted(f'{{"key":"secret","metrics":[{ELEMENT}]{member}}}').test is test
    assert accepted(f'{{"key":"secret",{SINGLE}{member}}}').test is test


# What a post and a fault carry


@pytest.mark.parametrize("value", ["2", '"2"'], ids=["fast", "walked"])
def test_a_post_in_full(value: str) -> None:
    elements = [
        f'{{"metric":"{name}","timestamp":{NOW - i},"value":{value}}}'
        for i, name in enumerate(["known.b", "new", "known.a", "new"])
    ]
    assert accepted(f'{{"key":"secret","metrics":[{",".join(elements)}]}}') == Post(
        key=KEYS["secret"],
        names=["known.b", "new", "known.a", "new"],
        ids=[8, None, 7, None],
        timestamps=[NOW, NOW - 1, NOW - 2, NOW - 3],
        values=[2.0, 2.0, 2.0, 2.0],
        fills=None,
        test=False,
    )


def test_a_fault_carries_the_key_and_the_element() -> None:
    error = refused(with_element(value="1e999", more=',"key":"secret","tag":"é"'))
    assert error.key == KEYS["secret"]
    assert error.index == 0
    assert error.element == (
        f'{{"metric": "a.b", "timestamp": {NOW}, "value": 1e999, "tag": "\\u00e9"}}'
    )


def test_the_single_form_has_no_index_and_its_element_no_key() -> None:
    error = refused(f'{{"key":"secret",{SINGLE},"value":null}}')
    assert error.index is None
    assert error.element == f'{{"metric": "a.b", "timestamp": {NOW}, "value": null}}'


def test_an_element_is_cut_at_300_characters() -> None:
    error = refused(with_element(name=f'"{"a" * 999}"'))
    assert error.element is not None
    assert len(error.element) == 300


@pytest.mark.parametrize("body", ["", "{", '{"nonsense":1}', '{"metrics":[]}'])
def test_a_header_names_the_sender_of_a_broken_body(body: str) -> None:
    assert refused(body, "other").key == KEYS["other"]
    assert refused(body, None).key is None
