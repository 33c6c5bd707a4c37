"""Expected windows over HTTP: from deploy scripts with a key to send with, and from pages."""

import json
from typing import Any

import pytest
from web.inprocess import NOW, InProcess

from fluxd.store import hushes
from fluxd.store.hushes import DAY_S
from fluxd.web.sessions import csrf_of

ADDRESS = "/api/v1/events"
WEEK = 604_800


def post(fluxd: InProcess, body: object, key: str | None = None) -> Any:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key or fluxd.ingest_key}"}
    return fluxd.client.simulate_post(ADDRESS, body=sent, headers=headers)


def events(fluxd: InProcess, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = fluxd.get(ADDRESS + query).json["events"]
    return found


def test_a_deploy_script_needs_a_title_only(fluxd: InProcess) -> None:
    answer = post(fluxd, {"title": "deploy of web"})
    assert (answer.status_code, answer.json) == (
        201,
        {
            "id": 1,
            "title": "deploy of web",
            "from": NOW,
            "to": NOW + 1800,
            "metrics": [],
            "weekly": False,
            "message": "expected from 22:13 UTC on 2023-11-14 to 22:43: anomalies of all metrics "
            "that begin then are stored and shown, and nobody is told",
        },
    )
    assert answer.headers["location"] == f"{ADDRESS}/1"
    assert events(fluxd) == [
        {
            "id": 1,
            "title": "deploy of web",
            "from": NOW,
            "to": NOW + 1800,
            "metrics": [],
            "weekly": False,
            "times": [{"from": NOW, "to": NOW + 1800}],
        }
    ]


def test_the_answer_says_what_it_has_silenced(fluxd: InProcess) -> None:
    body = {"title": "x", "metrics": ["web-*", "db"], "minutes": 2_000, "weekly": True}
    answer = post(fluxd, body).json
    assert (answer["metrics"], answer["weekly"]) == (["web-*", "db"], True)
    assert answer["message"].startswith(
        "expected from 22:13 UTC on 2023-11-14 to 07:33 UTC on 2023-11-16, and every week at that "
        "time: anomalies of metrics that match web-* or db that begin"
    )
    answer = post(fluxd, {"title": "x"}, fluxd.add_key("site", prefix="site")).json
    assert answer["metrics"] == ["site.*"]
    many = post(fluxd, {"title": "x", "metrics": ["a", "b", "c", "d"]}).json["message"]
    assert "match a or b or c or others that" in many


def test_the_key_may_be_in_either_header(fluxd: InProcess) -> None:
    body = json.dumps({"title": "x"})
    for headers in ({"key": fluxd.ingest_key}, {"Authorization": f"Bearer {fluxd.ingest_key}"}):
        form = headers | {"Content-Type": "application/x-www-form-urlencoded"}  # curl's own
        assert fluxd.client.simulate_post(ADDRESS, body=body, headers=form).status_code == 201
    for headers in ({}, {"key": "wrong"}, {"Authorization": f"Bearer {fluxd.read_key}"}):
        answer = fluxd.client.simulate_post(ADDRESS, body=body, headers=headers)
        assert (answer.status_code, answer.json["message"]) == (401, "invalid key")
    assert fluxd.get(ADDRESS, key=fluxd.ingest_key).status_code == 401  # to read is another thing


def test_a_browser_tells_of_one_and_forgets_it(fluxd: InProcess) -> None:
    browser = fluxd.sign_in()
    token = {"X-CSRF-Token": csrf_of(browser.cookie)}
    body = json.dumps({"title": "backup", "from": NOW, "to": NOW + 60, "weekly": True})
    refused = fluxd.client.simulate_post(ADDRESS, body=body, headers=browser.headers)
    assert refused.status_code == 403
    headers = browser.headers | token
    assert fluxd.client.simulate_post(ADDRESS, body=body, headers=headers).status_code == 201
    (found,) = events(fluxd, f"?from={NOW + 3 * WEEK}&to={NOW + 5 * WEEK}")
    assert [one["from"] for one in found["times"]] == [NOW + n * WEEK for n in (3, 4, 5)]
    assert fluxd.client.simulate_delete(f"{ADDRESS}/1", headers=headers).status_code == 204
    gone = fluxd.client.simulate_delete(f"{ADDRESS}/1", headers=headers)
    assert (gone.status_code, gone.json["code"]) == (404, 404)


def test_lists_are_of_a_time_and_a_metric(fluxd: InProcess) -> None:
    post(fluxd, {"title": "all", "minutes": 5})
    post(fluxd, {"title": "web", "from": NOW + 900, "to": NOW + 960, "metrics": ["web-*", "db"]})

    def titles(query: str) -> list[str]:
        return [one["title"] for one in events(fluxd, query)]

    assert titles("") == ["web", "all"]
    assert titles(f"?from={NOW + 400}") == ["web"]
    assert titles(f"?from={NOW}&to={NOW + 400}") == ["all"]
    assert titles("?metric=web-1.cpu") == ["web", "all"]
    assert titles("?metric=cpu") == ["all"]
    assert titles(f"?from={NOW - 900}&to={NOW - 1}") == []
    assert "from must not be after to" in fluxd.refusal(f"{ADDRESS}?to=5")


def test_a_key_with_a_namespace_keeps_to_it(fluxd: InProcess) -> None:
    web = fluxd.add_key("web", prefix="web")
    post(fluxd, {"title": "own"}, web)
    post(fluxd, {"title": "some", "metrics": ["cpu*", "web.mem"]}, web)
    post(fluxd, {"title": "all"})
    assert [one["metrics"] for one in events(fluxd)] == [[], ["web.cpu*", "web.mem"], ["web.*"]]
    for number, status in ((1, 204), (2, 204), (3, 404)):
        headers = {"key": web}
        answer = fluxd.client.simulate_delete(f"{ADDRESS}/{number}", headers=headers)
        assert answer.status_code == status
    headers = {"key": fluxd.ingest_key}
    assert fluxd.client.simulate_delete(f"{ADDRESS}/3", headers=headers).status_code == 204


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "invalid json data"),
        ([], "an event is a JSON object"),
        ({}, "a title is missing"),
        ({"title": "  "}, "a title is missing"),
        ({"title": 5}, "invalid title - 5"),
        ({"title": "a\nb"}, "must be a line"),
        ({"title": "x" * 201}, "at most 200 characters"),
        ({"title": "x", "until": 5}, 'unknown member - "until" - use title from to minutes'),
        ({"title": "x", "from": "now"}, 'invalid from - "now" - from must be an integer'),
        ({"title": "x", "from": 1.5}, "invalid from - 1.5"),
        ({"title": "x", "from": True}, "invalid from - true"),
        ({"title": "x", "to": 10**11}, "invalid to - 100000000000"),
        ({"title": "x", "minutes": 0}, "minutes must be an integer from 1"),
        ({"title": "x", "minutes": 5, "to": NOW}, "leave one of them out"),
        ({"title": "x", "to": NOW - 1}, "ends before it begins"),
        ({"title": "x", "metrics": "web-*"}, "must be a list of at most 100 globs"),
        ({"title": "x", "metrics": [5]}, "invalid metrics - [5]"),
        ({"title": "x", "metrics": [""]}, "invalid metrics"),
        ({"title": "x", "metrics": ["a" * 513]}, "a glob has 1 to 512 characters"),
        ({"title": "x", "weekly": 1}, "weekly must be true or false"),
        ({"title": "x", "weekly": True, "minutes": 10080}, "shorter than a week"),
    ],
)
def test_what_is_wrong_is_said_with_its_mend(fluxd: InProcess, body: object, said: str) -> None:
    answer = post(fluxd, body)
    assert answer.status_code == 400
    assert answer.json.keys() == {"code", "message"}
    assert said in answer.json["message"]
    assert events(fluxd) == []


