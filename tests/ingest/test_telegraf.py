"""Telegraf's JSON, with bodies as `data_format = "json"` writes them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.errors import BadRequestError, UnauthorisedError
from fluxd.core.keys import Key
from fluxd.core.names import name_fault
from fluxd.ingest.telegraf import TelegrafPost, name_of, parse_telegraf

NOW = 1_700_000_000
KEY = Key(1, "telegraf")

# As inputs cpu, disk, system and docker write them, with use_batch_format.
BATCH = """{"metrics":[
{"fields":{"usage_idle":98.09,"usage_user":0.9},"name":"cpu",
 "tags":{"cpu":"cpu-total","host":"web-1.example.org"},"timestamp":1700000000},
{"fields":{"free":41902178304,"inodes_used":386217,"used_percent":36.5},"name":"disk",
 "tags":{"device":"sda1","fstype":"ext4","host":"web-1.example.org","mode":"rw","path":"/var/log"},
 "timestamp":1700000000},
{"fields":{"load1":0.36,"n_cpus":4},"name":"system","tags":{"host":"web-1.example.org"},
 "timestamp":1700000000},
{"fields":{"uptime":912345},"name":"system","tags":{"host":"web-1.example.org"},
 "timestamp":1700000000},
{"fields":{"uptime_format":"10 days, 13:25"},"name":"system",
 "tags":{"host":"web-1.example.org"},"timestamp":1700000000},
{"fields":{"n_images":660,"paused":false},"name":"docker",
 "tags":{"engine_host":"raynor","host":"web-1.example.org","server_version":"24.0.5"},
 "timestamp":1699999990}
]}"""
DISK = "web-1.example.org.sda1.ext4.rw.-var-log.disk"
STORED = {
    "web-1.example.org.cpu-total.cpu.usage_idle": 98.09,
    "web-1.example.org.cpu-total.cpu.usage_user": 0.9,
    f"{DISK}.free": 41902178304.0,
    f"{DISK}.inodes_used": 386217.0,
    f"{DISK}.used_percent": 36.5,
    "web-1.example.org.system.load1": 0.36,
    "web-1.example.org.system.n_cpus": 4.0,
    "web-1.example.org.system.uptime": 912345.0,
    "web-1.example.org.raynor.24_0_5.docker.n_images": 660.0,
}

# One metric a body, as without use_batch_format; from telegraf's own documentation.
SINGLE = """{"fields":{"field_1":30,"field_2":4,"field_N":59,"n_images":660},"name":"docker",
"tags":{"host":"raynor"},"timestamp":1700000000}"""


def parse(body: str | bytes, prefix: str | None = None, key: str | None = "k") -> TelegrafPost:
    raw = body if isinstance(body, bytes) else body.encode()
    return parse_telegraf(
        raw, key, prefix, lambda secret: KEY if secret == "k" else None, lambda _key: {}, NOW, 3600
    )


def metric(**members: object) -> str:
    whole = {"name": "m", "tags": {"host": "h"}, "fields": {"f": 1}, "timestamp": NOW}
    return json.dumps(whole | members)


def test_a_batch() -> None:
    sent = parse(BATCH)
    assert dict(zip(sent.post.names, sent.post.values, strict=True)) == STORED
    assert sent.post.timestamps == [NOW] * 8 + [NOW - 10]
    assert [(one.metric, one.reason, one.expected) for one in sent.dropped] == [
        (
            "web-1.example.org.system.uptime_format",
            'invalid value - "10 days, 13:25"',
            True,
        ),
        ("web-1.example.org.raynor.24_0_5.docker.paused", "invalid value - false", True),
    ]


def test_a_single_metric() -> None:
    sent = parse(SINGLE, "lab")
    fields = ("field_1", "field_2", "field_N", "n_images")
    assert sent.post.names == [f"lab.raynor.docker.{name}" for name in fields]
    assert sent.post.values == [30.0, 4.0, 59.0, 660.0]
    assert sent.dropped == []


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"timestamp": NOW - 3601}, "timestamp is too old, older than 3600 seconds"),
        ({"timestamp": NOW + 61}, "timestamp is more than 1 minute in the future"),
        ({"timestamp": NOW * 1000}, "timestamp is not a valid current unix timestamp"),
        ({"timestamp": 1.5}, "invalid timestamp - 1.5 - timestamp is not an int"),
        ({"timestamp": None}, "invalid timestamp - null"),
        ({"fields": {"f": None}}, "invalid value - null"),
        ({"fields": {"f": [1]}}, "invalid value data passed"),
        ({"tags": {"host": "a..b"}}, "invalid metric - a..b.m.f"),
        ({"name": "m" * 300}, "longer than 255 characters"),
        ({"name": "", "tags": {}, "fields": {"": 1}}, "invalid metric - "),
    ],
)
def test_a_datapoint_that_is_wrong_stops_no_other(sent: dict[str, object], reason: str) -> None:
    body = f'{{"metrics": [{metric(**sent)}, {metric()}]}}'
    taken = parse(body)
    assert taken.post.names == ["h.m.f"]
    (dropped,) = taken.dropped
    assert reason in dropped.reason
    assert not dropped.expected


def test_without_a_timestamp_it_is_dropped() -> None:
    taken = parse('{"name": "m", "fields": {"f": 1}}')
    assert (taken.post.names, taken.dropped[0].reason) == ([], "invalid timestamp")


def test_an_empty_batch_is_one() -> None:
    assert parse('{"metrics": []}').post.names == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "no POST data received"),
        ("{}", "no POST data received"),
        ("[]", "no POST data received"),
        ("null", "no POST data received"),
        ("{", "invalid json data"),
        ("[1]", "invalid json data"),
        ("false", "invalid json data"),
        ("1", "invalid json data"),
        (b"\xff", "invalid json data"),
        ('{"metrics": {}}', "invalid metrics element"),
        ('{"metrics": [1]}', "invalid metrics element"),
        ('{"metrics": [{"name": 1, "fields": {}}]}', "invalid metrics element"),
        ('{"metrics": [{"name": "m"}]}', "invalid metrics element"),
        ('{"name": "m", "fields": {"f": 1}, "tags": []}', "invalid metrics element"),
        ('{"metric": "a", "timestamp": 1, "value": 1}', "invalid metrics element"),
    ],
)
def test_what_is_no_batch_is_refused(body: str | bytes, message: str) -> None:
    with pytest.raises(BadRequestError, match=f"^{message}$"):
        parse(body)


def test_the_key_is_that_of_a_header() -> None:
    with pytest.raises(BadRequestError, match="no key passed"):
        parse(SINGLE, key=None)
    with pytest.raises(UnauthorisedError):
        parse(SINGLE, key="wrong")


@pytest.mark.parametrize(
    ("prefix", "tags", "name"),
    [
        (None, {}, "m.x.f"),
        ("p.q", {"host": "h"}, "p.q.h.m.x.f"),
        (None, {"b": "2", "a": "1", "host": "h"}, "h.1.2.m.x.f"),
        (None, {"url": "http://a.b/c?d=e"}, "http:--a_b-c_d=e.m.x.f"),
        (None, {"name": "ä b"}, "__b.m.x.f"),
        (None, {"empty": "", "none": "v"}, "v.m.x.f"),
        (None, {"host": "büro"}, "b_ro.m.x.f"),
        (None, {"number": b"1.5"}, "1_5.m.x.f"),
    ],
)
def test_names(prefix: str | None, tags: dict[str, object], name: str) -> None:
    assert name_of(prefix, "m.x", tags, "f") == name


@given(st.dictionaries(st.text(), st.text()), st.text())
def test_tags_and_fields_never_make_a_bad_name(tags: dict[str, str], field: str) -> None:
    tags.pop("host", None)
    name = name_of(None, "m", tags, field)
    assert name_fault(name) is None or len(name) > 255
