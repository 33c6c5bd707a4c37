"""Section 2 of the ingestion contract, row by row, byte for byte; `fill` included."""

import json

import pytest
from ingest.desk import ELEMENT, NOW, SINGLE, accepted, refused, with_element


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("null", "invalid metric"),
        ("1", "invalid metric"),
        ("true", "invalid metric"),
        ('["a"]', "invalid metric"),
        ('""', "invalid metric - "),
        ('".a"', "invalid metric - .a"),
        ('"a."', "invalid metric - a."),
        ('"a..b"', "invalid metric - a..b"),
        ('"a b"', "invalid metric - a b - invalid characters in name"),
        ('"\\u00e9"', "invalid metric - é - invalid characters in name"),
        (f'"{"a" * 256}"', f"invalid metric - {'a' * 256} - longer than 255 characters"),
    ],
)
def test_names(name: str, message: str) -> None:
    assert refused(with_element(name=name)).message == message
    assert refused(f'{{"key":"secret",{SINGLE},"metric":{name}}}').message == message


def test_a_name_too_long_as_stored() -> None:
    name = "a" * 112
    body = f'{{"key":"prefixed","metrics":[{ELEMENT.replace("a.b", name)}]}}'
    assert refused(body).message == f"invalid metric - {name} - name too long"
    assert accepted(body.replace(name, name[1:])).names == [name[1:]]


NOT_AN_INT = "timestamp is not an int"
NOT_CURRENT = "timestamp is not a valid current unix timestamp"


@pytest.mark.parametrize(
    ("timestamp", "reason"),
    [
        ("1700000000.0", NOT_AN_INT),
        ("1.7e9", NOT_AN_INT),
        ("17E8", NOT_AN_INT),
        ("true", NOT_AN_INT),
        ("null", NOT_AN_INT),
        ("[]", NOT_AN_INT),
        ("[1700000000, 1.50]", NOT_AN_INT),
        ('{"a": [null, "b"]}', NOT_AN_INT),
        ('""', NOT_AN_INT),
        ('"now"', NOT_AN_INT),
        ('"1700000000.0"', NOT_AN_INT),
        ('"-1700000000"', NOT_AN_INT),
        ('"+1700000000"', NOT_AN_INT),
        ('" 1700000000"', NOT_AN_INT),
        ('"1700000000\\n"', NOT_AN_INT),
        ('"1_700_000_000"', NOT_AN_INT),
        ('"\\uff11\\uff17\\uff10\\uff10"', NOT_AN_INT),  # full-width digits
        ('"\\u00b2"', NOT_AN_INT),  # a digit to str.isdigit, not to int
        ("0", NOT_CURRENT),
        ("-0", NOT_CURRENT),
        ("-1700000000", NOT_CURRENT),
        ("170000000", NOT_CURRENT),
        ("1700000000000", NOT_CURRENT),
        ('"1700000000000"', NOT_CURRENT),
        ('"0170000000"', NOT_CURRENT),
        ('"01700000000"', NOT_CURRENT),
        ('"0"', NOT_CURRENT),
        (str(NOW - 3601), "timestamp is too old, older than 3600 seconds"),
        (f'"{NOW - 3601}"', "timestamp is too old, older than 3600 seconds"),
        ("1000000000", "timestamp is too old, older than 3600 seconds"),
        (str(NOW + 61), "timestamp is more than 1 minute in the future"),
        (f'"{NOW + 61}"', "timestamp is more than 1 minute in the future"),
        ("9999999999", "timestamp is more than 1 minute in the future"),
    ],
)
def test_timestamps(timestamp: str, reason: str) -> None:
    message = f"invalid timestamp - {timestamp} - {reason}"
    assert refused(with_element(timestamp=timestamp)).message == message
    single = f'{{"key":"secret",{SINGLE},"timestamp":{timestamp}}}'
    assert refused(single).message == message


def test_a_missing_timestamp() -> None:
    body = '{"key":"secret","metrics":[{"metric":"a","value":{}}]}'
    assert refused(body).message == "invalid timestamp"


@pytest.mark.parametrize("second", [NOW - 3600, NOW, NOW + 60])
def test_the_window_includes_its_ends(second: int) -> None:
    assert accepted(with_element(timestamp=f"{second}")).timestamps == [second]
    assert accepted(with_element(timestamp=f'"{second}"')).timestamps == [second]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[]", "invalid value data passed"),
        ("[1]", "invalid value data passed"),
        ('{"a":1}', "invalid value data passed"),
        ("null", "invalid value - null"),
        ("true", "invalid value - true"),
        ("false", "invalid value - false"),
        ("1e999", "invalid value - 1e999"),
        ("-1E+999", "invalid value - -1E+999"),
        ("1.7976931348623159e308", "invalid value - 1.7976931348623159e308"),
        ("1" * 400, f"invalid value - {'1' * 100}"),
        ("1" * 10_000, f"invalid value - {'1' * 100}"),
        ('"1e999"', 'invalid value - "1e999"'),
        (f'"{"1" * 400}"', f'invalid value - "{"1" * 99}'),
        ('""', 'invalid value - ""'),
        ('" 1"', 'invalid value - " 1"'),
        ('"1 "', 'invalid value - "1 "'),
        ('"1\\n"', 'invalid value - "1\\n"'),
        ('"nan"', 'invalid value - "nan"'),
        ('"inf"', 'invalid value - "inf"'),
        ('"-Infinity"', 'invalid value - "-Infinity"'),
        ('"0x10"', 'invalid value - "0x10"'),
        ('"1_000"', 'invalid value - "1_000"'),
        ('"1,5"', 'invalid value - "1,5"'),
        ('"."', 'invalid value - "."'),
        ('"1e"', 'invalid value - "1e"'),
        ('"--1"', 'invalid value - "--1"'),
        ('"\\uff11"', 'invalid value - "\\uff11"'),
        ('"a\\"b\\\\"', 'invalid value - "a\\"b\\\\"'),
    ],
)
def test_values(value: str, message: str) -> None:
    assert refused(with_element(value=value)).message == message
    assert refused(f'{{"key":"secret",{SINGLE},"value":{value}}}').message == message


