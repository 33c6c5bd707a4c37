"""Telegraf at the ingestion endpoint: always an answer that it goes on after."""

import gzip
import json
from typing import Any

from falcon import testing
from web.inprocess import NOW, InProcess

PATH = "/flux/metric_data_post"


def metric(fields: dict[str, Any], timestamp: int = NOW) -> dict[str, Any]:
    return {"name": "m", "tags": {"host": "h"}, "fields": fields, "timestamp": timestamp}


def send(fluxd: InProcess, *metrics: dict[str, Any], **headers: str) -> testing.Result:
    body = gzip.compress(json.dumps({"metrics": metrics}).encode())
    given = {"key": fluxd.ingest_key, "telegraf": "true", "Content-Encoding": "gzip", **headers}
    return fluxd.client.simulate_post(PATH, body=body, headers=given)


def stored(fluxd: InProcess) -> list[tuple[str, int, float]]:
    with fluxd.store.read() as reader:
        rows: Any = reader.execute("SELECT * FROM datapoints_recent ORDER BY metric, timestamp")
        return list(rows)


def test_what_is_good_is_stored_and_answered_with_204(fluxd: InProcess) -> None:
    result = send(fluxd, metric({"a": 1, "b": 2.5}), metric({"a": 3}, NOW - 10), prefix="lab")
    assert (result.status_code, result.content) == (204, b"")
    assert stored(fluxd) == [
        ("lab.h.m.a", NOW - 10, 3.0),
        ("lab.h.m.a", NOW, 1.0),
        ("lab.h.m.b", NOW, 2.5),
    ]


def test_what_is_not_is_told_and_the_rest_is_stored(fluxd: InProcess) -> None:
    result = send(fluxd, metric({"a": 1, "on": True}), metric({"b": 1}, NOW - 4000))
    assert result.status_code == 207
    old = "timestamp is too old, older than 3600 seconds"
    assert result.json == {
        "code": 207,
        "data": [
            {"metric": "h.m.on", "status": 400, "reason": "invalid value - true"},
            {
                "metric": "h.m.b",
                "status": 400,
                "reason": f"invalid timestamp - {NOW - 4000} - {old}",
            },
        ],
        "message": "1 metrics were processed and 2 metrics were rejected",
        "processed metrics count": 1,
        "submitted metrics count": 3,
    }
    assert stored(fluxd) == [("h.m.a", NOW, 1.0)]
    (rejection,) = fluxd.store.rejections.rows()  # a bool is no mistake of its sender's
    assert (rejection.key, rejection.element) == ("agent", "h.m.b")


def test_all_wrong_is_no_error_either(fluxd: InProcess) -> None:
    assert send(fluxd, metric({"text": "x"})).status_code == 207
    assert send(fluxd).status_code == 204
    assert stored(fluxd) == []


def test_the_quota_refuses_new_metrics_alone(fluxd: InProcess) -> None:
    key = fluxd.add_key("small", quota=1, prefix="p")
    result = send(fluxd, metric({"a": 1, "b": 2}), key=key)
    assert result.status_code == 207
    (refused,) = result.json["data"]
    assert refused["metric"] == "h.m.b"
    assert refused["reason"] == "over quota - this account is allowed 1 metrics"
    assert send(fluxd, metric({"a": 1}), key=key).status_code == 204
    assert {name for name, _, _ in stored(fluxd)} == {"p.h.m.a"}


def test_what_is_no_batch_is_refused_and_the_key_checked(fluxd: InProcess) -> None:
    assert send(fluxd, {"metric": "a", "timestamp": NOW, "value": 1}).status_code == 400
    assert send(fluxd, metric({"a": 1}), key="wrong").status_code == 401
    assert send(fluxd, metric({"a": 1}), key=fluxd.read_key).status_code == 401
    assert send(fluxd, metric({"a": 1}), key="").json["message"] == "no key passed"
    assert stored(fluxd) == []


def test_only_the_header_makes_it_telegrafs(fluxd: InProcess) -> None:
    assert send(fluxd, metric({"a": 1}), telegraf="false").status_code == 400
    assert send(fluxd, metric({"a": 1}), telegraf="").status_code == 204


def test_a_store_that_can_not_write_is_503(fluxd: InProcess) -> None:
    fluxd.store.writer.refusing = "the disk is full"
    result = send(fluxd, metric({"a": 1}))
    assert result.status_code == 503
    assert int(result.headers["retry-after"]) > 0


def test_test_mode_stores_nothing(fluxd: InProcess) -> None:
    key = fluxd.add_key("small", quota=1)
    sent = metric({"a": 1, "b": 2, "text": "x"})
    result = send(fluxd, sent, key=key, **{"x-test-only": "1"})
    assert result.status_code == 207
    assert result.json["processed metrics count"] == 1
    assert stored(fluxd) == []
    assert fluxd.store.catalog.id_of("h.m.a") is None
    noted = fluxd.store.ingestion_tests.rows(NOW)
    assert [(one.metrics, one.dropped) for one in noted if one.message is None] == [
        (["h.m.a"], ["h.m.b"])
    ]
    (message,) = [one.message for one in noted if one.message is not None]
    assert message == '1 fields dropped, the first: h.m.text - invalid value - "x"'


def test_requests_are_counted(fluxd: InProcess) -> None:
    send(fluxd, metric({"a": 1}))
    send(fluxd, metric({"a": 1, "text": "x"}))
    counts = fluxd.services.counts
    assert (counts.statuses[204], counts.statuses[207], counts.accepted) == (1, 1, 2)
    assert list(fluxd.store.keys.seen.values()) == [NOW]