def test_a_body_has_its_limit(fluxd: InProcess) -> None:
    answer = post(fluxd, {"title": "x" * 70_000})
    assert (answer.status_code, answer.json["code"]) == (413, 413)


def test_a_key_may_tell_of_so_many(fluxd: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hushes, "MOST_WINDOWS", 3)
    past = {"title": "x", "from": NOW - 2 * DAY_S, "to": NOW - DAY_S - 1}
    weekly = past | {"weekly": True}
    for body in (weekly, past, {"title": "x", "minutes": 5}):
        assert post(fluxd, body).status_code == 201
    answer = post(fluxd, {"title": "x"})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3600"
    assert "3 events that are weekly, not over, or of the last day" in answer.json["message"]
    assert "DELETE /api/v1/events/ID" in answer.json["message"]
    browser = fluxd.sign_in()  # people are not counted, nor is another key
    headers = browser.headers | {"X-CSRF-Token": csrf_of(browser.cookie)}
    body = json.dumps({"title": "by hand"})
    assert fluxd.client.simulate_post(ADDRESS, body=body, headers=headers).status_code == 201
    assert post(fluxd, {"title": "x"}, fluxd.add_key("other")).status_code == 201
    fluxd.now += DAY_S
    for _ in range(2):  # what was told yesterday and is over counts no more, what is weekly does
        assert post(fluxd, {"title": "x"}).status_code == 201
    assert post(fluxd, {"title": "x"}).status_code == 429


def test_what_begins_in_it_is_shown_and_silent(fluxd: InProcess) -> None:
    fluxd.store_datapoints("web-1.cpu", [(NOW, 1.0)])
    post(fluxd, {"title": "deploy of web", "metrics": ["web-*"]})
    fluxd.happen(1, NOW + 30, None, 0.5)
    (found,) = fluxd.get("/api/v1/incidents").json["incidents"]
    assert found["silent"] == "expected: deploy of web"
