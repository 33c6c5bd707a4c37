"""The walk: a request taken apart member by member, to accept it or to find what is wrong.

It follows the contract's step table from step 4 on and is the reference that the fast path is
tested against. It takes about twelve times as long.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from fluxd.core.errors import BadRequestError
from fluxd.core.keys import Key
from fluxd.ingest.element import Row, Show, is_true, read_element
from fluxd.ingest.post import Admission, KeyQuery, Post, StatusQuery
from fluxd.ingest.strict_json import INVALID_JSON, MAX_SHOWN, decode, json_text

# 8 MiB of `[],[],…`, 8 KiB on the wire, become 230 MB of Python objects. One such body at a time,
# so that a handful of them at once can't take the machine's memory.
LARGE_BODY = 1024 * 1024  # bytes
large_body = Lock()

MAX_ELEMENT_SHOWN = 300  # characters of a refused element kept for its sender to recognise it


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to send: which members it knows at the top, and how values look in messages."""

    members: frozenset[str]
    show: Show


_SINGLE = ("metric", "timestamp", "value")
_JSON_FORM = _Form(
    frozenset({"key", "metrics", *_SINGLE, "fill", "test", "status", "validate_key"}), json_text
)
_QUERY_FORM = _Form(
    frozenset({"key", *_SINGLE, "fill", "test", "status"}), lambda value: str(value)[:MAX_SHOWN]
)


def walk_post(body: bytes, admission: Admission) -> Post | StatusQuery | KeyQuery:
    """Read a JSON body, from step 4 on; raises BadRequestError or UnauthorisedError."""
    if len(body) > LARGE_BODY:
        with large_body:
            return _walk_body(body, admission)
    return _walk_body(body, admission)


def _walk_body(body: bytes, admission: Admission) -> Post | StatusQuery | KeyQuery:
    value = decode(body) if body else None
    if _is_empty(value):
        raise BadRequestError("no POST data received")
    if not isinstance(value, dict):
        raise BadRequestError(INVALID_JSON)
    if _asks(value, "status"):
        return StatusQuery()
    key = admission.identify(value.get("key"))
    if _asks(value, "validate_key"):
        return KeyQuery(key)
    return _read_members(value, key, _JSON_FORM, admission)


def walk_query(params: Mapping[str, str], admission: Admission) -> Post | StatusQuery:
    """Read the parameters of a query string: the single form, from step 6 on; raises likewise."""
    if _asks(params, "status"):
        return StatusQuery()
    key = admission.identify(params.get("key"))
    return _read_members(params, key, _QUERY_FORM, admission)


def _is_empty(value: object) -> bool:
    """Whether a JSON value stands for nothing; `false` and `0.0` don't."""
    return value is None or value in ("", b"0", [], {})


def _asks(members: Mapping[str, object], name: str) -> bool:
    """Whether a query is made: by any value, but null, `false` and "false" beside datapoints.

    The contract writes `{"status": …}`, any value; a sender that fills in every member and writes
    `false` or null wants its datapoints stored, and an "ok" would lose them in silence.
    """
    if name not in members:
        return False
    value = members[name]
    meant = value is not None and value is not False and value != "false"
    return meant or not ("metric" in members or members.get("metrics"))


def _read_members(
    members: Mapping[str, object], key: Key, form: _Form, admission: Admission
) -> Post:
    """Take steps 8 to 11; a fault carries the key."""
    try:
        _check_names(members, form)
        elements, listed = _find_elements(members)
        rows = _read_elements(elements, key, form.show, admission, listed=listed)
    except BadRequestError as error:
        error.key = key
        error.test = is_true(members.get("test"))
        raise
    fills = [row.fill for row in rows]
    return Post(
        key=key,
        names=[row.name for row in rows],
        ids=[row.metric_id for row in rows],
        timestamps=[row.timestamp for row in rows],
        values=[row.value for row in rows],
        fills=fills if any(fills) else None,
        test=is_true(members.get("test")),
    )


def _check_names(members: Mapping[str, object], form: _Form) -> None:
    """Take step 8."""
    for name in members:
        if name not in form.members:
            raise BadRequestError(f"Invalid parameter received - {name}")


def _find_elements(members: Mapping[str, object]) -> tuple[list[dict[str, object]], bool]:
    """Take steps 9 and 10: the elements, at least one, and whether they were in `metrics`.

    The single form is complete when its three members are there; what they hold is step 11's. A
    `fill` beside `metrics` belongs to the single form, and is passed over with it.
    """
    metrics = members.get("metrics")
    if _is_empty(metrics) or metrics is False:
        if not all(name in members for name in _SINGLE):
            raise BadRequestError("no metric data passed")
        return [{name: members[name] for name in (*_SINGLE, "fill") if name in members}], False
    if not isinstance(metrics, list):
        raise _bad_element("invalid metrics element", None, metrics)
    for index, element in enumerate(metrics):
        if not isinstance(element, dict):
            raise _bad_element("invalid metrics element", index, element)
    return metrics, True


def _read_elements(
    elements: list[dict[str, object]], key: Key, show: Show, admission: Admission, *, listed: bool
) -> list[Row]:
    """Take step 11; the first bad element answers for all."""
    known = admission.known(key)
    rows: list[Row] = []
    for element in elements:
        try:
            rows.append(read_element(element, known, key.prefix, admission.window, show))
        except BadRequestError as fault:
            index = len(rows) if listed else None
            raise _bad_element(fault.message, index, element) from None
    return rows


def _bad_element(message: str, index: int | None, element: object) -> BadRequestError:
    if isinstance(element, dict):  # a key that strayed into an element is shown to nobody
        element = {name: value for name, value in element.items() if name != "key"}
    return BadRequestError(message, index=index, element=json_text(element, MAX_ELEMENT_SHOWN))
