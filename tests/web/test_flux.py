"""POST /flux/metric_data_post from request to store: quota, prefix, test mode, durability."""

import gzip
import json
from typing import Any

import apsw
import pytest
from falcon import testing
from web.inprocess import NOW, InProcess

from fluxd.store.anomalies import page_anomalies

PATH = "/flux/metric_data_post"


def element(metric: str, timestamp: int = NOW, value: Any = 1.5, **more: Any) -> dict[str, Any]:
    return {"metric": metric, "timestamp": timestamp, "value": value, **more}


def post(fluxd: InProcess, *elements: dict[str, Any], **options: Any) -> testing.Result:
    body = {"key": options.pop("key", fluxd.ingest_key), "metrics": list(elements)}
    body |= options.pop("body", {})
    return fluxd.client.simulate_post(PATH, body=json.dumps(body), **options)


def stored(fluxd: InProcess) -> dict[tuple[str, int], float]:
    with fluxd.store.read() as reader:
        rows = reader.execute("SELECT metric, timestamp, value FROM datapoints").fetchall()
    return {(metric, timestamp): value for metric, timestamp, value in rows}


def test_what_a_204_acknowledges_is_stored(fluxd: InProcess) -> None:
    result = post(fluxd, element("a"), element("b", NOW - 60, "2.5"))
    assert (result.status_code, result.text) == (204, "")
    assert stored(fluxd) == {("a", NOW): 1.5, ("b", NOW - 60): 2.5}


def test_a_refused_post_stores_nothing(fluxd: InProcess) -> None:
    result = post(fluxd, element("a"), element("b", value=None))
    assert result.status_code == 400
    assert result.json == {"code": 400, "message": "invalid value - null", "index": 1}
    assert result.headers["content-type"] == "application/json"
    assert stored(fluxd) == {}
    assert fluxd.store.catalog.id_of("a") is None


def test_sent_again_the_later_value_stands(fluxd: InProcess) -> None:
    post(fluxd, element("a"))
    post(fluxd, element("a", value=7), element("a", value=8))
    assert stored(fluxd) == {("a", NOW): 8}


def test_the_single_form_and_fill(fluxd: InProcess) -> None:
    body = {"key": fluxd.ingest_key, **element("a", NOW - 10**8, fill=True)}
    assert fluxd.client.simulate_post(PATH, body=json.dumps(body)).status_code == 204
    assert stored(fluxd) == {("a", NOW - 10**8): 1.5}


def test_a_207_has_exactly_the_members_of_the_contract(fluxd: InProcess) -> None:
    key = fluxd.add_key("small", quota=2)
    post(fluxd, element("known"))
    sent = [element("new-1"), element("known"), element("new-2"), element("new-3")]
    result = post(fluxd, *sent, element("new-3", NOW - 60), key=key)
    assert result.status_code == 207
    assert result.headers["content-type"] == "application/json"
    assert list(result.json.items()) == [
        ("code", 207),
        (
            "data",
            [
                {"metric": "new-3", "status": 400},
                {"metric": "new-3", "status": 400},
                {"metric": "new-1", "status": 204},
                {"metric": "known", "status": 204},
                {"metric": "new-2", "status": 204},
            ],
        ),
        (
            "error",
            (
                "over quota - this account is allowed 2 metrics and an additional 2 new metrics "
                "were posted that have been rejected"
            ),
        ),
        ("message", "3 metrics were processed and 2 metrics were rejected"),
        ("rejected metrics", ["new-3", "new-3"]),
        ("rejected metrics count", 2),
        ("processed metrics", ["new-1", "known", "new-2"]),
        ("processed metrics count", 3),
        ("submitted metrics count", 5),
    ]
    assert {metric for metric, _ in stored(fluxd)} == {"known", "new-1", "new-2"}
    assert post(fluxd, element("new-4"), key=key).json["processed metrics count"] == 0


def test_a_prefix_is_added_once_and_never_left(fluxd: InProcess) -> None:
    key = fluxd.add_key("site", prefix="site.b")
    names = ["cpu", "site.b.cpu", "site.b", "site.bravo", "other.cpu"]
    result = post(fluxd, *(element(name, value=n) for n, name in enumerate(names)), key=key)
    assert result.status_code == 204
    assert stored(fluxd) == {
        ("site.b.cpu", NOW): 1,
        ("site.b", NOW): 2,
        ("site.b.site.bravo", NOW): 3,
        ("site.b.other.cpu", NOW): 4,
    }
    assert post(fluxd, element("cpu", value=9), key=key).status_code == 204
    assert stored(fluxd)["site.b.cpu", NOW] == 9
    roomy = fluxd.add_key("p", prefix="b" * 255)
    assert post(fluxd, element("a" * 255), key=roomy).status_code == 204
    too_long = post(fluxd, element("a" * 255), key=fluxd.add_key("q", prefix="b" * 300))
    assert too_long.json["message"] == f"invalid metric - {'a' * 255} - name too long"


def test_answers_show_the_senders_names(fluxd: InProcess) -> None:
    key = fluxd.add_key("site", prefix="site", quota=0)
    assert post(fluxd, element("cpu"), key=key).json["rejected metrics"] == ["cpu"]


