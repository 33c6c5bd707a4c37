"""Section 6 of the ingestion contract: GET /flux/metric_data."""

import pytest
from ingest.desk import KEYS, NOW, query, query_refused

from fluxd.core.errors import UnauthorisedError
from fluxd.ingest.flux import Post, StatusQuery

GOOD = {"key": "secret", "metric": "known.a", "timestamp": str(NOW), "value": "1.5"}


def test_a_datapoint() -> None:
    expected = Post(KEYS["secret"], ["known.a"], [7], [NOW], [1.5], None, test=False)
    assert query(GOOD) == expected
    assert query(dict(reversed(GOOD.items()))) == expected


def test_fill_and_test() -> None:
    post = query({**GOOD, "timestamp": "1000000000", "fill": "true", "test": "true"})
    assert isinstance(post, Post)
    assert (post.fills, post.test) == ([True], True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": ""}, "no key passed"),
        ({"metrics": "a"}, "Invalid parameter received - metrics"),
        ({"validate_key": "true"}, "Invalid parameter received - validate_key"),
        ({"Value": "1"}, "Invalid parameter received - Value"),
        ({"metric": ""}, "invalid metric - "),
        ({"metric": "a b"}, "invalid metric - a b - invalid characters in name"),
        ({"timestamp": "x"}, "invalid timestamp - x - timestamp is not an int"),
        ({"timestamp": ""}, "invalid timestamp -  - timestamp is not an int"),
        ({"timestamp": "-5"}, "invalid timestamp - -5 - timestamp is not an int"),
        (
            {"timestamp": "1700000000000"},
            "invalid timestamp - 1700000000000 - timestamp is not a valid current unix timestamp",
        ),
        (
            {"timestamp": "1000000000", "fill": "1"},
            "invalid timestamp - 1000000000 - timestamp is too old, older than 3600 seconds",
        ),
        ({"value": ""}, "invalid value - "),
        ({"value": "nan"}, "invalid value - nan"),
        ({"value": "é" * 101}, f"invalid value - {'é' * 100}"),
        ({"value": '"1"'}, 'invalid value - "1"'),
    ],
)
def test_messages_show_values_unquoted(change: dict[str, str], message: str) -> None:
    assert query_refused({**GOOD, **change}) == message


@pytest.mark.parametrize("missing", ["metric", "timestamp", "value"])
def test_an_incomplete_datapoint(missing: str) -> None:
    params = {name: value for name, value in GOOD.items() if name != missing}
    assert query_refused(params) == "no metric data passed"


def test_nothing_at_all() -> None:
    assert query_refused({}) == "no key passed"


def test_keys() -> None:
    with pytest.raises(UnauthorisedError, match=r"^invalid key$"):
        query({**GOOD, "key": "reader"})
    post = query({**GOOD, "key": "wrong"}, "other")
    assert isinstance(post, Post)
    assert post.key == KEYS["other"]


@pytest.mark.parametrize("value", ["", "true", "1"])
def test_status_needs_no_key(value: str) -> None:
    assert query({"status": value, "nonsense": "1"}) == StatusQuery()


def test_a_status_that_says_no_is_none() -> None:
    assert isinstance(query({**GOOD, "status": "false"}), Post)
