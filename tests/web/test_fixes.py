import pytest

from fluxd.store.rejections import Rejection, reason_of
from fluxd.web.fixes import fix_of

NOW = 1_700_000_000
FUTURE = "timestamp is more than 1 minute in the future"


@pytest.mark.parametrize(
    ("message", "fix"),
    [
        (
            f"invalid timestamp - {NOW - 7200} - timestamp is too old, older than 3600 seconds",
            "timestamp 2 h old: check that host's clock, or send history",
        ),
        (
            f'invalid timestamp - "{NOW + 200_000}" - {FUTURE}',
            "timestamp 2 days in the future",
        ),
        (
            "invalid timestamp - 1700000000000 - timestamp is not a valid current unix timestamp",
            "1,000",
        ),
        ("invalid timestamp - 1.5 - timestamp is not an int", "whole seconds"),
        ("invalid timestamp", "Unix seconds"),
        ("invalid value - null", "leave out"),
        ("invalid value data passed", "one number"),
        ("no value parameter present", "a number"),
        ("invalid metric", "dotted parts"),
        ("invalid metric - a b - invalid characters in name", "A-Z a-z 0-9"),
        ("invalid metric - aaa - longer than 255 characters", "255"),
        ("invalid metric - aaa - name too long", "prefix"),
        ("invalid metrics element", "list of objects"),
        ("invalid json data", "valid JSON"),
        ("no POST data received", "empty"),
        ("no key passed", "header"),
        ("no metric data passed", '"metrics"'),
        ("Invalid parameter received - metrix", "spelling"),
        ("payload too large - more than 1048576 bytes: send fewer", "500"),
        ("something quite new", "what the message says"),
    ],
)
def test_each_message_of_the_contract_has_a_fix(message: str, fix: str) -> None:
    rejection = Rejection(NOW, "k", reason_of(message), message, None, None, 1)
    assert fix in fix_of(rejection)
