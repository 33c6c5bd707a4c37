from web.inprocess import NOW, InProcess

from fluxd.store.ingestion_tests import IngestionTest


def test_rejections_are_listed_with_what_helps_to_mend_them(fluxd: InProcess) -> None:
    note = fluxd.store.rejections.note
    note(NOW - 9, None, "no key passed")
    note(NOW - 5, "agent", "invalid metric - a..b", index=3, element='"a..b"')
    note(NOW - 4, "agent", "invalid metric - c..d", index=7, element='"c..d"')
    assert fluxd.get("/api/v1/rejections").json == {
        "rejections": [
            {
                "time": NOW - 4,
                "key": "agent",
                "reason": "invalid metric",
                "message": "invalid metric - c..d",
                "index": 7,
                "element": '"c..d"',
                "count": 2,
            },
            {
                "time": NOW - 9,
                "key": None,
                "reason": "no key passed",
                "message": "no key passed",
                "index": None,
                "element": None,
                "count": 1,
            },
        ],
        "next": None,
    }


def test_a_refused_post_appears(fluxd: InProcess) -> None:
    body = {"key": fluxd.ingest_key, "metrics": [{"metric": "a", "timestamp": 1, "value": 1}]}
    assert fluxd.client.simulate_post("/flux/metric_data_post", json=body).status_code == 400
    (entry,) = fluxd.get("/api/v1/rejections").json["rejections"]
    assert (entry["time"], entry["key"], entry["index"]) == (NOW, "agent", 0)


def test_ingestion_tests_are_listed_the_latest_first(fluxd: InProcess) -> None:
    fluxd.store.ingestion_tests.note(IngestionTest(NOW - 2, "agent", ["a"], ["b"]))
    fluxd.store.ingestion_tests.note(IngestionTest(NOW - 1, "agent", [], [], "invalid json data"))
    assert fluxd.get("/api/v1/ingestion-tests").json == {
        "ingestion_tests": [
            {
                "time": NOW - 1,
                "key": "agent",
                "metrics": [],
                "dropped": [],
                "message": "invalid json data",
            },
            {"time": NOW - 2, "key": "agent", "metrics": ["a"], "dropped": ["b"], "message": None},
        ],
        "next": None,
    }


def test_pages_follow_one_another(fluxd: InProcess) -> None:
    for number in range(5):
        fluxd.store.rejections.note(NOW + number, f"key-{number}", "no metric data passed")
    found = []
    query = "?limit=2"
    for _ in range(3):
        answer = fluxd.get(f"/api/v1/rejections{query}").json
        found += [entry["key"] for entry in answer["rejections"]]
        query = f"?limit=2&cursor={answer['next']}"
    assert answer["next"] is None
    assert found == [f"key-{number}" for number in (4, 3, 2, 1, 0)]
    beyond = fluxd.get("/api/v1/rejections?cursor=9223372036854775807").json
    assert beyond == {"rejections": [], "next": None}
