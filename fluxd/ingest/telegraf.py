"""Telegraf's JSON (`data_format = "json"`), one metric or a batch: each field is a datapoint.

Telegraf sends a batch that was refused again for ever, whatever is wrong with it. So of a batch
that is well formed the good datapoints are taken, and the others are told one by one.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from fluxd.core.errors import BadRequestError
from fluxd.core.keys import Key
from fluxd.ingest.element import MISSING, Row, read_element
from fluxd.ingest.post import Admission, Post, Window
from fluxd.ingest.strict_json import INVALID_JSON, decode, json_text
from fluxd.ingest.walk import LARGE_BODY, large_body

_not_in_names = re.compile(r"[^A-Za-z0-9+\-%._/=:]")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A field that can't be stored; `expected` where telegraf sends such all the time."""

    metric: str
    reason: str
    expected: bool = False


@dataclass(slots=True)
class TelegrafPost:
    """A batch: what can be stored, and what can't."""

    post: Post
    dropped: list[Dropped] = field(default_factory=list)


def parse_telegraf(
    body: bytes,
    credential: str | None,
    prefix: str | None,
    find_key: Callable[[str], Key | None],
    known: Callable[[Key], Mapping[str, int]],
    now: int,
    max_age: int,
) -> TelegrafPost:
    """Read an inflated body; `prefix` is the header's, the rest as of `parse_post`.

    Raises BadRequestError for a body that is no batch of telegraf's, and UnauthorisedError.
    """
    admission = Admission(credential, find_key, known, Window(now, max_age))
    with large_body if len(body) > LARGE_BODY else contextlib.nullcontext():
        value = decode(body) if body else None
        if not value and value not in (b"0", False):
            raise BadRequestError("no POST data received")
        if not isinstance(value, dict):
            raise BadRequestError(INVALID_JSON)
        key = admission.identify(None)
        try:
            return _read(list(_metrics(value)), prefix, key, admission)
        except BadRequestError as error:
            error.key = key
            raise


@dataclass(frozen=True, slots=True)
class _Metric:
    """One of telegraf's metrics: a name, tags and fields at one time."""

    name: str
    tags: Mapping[str, object]
    fields: Mapping[str, object]
    timestamp: object


def _metrics(value: dict[str, object]) -> Iterator[_Metric]:
    """Yield the metrics of a batch, or the one that stands alone."""
    sent = value.get("metrics", [value])
    if not isinstance(sent, list):
        raise BadRequestError("invalid metrics element")
    for index, one in enumerate(sent):
        name = one.get("name") if isinstance(one, dict) else None
        tags = one.get("tags", {}) if isinstance(one, dict) else None
        fields = one.get("fields") if isinstance(one, dict) else None
        if not (isinstance(name, str) and isinstance(tags, dict) and isinstance(fields, dict)):
            raise BadRequestError(
                "invalid metrics element", index=index, element=json_text(one, 300)
            )
        yield _Metric(name, tags, fields, one.get("timestamp", MISSING))


def _read(
    metrics: list[_Metric], prefix: str | None, key: Key, admission: Admission
) -> TelegrafPost:
    known = admission.known(key)
    rows: list[Row] = []
    dropped: list[Dropped] = []
    for metric in metrics:
        for field_name, value in metric.fields.items():
            name = name_of(prefix, metric.name, metric.tags, field_name)
            if isinstance(value, str | bool):
                reason = f"invalid value - {json_text(value)}"
                dropped.append(Dropped(name, reason, expected=True))
                continue
            element: dict[str, object] = {"metric": name, "value": value}
            if metric.timestamp is not MISSING:
                element["timestamp"] = metric.timestamp
            try:
                rows.append(read_element(element, known, key.prefix, admission.window, json_text))
            except BadRequestError as fault:
                dropped.append(Dropped(name, fault.message))
    return TelegrafPost(
        Post(
            key=key,
            names=[row.name for row in rows],
            ids=[row.metric_id for row in rows],
            timestamps=[row.timestamp for row in rows],
            values=[row.value for row in rows],
            fills=None,
            test=False,
        ),
        dropped,
    )


def name_of(
    prefix: str | None, measurement: str, tags: Mapping[str, object], field_name: str
) -> str:
    """Return the name that a field is stored under.

    >>> name_of(None, "disk", {"path": "/var/log", "host": "web-1.lan"}, "used.percent")
    'web-1.lan.-var-log.disk.used_percent'
    >>> name_of("lab", "cpu", {"cpu": "cpu 0", "host": ""}, "idle")
    'lab.cpu_0.cpu.idle'
    """
    others = [_part(tags[tag]) for tag in sorted(tags) if tag != "host"]
    parts = [
        _dotted(prefix or ""),
        _dotted(tags.get("host", "")),
        *others,
        _dotted(measurement),
        _part(field_name),
    ]
    return ".".join(part for part in parts if part)


def _dotted(text: object) -> str:
    """Return what keeps its dots: a host's or a measurement's name."""
    return _not_in_names.sub("_", text if isinstance(text, str) else json_text(text))


def _part(text: object) -> str:
    """Return what is one part of a name: a tag's value, or a field."""
    return _dotted(text).replace(".", "_").replace("/", "-")
