"""Who gets in, how often, and from where."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from web.inprocess import HOST, NOW, InProcess

from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME
from fluxd.store.logins import LINK_S, SESSION_S, remove_password, set_password
from fluxd.web.entry import FAILURES_S, MOST_FAILURES
from fluxd.web.sessions import COOKIE, csrf_of

PASSWORD = "correct horse battery"
GUARDED = "/sign-out"  # a page; without a session it shows how to sign in
API = "/api/v1/metrics"


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[InProcess]:
    running = InProcess(tmp_path, hosts=("flux.example.org",))
    yield running
    running.close()


def test_a_link_signs_in_once(fluxd: InProcess) -> None:
    link = fluxd.link()
    first = fluxd.client.simulate_get(link)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={SESSION_S}"):
        assert part in cookie
    assert "Secure" not in cookie
    again = fluxd.client.simulate_get(link)
    assert again.status_code == 401
    assert "set-cookie" not in again.headers
    assert "used already" in again.text


def test_a_link_is_good_for_ten_minutes(fluxd: InProcess) -> None:
    assert LINK_S == 600
    in_time, too_late = fluxd.link(), fluxd.link()
    fluxd.now += LINK_S - 1
    assert fluxd.client.simulate_get(in_time).status_code == 303
    fluxd.now += 1
    assert fluxd.client.simulate_get(too_late).status_code == 401


def test_looking_at_a_links_head_does_not_use_it_up(fluxd: InProcess) -> None:
    link = fluxd.link()
    assert fluxd.client.simulate_head(link).status_code == 405
    assert fluxd.client.simulate_get(link).status_code == 303


def test_a_session_reads_the_api_until_it_expires(fluxd: InProcess) -> None:
    browser = fluxd.sign_in()
    assert browser.get(API).status_code == 200
    fluxd.now += SESSION_S
    assert browser.get(API).status_code == 401


def test_a_session_outlives_the_daemon(tmp_path: Path) -> None:
    running = InProcess(tmp_path)
    browser = running.sign_in()
    running.close()
    store = open_store(tmp_path / FILE_NAME)
    assert store.sessions.find(browser.cookie, NOW + SESSION_S - 1) is not None
    assert store.sessions.find(browser.cookie, NOW + SESSION_S) is None
    store.close()


def test_no_secret_is_in_the_file(tmp_path: Path) -> None:
    running = InProcess(tmp_path)
    unused = running.link().partition("=")[2]
    browser = running.sign_in()
    running.store.writer.run(lambda writer: set_password(writer, PASSWORD))
    running.close()
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"CREATE TABLE sessions" in written
    for secret in (unused, browser.cookie, PASSWORD):
        assert secret.encode() not in written


def test_signing_out_ends_the_session_for_good(fluxd: InProcess) -> None:
    browser, other = fluxd.sign_in(), fluxd.sign_in()
    result = browser.post("/sign-out")
    assert (result.status_code, result.headers["location"]) == (303, "/sign-in")
    assert result.cookies[COOKIE].value == ""
    assert result.cookies[COOKIE].expires < datetime.now(UTC)
    assert browser.get(API).status_code == 401
    assert other.get(API).status_code == 200


@pytest.mark.parametrize("cookie", ["", "x", "x" * 5000, "ä", f"{COOKIE}=1", '"', "%00", "0" * 43])
def test_a_made_up_cookie_is_none(fluxd: InProcess, cookie: str) -> None:
    headers = {"Cookie": f"{COOKIE}={cookie}".encode().decode("latin-1")}
    assert fluxd.client.simulate_get(API, headers=headers).status_code == 401


def test_a_page_without_a_session_says_how_to_sign_in(fluxd: InProcess) -> None:
    result = fluxd.client.simulate_post(GUARDED)
    assert result.status_code == 401
    assert result.headers["content-type"].startswith("text/html")
    assert "fluxd link" in result.text
    assert "Or with the password" not in result.text


def test_a_read_key_changes_nothing(fluxd: InProcess) -> None:
    headers = {"Authorization": f"Bearer {fluxd.read_key}"}
    assert fluxd.client.simulate_post(GUARDED, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"csrf": ""}, {}),
        ({"csrf": "0" * 64}, {}),
        ({"csrf": "ä"}, {}),
        ({}, {"X-CSRF-Token": "0" * 64}),
    ],
)
def test_a_form_from_elsewhere_changes_nothing(
    fluxd: InProcess, fields: dict[str, str], headers: dict[str, str]
) -> None:
    browser = fluxd.sign_in()
    assert browser.post_raw("/sign-out", fields, headers).status_code == 403
    assert browser.get(API).status_code == 200


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
        ("Origin", "http://[::1"),
        ("Origin", "file://localhost"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ],
)
def test_the_token_is_not_enough_from_another_site(
    fluxd: InProcess, header: str, value: str
) -> None:
    browser = fluxd.sign_in()
    fields = {"csrf": csrf_of(browser.cookie)}
    assert browser.post_raw("/sign-out", fields, {header: value}).status_code == 403
    good = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert browser.post_raw("/sign-out", fields, good).status_code == 303


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil"])
def test_a_name_that_is_not_ours_opens_nothing(fluxd: InProcess, host: str) -> None:
    browser, link = fluxd.sign_in(), fluxd.link()
    headers = {**browser.headers, "Host": host}
    assert fluxd.client.simulate_get(API, headers=headers).status_code == 401
    assert fluxd.client.simulate_get(link, headers=headers).status_code == 403
    refused = fluxd.client.simulate_get("/sign-in", headers=headers)
    assert refused.status_code == 403
    assert "server.hosts" in refused.text
    assert fluxd.client.simulate_get(link).status_code == 303  # it was not used up


def test_a_key_reads_under_any_name(fluxd: InProcess) -> None:
    headers = {"Authorization": f"Bearer {fluxd.read_key}", "Host": "monitoring"}
    assert fluxd.client.simulate_get(API, headers=headers).status_code == 200


def test_behind_a_proxy_the_cookie_stays_with_tls(proxied: InProcess) -> None:
    headers = {"Host": "flux.example.org", "X-Forwarded-Proto": "https"}
    result = proxied.client.simulate_get(proxied.link(), headers=headers)
    assert result.status_code == 303
    assert "Secure" in result.headers["set-cookie"]


def test_a_password_signs_in_once_it_is_set(fluxd: InProcess) -> None:
    def offer(password: str) -> int:
        return fluxd.client.simulate_post(
            "/sign-in",
            body=f"password={password.replace(' ', '+')}",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        ).status_code

    assert offer(PASSWORD) == 401
    fluxd.store.writer.run(lambda writer: set_password(writer, PASSWORD))
    assert "Or with the password" in fluxd.client.simulate_get("/sign-in").text
    assert offer(PASSWORD) == 303
    assert offer(PASSWORD.upper()) == 401
    assert offer("") == 401
    fluxd.store.writer.run(remove_password)
    assert offer(PASSWORD) == 401


def test_guessing_is_stopped_and_links_go_on(
    fluxd: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def guess(password: str) -> int:
        body = f"password={password}"
        return fluxd.client.simulate_post("/sign-in", body=body, headers=form).status_code

    with caplog.at_level(logging.DEBUG):
        assert [guess("guess") for _ in range(MOST_FAILURES)] == [401] * MOST_FAILURES
        fluxd.store.writer.run(lambda writer: set_password(writer, "rightrightright"))
        assert guess("rightrightright") == 429
    assert "guess" not in caplog.text
    assert fluxd.client.simulate_get(fluxd.link()).status_code == 303
    fluxd.now += FAILURES_S
    assert guess("rightrightright") == 303


def test_trying_links_is_stopped_and_a_good_one_still_works(
    fluxd: InProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for _ in range(MOST_FAILURES):
            assert fluxd.client.simulate_get("/sign-in?token=made-up").status_code == 401
        refused = fluxd.client.simulate_get("/sign-in?token=made-up")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert "made-up" not in caplog.text
    assert fluxd.client.simulate_get(fluxd.link()).status_code == 303


def test_two_who_open_one_link_at_once_are_not_both_signed_in(fluxd: InProcess) -> None:
    link = fluxd.link()
    with ThreadPoolExecutor(8) as browsers:
        opened = list(browsers.map(lambda _: fluxd.client.simulate_get(link), range(8)))
    assert sorted(answer.status_code for answer in opened) == [303] + [401] * 7


def test_every_page_forbids_what_is_not_its_own(fluxd: InProcess) -> None:
    headers = fluxd.client.simulate_get("/sign-in").headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