@pytest.mark.parametrize("flag", ["true", "", "1", "anything"])
def test_the_test_header_checks_and_stores_nothing(fluxd: InProcess, flag: str) -> None:
    key = fluxd.add_key("small", quota=1)
    sent = [element("a"), element("b")]
    result = post(fluxd, *sent, key=key, headers={"x-test-only": flag})
    assert (result.status_code, result.text) == (204, "")
    refused = post(fluxd, element("a", value="x"), key=key, headers={"x-test-only": flag})
    assert refused.status_code == 400
    assert stored(fluxd) == {}
    assert len(fluxd.store.catalog) == 0
    newest, older = fluxd.store.ingestion_tests.rows(NOW)
    assert (newest.key, newest.metrics, newest.message) == ("small", [], 'invalid value - "x"')
    assert (older.metrics, older.dropped, older.message) == (["a"], ["b"], None)


@pytest.mark.parametrize("flag", ["false", "0", "no", "off", "FALSE"])
def test_a_test_header_that_says_no_is_none(fluxd: InProcess, flag: str) -> None:
    assert post(fluxd, element("a"), headers={"x-test-only": flag}).status_code == 204
    assert stored(fluxd) == {("a", NOW): 1.5}


def test_the_test_member_answers_with_a_report(fluxd: InProcess) -> None:
    key = fluxd.add_key("small", quota=1)
    result = post(
        fluxd,
        element("a"),
        element("b"),
        key=key,
        body={"test": True},
        headers={"x-test-only": "true"},
    )
    assert result.status_code == 200
    assert result.json == {
        "message": "metric ingestion test, no metrics were ingested only counts are reported",
        "ingest_count": 1,
        "drop_count": 1,
        "metrics": ["a"],
        "dropped": ["b"],
    }
    assert stored(fluxd) == {}


def test_a_refused_test_is_shown_however_it_was_marked(fluxd: InProcess) -> None:
    post(fluxd, element("a", value=None), body={"test": "true"})
    post(fluxd, element("a", value=None), headers={"x-test-only": ""})
    tests = fluxd.store.ingestion_tests.rows(NOW)
    assert [test.message for test in tests] == ["invalid value - null"] * 2
    assert fluxd.store.rejections.rows() == []


def test_error_bodies_are_spaced_as_the_contract_shows_them(fluxd: InProcess) -> None:
    result = fluxd.client.simulate_post(PATH, body=b"{")
    assert result.text == '{"code": 400, "message": "invalid json data"}'
    result = fluxd.client.simulate_post(PATH, body=b'{"status": false}')
    assert result.text == '{"status": "ok"}'


def test_an_unknown_key_has_no_side_effect(fluxd: InProcess) -> None:
    for headers in ({"key": "wrong"}, {"Authorization": "Bearer wrong"}, {"x-test-only": "1"}):
        result = post(fluxd, element("a"), key="wrong", headers=headers)
        assert (result.status_code, result.json["message"]) == (401, "invalid key")
    assert post(fluxd, element("a"), key=fluxd.read_key).status_code == 401
    assert fluxd.store.rejections.rows() == []
    assert fluxd.store.ingestion_tests.rows(NOW) == []


def test_keys_are_taken_from_header_then_bearer_then_body(fluxd: InProcess) -> None:
    good, wrong = fluxd.ingest_key, "wrong"
    orders = [
        ({"key": good, "Authorization": f"Bearer {wrong}"}, wrong, 204),
        ({"Authorization": f"bearer {good}"}, wrong, 204),
        ({"key": wrong, "Authorization": f"Bearer {good}"}, good, 401),
        ({"Authorization": f"Bearer {wrong}"}, good, 401),
        ({"Authorization": "Basic Zm9vOmJhcg=="}, good, 204),
        ({}, good, 204),
    ]
    for headers, in_body, status in orders:
        assert post(fluxd, element("a"), key=in_body, headers=headers).status_code == status


def test_a_key_in_the_header_is_checked_before_the_body_is_looked_at(fluxd: InProcess) -> None:
    for headers, body in (({"Content-Encoding": "gzip"}, b"broken"), ({}, b"{"), ({}, b"")):
        answer = fluxd.client.simulate_post(PATH, body=body, headers={**headers, "key": "wrong"})
        assert answer.status_code == 401
        known = {**headers, "key": fluxd.ingest_key}
        assert fluxd.client.simulate_post(PATH, body=body, headers=known).status_code == 400
    oversize = b" " * ((1 << 20) + 1)
    answer = fluxd.client.simulate_post(PATH, body=oversize, headers={"key": "wrong"})
    assert answer.status_code == 413


def test_gzip_in_any_spelling(fluxd: InProcess) -> None:
    for n, encoding in enumerate(["gzip", "GZip", "x-gzip", "identity"]):
        body = json.dumps({"key": fluxd.ingest_key, **element(f"m{n}")}).encode()
        packed = body if encoding == "identity" else gzip.compress(body)
        headers = {"Content-Encoding": encoding}
        assert fluxd.client.simulate_post(PATH, body=packed, headers=headers).status_code == 204
    assert len(stored(fluxd)) == 4


