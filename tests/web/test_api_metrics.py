import http.client
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from web.inprocess import NOW, InProcess

from fluxd.core.states import STATES
from fluxd.store.connection import Connection
from fluxd.store.metrics import Summary, write_summaries
from fluxd.store.rebuilds import History
from fluxd.store.series import retire_series
from fluxd.web.api_metrics import MAX_LOOKED_AT
from fluxd.web.server import Server

# Every kind of character that a name may have, and names that look like something else in a path.
NAMES = [
    "web-1.cpu.user",
    "disk./var",
    "/",
    "//",
    "a/datapoints",
    "a",
    "a%2Fdatapoints",
    "50%",
    "100%25",
    "%2F",
    "a+b",
    "a b".replace(" ", "%20"),
    "http://host:80/x=1",
    "Zeit_=:+-%",
]


def names(fluxd: InProcess, query: str = "") -> list[str]:
    return [metric["metric"] for metric in fluxd.get(f"/api/v1/metrics{query}").json["metrics"]]


def test_a_metric_that_is_being_learnt(fluxd: InProcess) -> None:
    fluxd.learn("cpu", [(NOW - 60 * i, 1.0 + i % 3) for i in range(6, -1, -1)])
    assert fluxd.get("/api/v1/metrics/cpu").json == {
        "metric": "cpu",
        "interval": 60.0,
        "datapoints": 7,
        "first": NOW - 360,
        "last": NOW,
        "state": "learning",
        "ready_in": 93 * 60,
        "progress": "7/100 datapoints, first verdict about 23:46 UTC",
    }


def test_a_metric_that_is_analysed(fluxd: InProcess) -> None:
    fluxd.learn("cpu", [(NOW - 60 * i, 1.0 + i % 3) for i in range(150, 0, -1)])
    metric = fluxd.get("/api/v1/metrics/cpu").json
    assert (metric["state"], metric["datapoints"], metric["ready_in"]) == ("analysed", 150, None)


def test_what_was_just_stored_counts_before_it_is_analysed(fluxd: InProcess) -> None:
    fluxd.store_datapoints("new", [(NOW, 1.0)])
    assert fluxd.get("/api/v1/metrics/new").json == {
        "metric": "new",
        "interval": None,
        "datapoints": 1,
        "first": NOW,
        "last": NOW,
        "state": "learning",
        "ready_in": None,
        "progress": "1/100 datapoints, being learnt now",
    }
    assert fluxd.get("/api/v1/metrics").json["metrics"][0]["datapoints"] == 1
    while fluxd.analysis.step(NOW):
        pass
    assert fluxd.get("/api/v1/metrics/new").json["progress"] == "1/100 datapoints"


def test_an_import_says_that_it_is_being_learnt(fluxd: InProcess) -> None:
    fluxd.learn("new", [(NOW - 60 * i, 1.0) for i in range(3)])
    times = np.arange(NOW - 600_000, NOW - 300, 60)
    history = History("new", times, times % 7.0)

    def load(connection: Connection) -> None:
        while not history.complete:
            history.write_some(connection, now=NOW, more=lambda: True)

    fluxd.store.writer.run(load)
    metric = fluxd.get("/api/v1/metrics/new").json
    assert metric["progress"] == "9,998 datapoints stored, being learnt now"
    # Who waits for verdicts waits for this number.
    assert (metric["state"], metric["datapoints"]) == ("learning", 3)
    assert (metric["interval"], metric["first"], metric["last"]) == (60.0, times[0], NOW)


@pytest.mark.parametrize("path", ["nothing", "", "a%ff", "%00", "a%2", "datapoints", "x" * 5_000])
def test_there_is_no_such_metric(fluxd: InProcess, path: str) -> None:
    fluxd.learn("a", [(NOW, 1.0)])
    assert "there is no" in fluxd.refusal(f"/api/v1/metrics/{path}", 404)
    assert "there is no" in fluxd.refusal(f"/api/v1/metrics/{path}/datapoints", 404)


