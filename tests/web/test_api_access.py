import logging

import pytest
from web.inprocess import InProcess

from fluxd.store.keys import revoke_key
from fluxd.web.auth import bearer

ADDRESSES = [
    "/api/v1/metrics",
    "/api/v1/metrics/a",
    "/api/v1/metrics/a/datapoints",
    "/api/v1/anomalies",
    "/api/v1/anomalies/1",
    "/api/v1/incidents",
    "/api/v1/incidents/1",
    "/api/v1/events",
    "/api/v1/notifications",
    "/api/v1/rejections",
    "/api/v1/ingestion-tests",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_nothing_below_api_opens_without_a_read_key(fluxd: InProcess, address: str) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {fluxd.ingest_key}"},
        {"Authorization": f"Basic {fluxd.read_key}"},
        {"Authorization": "Bearer"},
        {"Authorization": fluxd.read_key},
        {"key": fluxd.read_key},
    ):
        result = fluxd.client.simulate_get(address, headers=headers)
        assert result.status_code == 401
        assert result.json == {"code": 401, "message": "invalid key"}
        assert result.headers["www-authenticate"] == "Bearer"


def test_encoding_the_path_is_no_way_round(fluxd: InProcess) -> None:
    for path in ("/%61pi/v1/metrics", "//api/v1/metrics", "//api/v1/metrics/a/datapoints"):
        assert fluxd.client.simulate_get(path).status_code == 401


def test_the_scheme_may_be_written_in_any_case(fluxd: InProcess) -> None:
    headers = {"Authorization": f"bEARER  {fluxd.read_key} "}
    assert fluxd.client.simulate_get("/api/v1/metrics", headers=headers).status_code == 200


def test_a_revoked_key_reads_no_more(fluxd: InProcess) -> None:
    assert fluxd.get("/api/v1/metrics").status_code == 200

    def revoke(connection: object) -> None:
        revoke_key(connection, "page", now=1)  # type: ignore[arg-type]
        fluxd.store.keys.load(connection)  # type: ignore[arg-type]

    fluxd.store.writer.run(revoke)
    assert fluxd.get("/api/v1/metrics").status_code == 401


def test_no_key_is_needed_for_what_tells_nothing_of_the_metrics(fluxd: InProcess) -> None:
    for path in ("/healthz", "/metrics", "/openapi.json"):
        assert fluxd.client.simulate_get(path).status_code == 200


def test_wrong_keys_are_counted_and_logged_once_a_minute(
    fluxd: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for _ in range(50):
            fluxd.get("/api/v1/metrics", key="stale-secret")
        fluxd.now += 60
        fluxd.get("/api/v1/metrics", key="stale-secret")
        fluxd.client.simulate_get("/api/v1/metrics")  # no key is no wrong key
    assert [record.args[1] for record in caplog.records if record.args] == [1, 50]  # type: ignore[index]
    assert "stale-secret" not in caplog.text
    assert 'fluxd_wrong_keys_total{endpoint="api"} 51\n' in fluxd.get("/metrics").text


@pytest.mark.parametrize("header", [None, "", " ", "Bearer", "Bearer  ", "Basic abc", "abc"])
def test_a_header_without_a_secret(header: str | None) -> None:
    assert bearer(header) is None
