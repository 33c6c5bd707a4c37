"""Settings and Status, as the server answers them."""

import html
import json
import re

import pytest
from web.inprocess import NOW, InProcess

from fluxd.core.reports import JobReport
from fluxd.jobs.saving import save_ledgers
from fluxd.store.keys import read_seen

POST = "/flux/metric_data_post"
KEYS, TESTS = "/settings/keys", "/settings/ingestion-test"
INTEGRATIONS, ACCESS, STATUS = "/settings/integrations", "/settings/access", "/status"
TELLING = ["/settings/notifications", "/settings/silence"]
PAGES = [KEYS, TESTS, INTEGRATIONS, ACCESS, STATUS, *TELLING, "/incidents"]


def text_of(page: str) -> str:
    """Return what is read of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def send(fluxd: InProcess, body: object, **headers: str) -> int:
    return fluxd.client.simulate_post(
        POST, body=json.dumps(body), headers={"key": fluxd.ingest_key, **headers}
    ).status_code


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_those_who_are_signed_in(fluxd: InProcess, path: str) -> None:
    refused = fluxd.client.simulate_get(path)
    assert refused.status_code == 401
    assert "fluxd link" in refused.text
    assert fluxd.ingest_key not in refused.text
    page = fluxd.sign_in().get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert fluxd.ingest_key not in page.text
    assert fluxd.read_key not in page.text
    for inline in (r"<script(?![^>]*src=)", r"<style", r"\sstyle=", r"\son\w+="):
        assert not re.search(inline, page.text)


@pytest.mark.parametrize(
    "path", [KEYS, TESTS, INTEGRATIONS, ACCESS, f"{INTEGRATIONS}/key", *TELLING]
)
def test_a_form_without_its_token_does_nothing(fluxd: InProcess, path: str) -> None:
    browser = fluxd.sign_in()
    fields = {"action": "revoke", "name": "agent", "key": "agent"}
    result = browser.post_raw(path, fields)
    assert result.status_code == 403
    assert fluxd.ingest_key not in result.text
    headers = {"Authorization": f"Bearer {fluxd.read_key}"}
    assert fluxd.client.simulate_post(path, headers=headers).status_code == 401
    assert fluxd.get("/api/v1/metrics").status_code == 200


def test_the_key_is_shown_when_it_is_asked_for(fluxd: InProcess) -> None:
    browser = fluxd.sign_in()
    page = browser.get(INTEGRATIONS).text
    assert "YOUR_KEY" in page
    assert "http://127.0.0.1:3589/flux/metric_data_post" in page
    shown = browser.post(INTEGRATIONS, action="show", key="agent").text
    assert "YOUR_KEY" not in shown
    assert shown.count(fluxd.ingest_key) > 5
    told = browser.post(f"{INTEGRATIONS}/key", key="agent")
    assert told.json == {"key": fluxd.ingest_key}
    assert told.headers["cache-control"] == "no-store"


def test_a_read_key_is_never_shown(fluxd: InProcess) -> None:
    browser = fluxd.sign_in()
    assert browser.post(f"{INTEGRATIONS}/key", key="page").status_code == 404
    assert fluxd.read_key not in browser.post(INTEGRATIONS, action="show", key="page").text


def test_behind_a_proxy_the_examples_have_its_address(fluxd: InProcess) -> None:
    page = fluxd.sign_in().get(INTEGRATIONS, **{"X-Forwarded-Proto": "https", "Host": "localhost"})
    assert "https://localhost/flux/metric_data_post" in page.text


def test_the_button_sends_a_datapoint_and_shows_what_arrived(fluxd: InProcess) -> None:
    fluxd.add_key("web", prefix="web-1")
    shown = text_of(fluxd.sign_in().post(INTEGRATIONS, action="send", key="web").text)
    assert "It arrived and is on disk. web-1.fluxd.test is 1 at 22:13 UTC on 2023-11-14" in shown
    assert fluxd.store.catalog.id_of("web-1.fluxd.test") is not None


def test_what_does_not_arrive_is_told_too(fluxd: InProcess) -> None:
    fluxd.add_key("full", quota=0)
    browser = fluxd.sign_in()
    shown = text_of(browser.post(INTEGRATIONS, action="send", key="full").text)
    assert "It was refused: over quota - this account is allowed 0 metrics" in shown
    fluxd.store.writer.refusing = "the store has reached its limit"
    shown = text_of(browser.post(INTEGRATIONS, action="send", key="agent").text)
    assert "It was refused: the store has reached its limit" in shown


def test_without_a_key_the_page_says_where_to_get_one(fluxd: InProcess) -> None:
    browser = fluxd.sign_in()
    browser.post(KEYS, action="revoke", name="agent")
    assert "There is no key to send with" in browser.get(INTEGRATIONS).text
    assert browser.post(INTEGRATIONS, action="send").status_code == 404


def test_tests_are_shown_newest_first_and_cleared(fluxd: InProcess) -> None:
    fluxd.add_key("other")
    browser = fluxd.sign_in()
    assert "Nothing was sent in test mode" in browser.get(TESTS).text
    element = {"metric": "cpu.<b>first", "timestamp": NOW, "value": 1}
    assert send(fluxd, {"metrics": [element]}, **{"x-test-only": ""}) == 400
    fluxd.now += 1
    good = element | {"metric": "cpu.second"}
    assert send(fluxd, {"metrics": [good]}, **{"x-test-only": "1"}) == 204
    page = browser.get(TESTS).text
    shown = text_of(page)
    assert "<b>first" not in page
    assert shown.index("cpu.second") < shown.index("invalid metric - cpu.<b>first")
    assert shown.index("accepted agent") < shown.index("refused agent")
    assert fluxd.store.catalog.id_of("cpu.second") is None
    assert "cpu.second" not in browser.get(f"{TESTS}?key=other").text
    assert browser.post(TESTS, key="other").status_code == 303
    assert "cpu.second" in browser.get(TESTS).text
    assert browser.post(TESTS).status_code == 303
    assert "Nothing was sent" in browser.get(TESTS).text


def test_what_is_over_quota_in_test_mode_is_told(fluxd: InProcess) -> None:
    small = fluxd.add_key("small", quota=1)
    metrics = [{"metric": name, "timestamp": NOW, "value": 1} for name in ("a.one", "a.two")]
    assert send(fluxd, {"metrics": metrics}, **{"key": small, "x-test-only": "1"}) == 204
    shown = text_of(fluxd.sign_in().get(TESTS).text)
    assert "in part over quota small" in shown
    assert "1 metric would be stored a.one 1 metric over the key’s quota a.two" in shown


def test_a_key_is_created_used_and_revoked(fluxd: InProcess) -> None:
    browser = fluxd.sign_in()
    created = browser.post(KEYS, name="web-1", prefix="web", quota="5", scope="ingest")
    assert created.status_code == 200
    found = re.search(r'id="new-secret">([\w-]+)<', created.text)
    assert found is not None
    element = {"metric": "cpu", "timestamp": NOW, "value": 1}
    assert send(fluxd, {"metrics": [element]}, key=found[1]) == 204
    shown = browser.get(KEYS).text
    assert found[1] not in shown
    assert "web-1 send web 1 of 5 22:13 UTC on 2023-11-14" in text_of(shown)
    assert browser.post(KEYS, action="revoke", name="web-1").status_code == 303
    assert send(fluxd, {"metrics": [element]}, key=found[1]) == 401
    assert "1 revoked" in text_of(browser.get(KEYS).text)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "bad name"}, "Invalid key name 'bad name'"),
        ({"name": "agent"}, "There is a key named 'agent' already"),
        ({"name": "x", "quota": "-1"}, "Invalid quota '-1'"),
        ({"name": "x", "quota": "9" * 15}, "Invalid quota"),
        ({"name": "x", "quota": "9" * 5_000}, "Invalid quota"),
        ({"name": "x", "prefix": "a..b"}, "Invalid prefix 'a..b'"),
        ({"action": "revoke", "name": "<i>nobody"}, "There is no key named '<i>nobody'"),
        ({}, "Invalid key name ''"),
    ],
)
def test_what_is_wrong_is_told_beside_the_form(
    fluxd: InProcess, fields: dict[str, str], told: str
) -> None:
    result = fluxd.sign_in().post(KEYS, **fields)
    assert result.status_code == 400
    assert told in text_of(result.text)
    assert "<i>nobody" not in result.text
    assert len(fluxd.store.keys) == 2


def test_a_read_key_is_shown_once(fluxd: InProcess) -> None:
    browser = fluxd.sign_in()
    created = browser.post(KEYS, name="grafana", scope="read").text
    found = re.search(r'id="new-secret">([\w-]+)<', created)
    assert found is not None
    assert fluxd.get("/api/v1/metrics", key=found[1]).status_code == 200
    assert found[1] not in browser.get(KEYS).text


def test_each_refusal_comes_with_its_fix(fluxd: InProcess) -> None:
    late = {"metric": "a", "timestamp": NOW + 3 * 3600, "value": 1}
    for _ in range(3):
        assert send(fluxd, {"metrics": [late]}) == 400
    assert fluxd.client.simulate_post(POST, body=b"{").status_code == 400
    shown = text_of(fluxd.sign_in().get(KEYS).text)
    assert "agent Timestamp 3 h in the future: check that host's clock." in shown
    assert "3 requests refused, the last at 22:13 UTC" in shown
    assert "Without a key Send valid JSON in UTF-8" in shown


def test_last_use_is_kept_every_five_minutes(fluxd: InProcess) -> None:
    element = {"metric": "a", "timestamp": NOW, "value": 1}
    assert send(fluxd, {"metrics": [element]}) == 204
    keys = fluxd.store.keys
    (key_id,) = keys.seen
    assert keys.take_seen() == {key_id: NOW}
    fluxd.now += 299
    assert send(fluxd, {"metrics": [element]}) == 204
    assert keys.take_seen() == {}
    fluxd.now += 1
    assert send(fluxd, {"metrics": [element]}) == 204
    assert keys.take_seen() == {key_id: NOW + 300}
    save_ledgers(fluxd.store, NOW)
    with fluxd.store.read() as reader:
        assert read_seen(reader) == {}
    fluxd.now += 300
    assert send(fluxd, {"metrics": [element]}) == 204
    save_ledgers(fluxd.store, NOW)
    with fluxd.store.read() as reader:
        assert read_seen(reader) == {key_id: NOW + 600}


def test_a_password_is_set_changed_and_removed(fluxd: InProcess) -> None:
    browser, other = fluxd.sign_in(), fluxd.sign_in()
    differing = browser.post(ACCESS, action="set", password="x" * 12, again="y" * 12)
    assert (differing.status_code, "two passwords differ" in differing.text) == (400, True)
    short = browser.post(ACCESS, action="set", password="short", again="short")
    assert (short.status_code, "12 to 1000" in short.text) == (400, True)
    assert other.get(STATUS).status_code == 200
    good = browser.post(ACCESS, action="set", password="x" * 12, again="x" * 12)
    assert "The password is set" in good.text
    assert other.get(STATUS).status_code == 401
    assert browser.get(STATUS).status_code == 200
    assert "Or with the password" in fluxd.client.simulate_get("/sign-in").text
    assert "only links sign in" in browser.post(ACCESS, action="remove").text
    assert "Or with the password" not in fluxd.client.simulate_get("/sign-in").text


def test_other_browsers_are_signed_out(fluxd: InProcess) -> None:
    browser, other = fluxd.sign_in(), fluxd.sign_in()
    assert "2 browsers, this one included" in text_of(browser.get(ACCESS).text)
    assert "This browser alone" in browser.post(ACCESS, action="others").text
    assert other.get(ACCESS).status_code == 401


def test_status_tells_what_there_is(fluxd: InProcess) -> None:
    fluxd.measure()
    fluxd.reports["broken <i>"] = JobReport("broken <i>", runs=2, failures=2, last_error="<b>!")
    page = fluxd.sign_in().get(STATUS).text
    shown = text_of(page)
    assert "All is well" in shown
    assert "Ingest rate measuring" in shown
    assert "50.0 GB left; how long that lasts is known after some hours" in shown
    assert shown.index("broken <i>") < shown.index("analyse 3 250 ms")
    assert "2 failures <b>!" in shown
    assert "<b>!" not in page
    assert "None yet: it runs at night" in shown


def test_status_tells_what_fails(fluxd: InProcess) -> None:
    fluxd.ticked -= 600
    fluxd.disk = 10**6, 10**9
    fluxd.measure()
    shown = text_of(fluxd.sign_in().get(STATUS).text)
    assert "Failing: the scheduler has done nothing for 600 s" in shown
    assert "Before long: the file system of" in shown
    assert "All is well" not in shown