def test_metrics_are_listed_by_name_page_by_page(fluxd: InProcess) -> None:
    expected = sorted(f"host-{i}.cpu" for i in range(25))
    for name in reversed(expected):
        fluxd.store_datapoints(name, [(NOW, 1.0)])
    found, query = [], "?limit=10"
    for _ in range(3):
        answer = fluxd.get(f"/api/v1/metrics{query}").json
        found += [metric["metric"] for metric in answer["metrics"]]
        query = f"?limit=10&cursor={quote(answer['next'] or '')}"
    assert answer["next"] is None
    assert found == expected


def test_match_is_a_part_or_a_glob(fluxd: InProcess) -> None:
    for name in ("web-1.cpu", "web-2.cpu", "db-1.cpu", "a+b"):
        fluxd.store_datapoints(name, [(NOW, 1.0)])
    assert names(fluxd, "?match=b-1") == ["db-1.cpu", "web-1.cpu"]
    assert names(fluxd, "?match=web*") == ["web-1.cpu", "web-2.cpu"]
    assert names(fluxd, "?match=?b-[12].cpu") == ["db-1.cpu"]
    assert names(fluxd, "?match=%2B") == ["a+b"]
    assert names(fluxd, "?match=[") == []


def test_metrics_in_a_state(fluxd: InProcess) -> None:
    for number in range(6):
        count = 120 if number % 2 else 10
        fluxd.learn(f"m{number}", [(NOW - 60 * i, float(i % 5)) for i in range(count, 0, -1)])
    assert names(fluxd, "?state=analysed") == ["m1", "m3", "m5"]
    assert names(fluxd, "?state=learning&match=m[2-5]") == ["m2", "m4"]
    answer = fluxd.get("/api/v1/metrics?state=learning&limit=2").json
    assert (len(answer["metrics"]), answer["next"]) == (2, "m2")
    answer = fluxd.get("/api/v1/metrics?state=learning&limit=2&cursor=m2").json
    assert ([metric["metric"] for metric in answer["metrics"]], answer["next"]) == (["m4"], None)


def test_a_metric_that_is_silent_for_too_long_is_stale(fluxd: InProcess) -> None:
    fluxd.learn("old", [(NOW - 60 * i, 1.0 + i % 3) for i in range(149, -1, -1)])
    fluxd.learn("slow", [(NOW - 3600 * i, 1.0 + i % 3) for i in range(149, -1, -1)])
    fluxd.now += 300
    assert names(fluxd, "?state=stale") == []
    fluxd.now += 2 * 3_600
    assert names(fluxd, "?state=stale") == ["old"]
    assert names(fluxd, "?state=analysed") == ["slow"]
    metric = fluxd.get("/api/v1/metrics/old").json
    assert (metric["state"], metric["ready_in"]) == ("stale", None)
    assert metric["progress"] == (
        "silent for 2 hours, since 22:13 UTC on 2023-11-14; 150 datapoints analysed"
    )
    fluxd.learn("old", [(int(fluxd.now), 1.0)])
    assert names(fluxd, "?state=stale") == []


def test_every_state_can_be_asked_for(fluxd: InProcess) -> None:
    fluxd.learn("cpu", [(NOW - 60 * i, 1.0 + i % 3) for i in range(150, 0, -1)])
    found = {state: names(fluxd, f"?state={state}") for state in STATES}
    assert found == {state: ["cpu"] if state == "analysed" else [] for state in STATES}
    assert "must be one of learning, analysed, constant" in fluxd.refusal(
        "/api/v1/metrics?state=silent"
    )


def retire(fluxd: InProcess, name: str, last: int) -> None:
    """Do what the daemon does about a metric that is silent for long."""
    series = fluxd.store.catalog.id_of(name)
    assert series is not None

    def write(connection: Any) -> None:
        retire_series(connection, [series], now=NOW)
        write_summaries(connection, [Summary(series, 60.0, 150, last - 9_000, last, "retired")])
        fluxd.store.catalog.retire([series])

    fluxd.store.writer.run(write)
    fluxd.services.knowledge.retire(series)


