"""Incidents over HTTP: lists, one in full, and what a person does about one."""

from typing import Any

import pytest
from web.inprocess import NOW, InProcess

from fluxd.store.channels import StoredChannel, add_channel
from fluxd.store.hushes import add_mute
from fluxd.web.sessions import csrf_of

ADDRESS = "/api/v1/incidents"
HOUR = 3_600


@pytest.fixture
def stored(fluxd: InProcess) -> InProcess:
    """Incident 1 of `a` is over, 2 of two metrics lasts and is told, 3 is muted."""
    names = ["a", "web-1.cpu", "web-1.mem", "lab"]
    for name in names:
        fluxd.store_datapoints(name, [(NOW, 1.0)])
    fluxd.store.writer.run(
        lambda writer: add_channel(writer, StoredChannel(0, "ops", "webhook", {}), now=NOW)
    )
    fluxd.store.writer.run(
        lambda writer: add_mute(writer, "metric", "lab", until=None, reason="", now=NOW - HOUR)
    )
    fluxd.happen(1, NOW - 3 * HOUR, NOW - 3 * HOUR + 60, 0.4)
    fluxd.happen(2, NOW - 600, None, 0.7)
    fluxd.happen(3, NOW - 560, None, 0.4)
    fluxd.happen(4, NOW - 5, None, 0.4)
    return fluxd


def ids(fluxd: InProcess, query: str = "") -> list[int]:
    return [found["id"] for found in fluxd.get(ADDRESS + query).json["incidents"]]


def act(fluxd: InProcess, number: object, what: str, **headers: str) -> Any:
    browser = fluxd.sign_in()
    sent = {**browser.headers, "X-CSRF-Token": csrf_of(browser.cookie), **headers}
    return fluxd.client.simulate_post(f"{ADDRESS}/{number}/{what}", headers=sent)


def test_an_incident_has_the_members_of_the_view(stored: InProcess) -> None:
    found = {one["id"]: one for one in stored.get(ADDRESS).json["incidents"]}[2]
    assert found == {
        "id": 2,
        "state": "open",
        "severity": "high",
        "started": NOW - 600,
        "ended": None,
        "metrics": 2,
        "anomalies": 2,
        "first": "web-1.cpu",
        "leading": "web-1.cpu",
        "title": "2 metrics odd on web-1",
        "explanation": found["explanation"],
        "acknowledged": None,
        "silent": None,
    }
    assert "First web-1.cpu, 40 seconds before the others" in found["explanation"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [3, 2, 1]),
        ("?state=open", [3, 2]),
        ("?state=resolved", [1]),
        ("?severity=normal", [3, 2, 1]),
        ("?severity=high", [2]),
        ("?severity=critical", []),
        ("?metric=web-1.mem", [2]),
        (f"?to={NOW - HOUR}", [1]),
        (f"?from={NOW - HOUR}", [3, 2]),
        ("?limit=2", [3, 2]),
        ("?limit=2&cursor=2", [1]),
    ],
)
def test_filters_and_pages(stored: InProcess, query: str, expected: list[int]) -> None:
    assert ids(stored, query) == expected


def test_one_has_its_members_in_order_and_what_was_told(stored: InProcess) -> None:
    found = stored.get(f"{ADDRESS}/2").json
    assert [one["metric"] for one in found["members"]] == ["web-1.cpu", "web-1.mem"]
    assert [one["silent"] for one in found["members"]] == [None, None]
    (told,) = found["notifications"]
    assert (told["channel"], told["notice"], told["state"]) == ("ops", "opened", "waiting")
    muted = stored.get(f"{ADDRESS}/3").json
    assert muted["silent"] == muted["members"][0]["silent"] == "muted"
    assert muted["notifications"] == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?state=over", "must be one of open, acknowledged, resolved"),
        ("?severity=bad", "must be one of low, normal, high, critical"),
        ("?from=9&to=1", "from must not be after to"),
        ("?foo=1", "unknown parameter"),
    ],
)
def test_what_is_wrong_is_said(stored: InProcess, query: str, said: str) -> None:
    assert said in stored.refusal(ADDRESS + query)


@pytest.mark.parametrize("name", ["0", "9", "x", "-1", "9" * 19, "٣"])
def test_there_is_no_such_incident(stored: InProcess, name: str) -> None:
    assert "there is no incident" in stored.refusal(f"{ADDRESS}/{name}", 404)
    answer = act(stored, name, "acknowledge")
    assert (answer.status_code, answer.json["code"]) == (404, 404)


def test_a_person_acknowledges_releases_and_resolves(stored: InProcess) -> None:
    for what, state in (
        ("acknowledge", "acknowledged"),
        ("acknowledge", "acknowledged"),
        ("release", "open"),
        ("resolve", "resolved"),
    ):
        assert act(stored, 2, what).status_code == 204
        assert stored.get(f"{ADDRESS}/2").json["state"] == state
    refused = act(stored, 2, "acknowledge")
    assert refused.status_code == 400
    assert "this incident is resolved" in refused.json["message"]


def test_only_a_person_does(stored: InProcess) -> None:
    for key in (stored.read_key, stored.ingest_key):
        headers = {"Authorization": f"Bearer {key}", "key": key}
        answer = stored.client.simulate_post(f"{ADDRESS}/2/acknowledge", headers=headers)
        assert answer.status_code == 401
    assert act(stored, 2, "acknowledge", **{"X-CSRF-Token": "wrong"}).status_code == 403
    other = act(stored, 2, "acknowledge", Origin="https://evil.example")
    assert (other.status_code, other.json["code"]) == (403, 403)
    assert stored.get(f"{ADDRESS}/2").json["state"] == "open"


def test_the_outbox_is_listed_without_what_it_says(stored: InProcess) -> None:
    stored.store.writer.run(
        lambda writer: add_channel(writer, StoredChannel(0, "night", "ntfy", {}), now=NOW)
    )
    listed = stored.get("/api/v1/notifications").json["notifications"]
    assert [(one["channel"], one["incident"]) for one in listed] == [("ops", 2)]
    assert listed[0].keys() == {
        *("id", "channel", "incident", "notice", "severity", "state", "created", "due"),
        *("attempts", "finished", "answer", "key"),
    }
    assert stored.get("/api/v1/notifications?channel=ops&limit=1").json["notifications"] == listed
    for name in ("night", "nobody"):
        assert stored.get(f"/api/v1/notifications?channel={name}").json == {"notifications": []}
    assert "unknown parameter" in stored.refusal("/api/v1/notifications?cursor=1")
