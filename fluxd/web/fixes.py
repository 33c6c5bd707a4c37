"""What to do about a refused request, from the message that its sender got."""

import re

from fluxd.store.rejections import Rejection

_FIXES = (
    ("invalid timestamp - timestamp is too old", "old"),
    ("invalid timestamp - timestamp is more than 1 minute in the future", "future"),
)

_SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "invalid timestamp - timestamp is not a valid current",
        "send seconds with 10 digits: divide milliseconds by 1,000",
    ),
    ("invalid timestamp - timestamp is not an int", "send whole seconds: cut off the fraction"),
    ("invalid timestamp", 'add "timestamp": Unix seconds, such as $(date +%s)'),
    ("invalid value data passed", "send one number as the value, not a list or an object"),
    ("invalid value", "leave out what is no number: null, true, false, NaN and text"),
    ("no value parameter present", 'add "value": a number'),
    ("invalid metric - invalid characters", "use A-Z a-z 0-9 + - % . _ / = : in names"),
    ("invalid metric - longer", "shorten the name to 255 characters"),
    ("invalid metric - name too long", "shorten the name, or the key's prefix"),
    ("invalid metrics element", 'send "metrics" as a list of objects'),
    ("invalid metric", "give each element a name of dotted parts, none of them empty"),
    ("invalid json data", "send valid JSON in UTF-8: with curl, mind the quotes of the shell"),
    ("no POST data received", "send a body: an empty one arrived"),
    ("no key passed", 'send the key in the header "key", or as "key" in the body'),
    ("Invalid parameter received", "leave out what the message names, or mend its spelling"),
    ("no metric data passed", 'send "metrics", or "metric" with "timestamp" and "value"'),
    ("payload too large", "send fewer metrics in one POST: 500 are good"),
    ("the store", "the store could not be written then: /status says whether it can now"),
)

_TIMESTAMP = re.compile(r"invalid timestamp - \"?([0-9]{10})\"? - ", re.ASCII)
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


def fix_of(rejection: Rejection) -> str:
    """Return what mends a refused request, in a sentence without its full stop.

    >>> message = "invalid timestamp - 1700010800 - timestamp is more than 1 minute in the future"
    >>> reason = "invalid timestamp - timestamp is more than 1 minute in the future"
    >>> fix_of(Rejection(1700000000, "k", reason, message, None, None, 1))
    "timestamp 3 h in the future: check that host's clock"
    """
    for reason, kind in _FIXES:
        if rejection.reason.startswith(reason):
            return _fix_of_time(rejection, kind)
    for reason, sentence in _SENTENCES:
        if rejection.reason.startswith(reason):
            return sentence
    return "mend what the message says: the same request fails for ever"


def _fix_of_time(rejection: Rejection, kind: str) -> str:
    match = _TIMESTAMP.match(rejection.message)
    away = abs(int(match[1]) - rejection.time) if match else 0
    if kind == "future":
        return f"timestamp {span(away)} in the future: check that host's clock"
    return (
        f'timestamp {span(away)} old: check that host\'s clock, or send history with "fill": true'
    )


def span(seconds: float) -> str:
    """Write a length of time for a person, in its largest unit.

    >>> span(59), span(3 * 3600), span(200_000)
    ('59 s', '3 h', '2 days')
    """
    if seconds < 2 * _MINUTE_S:
        return f"{round(seconds)} s"
    if seconds < 2 * _HOUR_S:
        return f"{round(seconds / _MINUTE_S)} min"
    if seconds < 2 * _DAY_S:
        return f"{round(seconds / _HOUR_S)} h"
    return f"{round(seconds / _DAY_S):,} days"