def test_a_retired_metric_is_told_as_it_was(fluxd: InProcess) -> None:
    last = NOW - 40 * 86_400
    fluxd.learn("old", [(last - 60 * i, float(i % 3)) for i in range(149, -1, -1)])
    fluxd.learn("cpu", [(NOW, 1.0)])
    retire(fluxd, "old", last)
    assert fluxd.get("/api/v1/metrics/old").json == {
        "metric": "old",
        "interval": 60.0,
        "datapoints": 150,
        "first": last - 9_000,
        "last": last,
        "state": "retired",
        "ready_in": None,
        "progress": "retired: silent since 2023-10-05 22:13 UTC, analysed anew once it reports",
    }
    assert names(fluxd) == ["cpu", "old"]
    assert names(fluxd, "?state=retired") == ["old"]
    assert names(fluxd, "?state=learning") == ["cpu"]
    assert fluxd.get("/api/v1/metrics/old/datapoints").json["to"] == last
    fluxd.learn("old", [(NOW, 2.0)])
    assert names(fluxd, "?state=retired") == []
    assert fluxd.get("/api/v1/metrics/old").json["last"] == NOW


def test_a_retired_metric_whose_numbers_are_not_written(fluxd: InProcess) -> None:
    fluxd.learn("old", [(NOW, 1.0)])
    retire(fluxd, "old", NOW)
    fluxd.store.writer.run(lambda connection: connection.execute("DELETE FROM summaries"))
    metric = fluxd.get("/api/v1/metrics/old").json
    assert metric["progress"] == "retired: analysed anew once it reports"
    assert (metric["last"], metric["interval"]) == (None, None)


def test_a_rare_state_is_looked_for_a_bounded_while(fluxd: InProcess) -> None:
    fluxd.store_datapoints("m00000", [(NOW, 1.0)])
    key = fluxd.store.keys.find(fluxd.ingest_key)
    assert key is not None

    def fill(connection: object) -> None:
        connection.execute(  # type: ignore[attr-defined]
            "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
            " INSERT INTO series (id, name, key, created)"
            " SELECT i, format('m%05d', i), ?2, 0 FROM n",
            (MAX_LOOKED_AT + 500, key.id),
        )

    fluxd.store.writer.run(fill)
    answer = fluxd.get("/api/v1/metrics?state=analysed").json
    assert answer["metrics"] == []
    assert answer["next"] is not None
    answer = fluxd.get(f"/api/v1/metrics?state=analysed&cursor={answer['next']}").json
    assert answer == {"metrics": [], "next": None}


@pytest.fixture
def address(fluxd: InProcess) -> Iterator[tuple[str, int]]:
    """Serve the app behind the real server."""
    server = Server(fluxd.app, "127.0.0.1", 0, threads=1)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield "127.0.0.1", int(server.effective_port)
    server.stop()
    thread.join()


@pytest.mark.filterwarnings("ignore:send_bytes:DeprecationWarning")
def test_every_name_is_found_through_the_real_server(
    fluxd: InProcess, address: tuple[str, int]
) -> None:
    for at, name in enumerate(NAMES):
        fluxd.learn(name, [(NOW - at, float(at))])
    connection = http.client.HTTPConnection(*address)

    def get(path: str, status: int = 200) -> dict[str, object]:
        headers = {"Authorization": f"Bearer {fluxd.read_key}"}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read()
        assert response.status == status, (path, body)
        return dict(json.loads(body))

    for at, name in enumerate(NAMES):
        segment = quote(name, safe="")
        assert get(f"/api/v1/metrics/{segment}")["metric"] == name
        assert get(f"/api/v1/metrics/{segment}?")["metric"] == name
        assert get(f"http://h:1/api/v1/metrics/{segment}")["metric"] == name  # as to a proxy
        answer = get(f"/api/v1/metrics/{segment}/datapoints?step=1")
        assert (answer["metric"], answer["values"]) == (name, [float(at)])
    assert get("/api/v1/metrics/a%ff", 404)["code"] == 404
    assert get("/api/v1/metrics/a%2", 404)["code"] == 404
    connection.close()


@pytest.mark.parametrize("name", [name for name in NAMES if "/" not in name])
def test_names_without_a_slash_survive_a_server_that_hides_the_address(
    fluxd: InProcess, name: str
) -> None:
    fluxd.learn(name, [(NOW, 1.0)])
    result = fluxd.get(f"/api/v1/metrics/{quote(name, safe='')}", extras={"RAW_URI": ""})
    assert result.json["metric"] == name