def test_a_missing_value() -> None:
    body = f'{{"key":"secret","metrics":[{{"metric":"a","timestamp":{NOW}}}]}}'
    assert refused(body).message == "no value parameter present"


def test_what_is_shown_is_cut_at_100_characters_after_encoding() -> None:
    quotes = json.dumps('"' * 80)
    assert refused(with_element(value=quotes)).message == f"invalid value - {quotes[:100]}"
    assert len(quotes[:100]) == 100
    timestamp = json.dumps(["é" * 30, {"b": 1}])
    message = refused(with_element(timestamp=timestamp)).message
    assert message == f"invalid timestamp - {timestamp[:100]} - {NOT_AN_INT}"
    digits = refused(with_element(timestamp="1" * 10_000)).message
    assert digits == f"invalid timestamp - {'1' * 100} - {NOT_CURRENT}"


def test_numbers_are_shown_as_they_were_sent() -> None:
    message = refused(with_element(timestamp="[1.50, -0, 1E5, 1e999]")).message
    assert message == f"invalid timestamp - [1.50, -0, 1E5, 1e999] - {NOT_AN_INT}"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0", 0.0),
        ("-0", 0.0),
        ("-1.5e-3", -0.0015),
        ("1e-999", 0.0),
        ("12345678901234567890", 12345678901234567890.0),
        ("9007199254740993", 9007199254740992.0),
        ("0." + "1" * 10_000, 1 / 9),
        ('"1.5"', 1.5),
        ('"+1"', 1.0),
        ('"-.5"', -0.5),
        ('"5."', 5.0),
        ('"007"', 7.0),
        ('"1E3"', 1000.0),
        ('"1.7976931348623157e308"', 1.7976931348623157e308),
    ],
)
def test_accepted_values(value: str, number: float) -> None:
    assert accepted(with_element(value=value)).values == [number]


def test_a_large_body_is_walked_like_any_other() -> None:
    padding = "x" * 1024 * 1024
    assert accepted(with_element(value='"1"', more=f',"tag":"{padding}"')).values == [1.0]
    assert refused(with_element(value="null", more=f',"tag":"{padding}"')).index == 0


@pytest.mark.parametrize(
    ("element", "message"),
    [
        (
            '{"metric":"a b","timestamp":1,"value":null}',
            "invalid metric - a b - invalid characters in name",
        ),
        ('{"timestamp":1,"value":null}', "invalid metric"),
        ('{"metric":"a","timestamp":1,"value":null}', f"invalid timestamp - 1 - {NOT_CURRENT}"),
        ('{"metric":"a","value":null}', "invalid timestamp"),
        (f'{{"metric":"a","timestamp":{NOW},"value":null}}', "invalid value - null"),
    ],
)
def test_checks_run_name_then_timestamp_then_value(element: str, message: str) -> None:
    body = f'{{"key":"secret","metrics":[{ELEMENT},{ELEMENT},{element},{{}}]}}'
    error = refused(body)
    assert (error.message, error.index) == (message, 2)


def test_unknown_members_of_an_element_are_ignored() -> None:
    more = ',"tags":{"a":[1e999]},"key":7,"metrics":[],"é":"é"'
    for value in ("1", '"1"'):
        assert accepted(with_element(value=value, more=more)).values == [1.0]


# Fill


@pytest.mark.parametrize("fill", ["true", '"true"'])
def test_fill_lifts_the_age_check_only(fill: str) -> None:
    more = f',"fill":{fill}'
    post = accepted(with_element(timestamp="1000000000", more=more))
    assert (post.timestamps, post.fills) == ([1_000_000_000], [True])
    late = refused(with_element(timestamp=str(NOW + 61), more=more)).message
    assert late.endswith(" - timestamp is more than 1 minute in the future")
    short = refused(with_element(timestamp="999999999", more=more)).message
    assert short.endswith(f" - {NOT_CURRENT}")


@pytest.mark.parametrize("fill", ["false", "null", "1", '"True"', '"yes"', "[]", '"false"'])
def test_any_other_fill_is_none(fill: str) -> None:
    assert accepted(with_element(more=f',"fill":{fill}')).fills is None
    old = with_element(timestamp="1000000000", more=f',"fill":{fill}')
    assert "too old" in refused(old).message


def test_fill_belongs_to_its_element() -> None:
    old = '{"metric":"old","timestamp":1000000000,"value":1,"fill":true}'
    post = accepted(f'{{"key":"secret","metrics":[{ELEMENT},{old}]}}')
    assert post.fills == [False, True]
    error = refused(
        f'{{"key":"secret","metrics":[{old},{old.replace(",", ", ").replace("true", "false")}]}}'
    )
    assert "too old" in error.message
    assert error.index == 1


def test_fill_in_the_single_form() -> None:
    body = '{"key":"secret","metric":"a","timestamp":1000000000,"value":1,"fill":true}'
    assert accepted(body).fills == [True]