def test_status_and_validate_key(fluxd: InProcess) -> None:
    def ask(body: dict[str, Any]) -> tuple[int, Any]:
        result = fluxd.client.simulate_post(PATH, body=json.dumps(body))
        return result.status_code, result.json

    assert ask({"status": True}) == (200, {"status": "ok"})
    assert ask({"key": "wrong", "status": "now"}) == (200, {"status": "ok"})
    assert ask({"key": fluxd.ingest_key, "validate_key": True}) == (200, {"status": "key valid"})
    assert ask({"key": "wrong", "validate_key": True})[0] == 401


def test_refusals_are_counted_by_key_and_reason(fluxd: InProcess) -> None:
    for back in (7200, 7260, 7320):
        post(fluxd, element("fine"), element("late", NOW - back))
    post(fluxd, element("bad..name"))
    fluxd.client.simulate_post(PATH, body=b"{")
    entries = fluxd.store.rejections.rows()
    assert [(entry.key, entry.count) for entry in entries] == [("", 1), ("agent", 1), ("agent", 3)]
    late = entries[-1]
    assert late.message == (
        f"invalid timestamp - {NOW - 7320} - timestamp is too old, older than 3600 seconds"
    )
    assert late.index == 1
    assert '"late"' in str(late.element)


def test_a_store_that_cannot_write_is_503_with_retry_after(
    fluxd: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise apsw.FullError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr("fluxd.store.writer.write_parts", refuse)
        result = post(fluxd, element("a"))
    assert result.status_code == 503
    assert int(result.headers["retry-after"]) > 0
    assert result.json["code"] == 503
    assert "disk is full" in result.json["message"]
    assert stored(fluxd) == {}
    assert post(fluxd, element("a")).status_code == 204


def test_filled_datapoints_teach_and_their_anomalies_are_history(fluxd: InProcess) -> None:
    start = NOW - 60 * 2_000
    sent = [element("a", start + 60 * n, 10 + n % 7, fill=True) for n in range(1_500)]
    sent[1_400]["value"] = 500
    assert post(fluxd, *sent).status_code == 204
    fluxd.analyse()
    with fluxd.store.read() as reader:
        found, _ = page_anomalies(reader)
        (flags,) = zip(*reader.execute("SELECT history FROM stretches"), strict=True)
    assert start + 60 * 1_400 in {anomaly.started for anomaly in found}
    assert set(flags) == {1}


def refusal(fluxd: InProcess, *elements: dict[str, Any], **options: Any) -> str:
    result = post(fluxd, *elements, **options)
    assert result.status_code == 503
    assert result.headers["content-type"] == "application/json"
    assert int(result.headers["retry-after"]) >= 1
    assert result.json.keys() == {"code", "message"}
    return str(result.json["message"])


def test_beyond_the_most_metrics_new_ones_are_refused_and_known_ones_pass(
    fluxd: InProcess,
) -> None:
    fluxd.bounds.max_metrics = 2
    assert post(fluxd, element("a"), element("b")).status_code == 204
    message = refusal(fluxd, element("a", value=7), element("c"))
    assert "it holds its 2 metrics" in message
    assert "raise store.max_metrics, or delete metrics (`fluxd metric delete NAME`)" in message
    assert stored(fluxd) == {("a", NOW): 1.5, ("b", NOW): 1.5}
    assert len(fluxd.store.catalog) == 2
    assert post(fluxd, element("a", value=8)).status_code == 204
    refusal(fluxd, element("d"))
    (entry,) = fluxd.store.rejections.rows()
    assert entry.reason == "the store has reached store.max_metrics"
    assert (entry.key, entry.count, entry.message) == ("agent", 2, message)
    fluxd.bounds.max_metrics = 3
    assert post(fluxd, element("c")).status_code == 204


def test_a_quota_is_looked_at_before_the_most_metrics(fluxd: InProcess) -> None:
    key = fluxd.add_key("small", quota=1)
    post(fluxd, element("a"), key=key)
    fluxd.bounds.max_metrics = 1
    assert post(fluxd, element("b"), key=key).status_code == 207
    other = fluxd.add_key("other", quota=1)
    assert "store.max_metrics" in refusal(fluxd, element("b"), key=other)


def test_beyond_the_most_bytes_everything_is_refused_until_there_is_room(
    fluxd: InProcess,
) -> None:
    post(fluxd, element("a"))
    fluxd.bounds.max_bytes = 1
    fluxd.measure()
    message = refusal(fluxd, element("a", NOW - 60))
    assert "raise store.max_bytes, shorten retention.raw" in message
    assert stored(fluxd) == {("a", NOW): 1.5}
    (entry,) = fluxd.store.rejections.rows()
    assert (entry.reason, entry.key) == ("the store has reached store.max_bytes", "agent")
    fluxd.bounds.max_bytes = 1 << 30
    fluxd.measure()
    assert post(fluxd, element("a", NOW - 60)).status_code == 204
