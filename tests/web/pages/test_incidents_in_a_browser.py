"""Incidents, channels and silence in a real browser, against a real daemon and a real receiver."""

import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from running import PATIENCE_S, Daemon, until
from web.pages import scene
from web.pages.accessible import serious_findings
from web.pages.conftest import OpenPage, chart_of, fits

COUNT = 400
LIVE_S = 3_000  # younger datapoints are sent as agents do
METRICS = [f"web-1.m{number:02}" for number in range(12)]
NOTIFICATIONS, SILENCE = "/settings/notifications", "/settings/silence"
PHONE = {"viewport": {"width": 375, "height": 740}}
TITLE = "12 metrics odd on web-1"


class Receiver(ThreadingHTTPServer):
    """Takes webhooks; `status` is its answer to the next ones."""

    def __init__(self) -> None:
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=verysecret"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.got.append((dict(self.headers), body))
        self.send_response(server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run a daemon with one incident of many metrics that lasts."""
    daemon = Daemon(tmp_path_factory.mktemp("fed") / "data")
    now = int(time.time()) // 60 * 60
    for seed, metric in enumerate(METRICS):
        rows = scene.with_spike(scene.series(seed, now=now, count=COUNT), now - 120, now, 45)
        for fill in (True, False):
            part = [row for row in rows if (row[0] < now - LIVE_S) == fill]
            scene.send(daemon, metric, part, fill=fill)
    scene.analysed(daemon, METRICS[-1], COUNT)
    until(lambda: incident(daemon)["metrics"] == len(METRICS))
    yield daemon
    daemon.kill()


def incident(daemon: Daemon) -> dict[str, Any]:
    """Return the incident that lasts."""
    found = daemon.get("/api/v1/incidents?state=open").body["incidents"]
    found += daemon.get("/api/v1/incidents?state=acknowledged").body["incidents"]
    return dict(found[0]) if found else {"metrics": 0}


def test_one_cause_is_one_card_and_somebody_knows(fed: Daemon, open_page: OpenPage) -> None:
    page = open_page(fed, "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("12 metrics are odd now")
    card = page.locator("section.incident").filter(has_text=TITLE)
    expect(card.locator(".severity")).to_have_text("critical")
    expect(card.locator("svg.chart-small")).to_have_count(3)
    card.get_by_role("button", name="Acknowledge").click()
    expect(card).to_contain_text("acknowledged")
    assert incident(fed)["state"] == "acknowledged"
    expect(card.get_by_role("button")).to_have_count(0)
    card.get_by_role("link", name=TITLE, exact=True).click()
    expect(page.locator(".t-row")).to_have_count(len(METRICS))
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
    page.locator(".t-name").first.click()
    expect(page.locator(".part-of")).to_contain_text(TITLE)
    chart_of(page)
    page.get_by_role("link", name=TITLE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLE)


def test_a_link_in_a_message_leads_to_the_button(fed: Daemon, open_page: OpenPage) -> None:
    page = open_page(fed, f"/incidents/{incident(fed)['id']}#acknowledge")
    expect(page.locator("#acknowledge:target")).to_contain_text("Acknowledge")
    page.get_by_role("button", name="Acknowledge").focus()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("acknowledged")
    page.get_by_role("button", name="Release").click()


def test_the_list_follows_what_is_chosen(fed: Daemon, open_page: OpenPage) -> None:
    page = open_page(fed, "/incidents")
    expect(page.locator(".incident-row").filter(has_text=TITLE)).to_have_count(1)
    page.get_by_label("State").select_option("resolved")
    expect(page).to_have_url(re.compile(r"state=resolved"))
    expect(page.locator(".incident-row").filter(has_text=TITLE)).to_have_count(0)


def test_a_channel_is_added_and_tested(
    fed: Daemon, open_page: OpenPage, receiver: Receiver
) -> None:
    page = open_page(fed, NOTIFICATIONS)
    page.get_by_role("link", name="Webhook (JSON)").click()
    page.get_by_label("Name", exact=True).fill("ops")
    page.get_by_label("Address", exact=True).fill(receiver.url)
    page.get_by_label("Signing secret (optional)").fill("whsec_c2VjcmV0")
    page.get_by_label("Severity").select_option("critical")
    page.get_by_label("Metrics (optional)").fill("nothing-*")
    page.get_by_role("button", name="Add the channel").click()
    expect(page.get_by_role("heading", name="ops")).to_be_visible()
    page.get_by_role("button", name="Send a test ops").click()
    expect(page.get_by_role("status")).to_contain_text("The test reached ops. Its answer: 204")
    ((headers, body),) = receiver.got
    assert headers["webhook-signature"].startswith("v1,")
    assert b'"type":"test"' in body
    receiver.status = 403
    page.get_by_role("button", name="Send a test ops").click()
    expect(page.get_by_role("alert")).to_contain_text("403")
    page.goto(fed.url + NOTIFICATIONS)
    expect(page.locator(".channel")).to_contain_text("failing since")
    expect(page.locator("#outbox tr")).to_have_count(2)
    assert "verysecret" not in page.content()
    page.get_by_role("link", name="Edit ops").click()
    assert "verysecret" not in page.content()
    assert "c2VjcmV0" not in page.content()
    receiver.status = 204
    page.get_by_label("Severity").select_option("high")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Send a test ops").click()
    expect(page.get_by_role("status")).to_contain_text("The test reached ops")  # the secrets stayed
    page.locator("summary").filter(has_text="Delete ops").click()
    page.get_by_role("button", name="Delete for good ops").click()
    expect(page.get_by_text("Nobody is told yet.")).to_be_visible()


def test_what_is_muted_goes_below_and_comes_back(fed: Daemon, open_page: OpenPage) -> None:
    page = open_page(fed, f"{SILENCE}?glob=web-1.*#mute")
    expect(page.get_by_label("Its name")).to_have_value("web-1.*")
    page.get_by_label("For", exact=True).select_option("8h")
    page.get_by_label("Reason (optional)").fill("it is being rebuilt")
    page.get_by_role("button", name="Mute", exact=True).click()
    expect(page.locator(".hushes")).to_contain_text("it is being rebuilt")
    page.goto(fed.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("All is quiet")  # by itself
    below = page.locator(".incident-row").filter(has_text=TITLE)
    expect(below).to_contain_text("muted by web-1.* (it is being rebuilt)")
    page.goto(fed.url + SILENCE)
    page.get_by_role("button", name="Remove web-1.*").click()
    expect(page.get_by_text("Nothing is.", exact=True)).to_be_visible()
    page.goto(fed.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("12 metrics are odd now")


def test_a_deploy_script_says_what_is_expected_and_the_chart_shows_it(
    fed: Daemon, open_page: OpenPage
) -> None:
    page = open_page(fed, SILENCE, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy For a deploy script").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    line = page.evaluate("navigator.clipboard.readText()")
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    told = json.loads(done.stdout)
    assert (told["title"], told["metrics"]) == ("deploy of web", ["web-*"])
    page.reload()
    expect(page.locator(".hushes")).to_contain_text("deploy of web")
    page.goto(f"{fed.url}/metrics-list/{METRICS[0]}?last=1h")
    chart_of(page)
    expect(page.locator("#windows")).to_have_text("expected: deploy of web")
    page.goto(fed.url + SILENCE)
    page.get_by_role("button", name="Remove deploy of web").click()
    expect(page.locator(".hushes")).to_have_count(0)


def test_a_time_is_chosen_by_the_browsers_clock(fed: Daemon, open_page: OpenPage) -> None:
    page = open_page(fed, SILENCE, timezone_id="Asia/Kolkata")
    page.get_by_label("What").last.fill("backup")
    page.get_by_label("From (optional)").fill("2040-01-02T03:30")
    page.get_by_label("every week").check()
    page.get_by_role("button", name="Expect it").click()
    expect(page.locator(".hushes")).to_contain_text("2040-01-02 03:30")
    (event,) = fed.get("/api/v1/events?from=2209000000&to=2210000000").body["events"]
    assert event["from"] == 2_209_068_000  # 22:00 UTC the day before
    page.get_by_role("button", name="Remove backup").click()


@pytest.mark.parametrize(
    "options",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE],
    ids=["light", "dark", "phone"],
)
def test_everybody_can_use_it(fed: Daemon, open_page: OpenPage, options: dict[str, Any]) -> None:
    page = open_page(fed, "/", **options)
    for path in (
        "/",
        "/incidents",
        f"/incidents/{incident(fed)['id']}",
        NOTIFICATIONS,
        f"{NOTIFICATIONS}?add=email",
        SILENCE,
    ):
        page.goto(fed.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert serious_findings(page) == [], path
        assert fits(page), path


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Daemon]:
    """Run a daemon whose incident has names that no sender may use."""
    now = int(time.time()) // 60 * 60
    rows = scene.with_spike(scene.series(1, now=now, count=COUNT), now - 60, now, 45)
    scene.plant(tmp_path / "data", scene.HOSTILE, rows)
    daemon = scene.planted(tmp_path / "data")
    try:
        until(lambda: incident(daemon)["metrics"] == len(scene.HOSTILE))
        yield daemon
    finally:
        daemon.kill()


def test_names_are_text_wherever_an_incident_is_told(hostile: Daemon, open_page: OpenPage) -> None:
    page = open_page(hostile, "/", **PHONE)
    for path in ("/", "/incidents", f"/incidents/{incident(hostile)['id']}"):
        page.goto(hostile.url + path)
        expect(page.get_by_text(f"{len(scene.HOSTILE)} metrics").first).to_be_visible()
        assert fits(page), path
        _unhurt(page)
    page.get_by_role("link", name=re.compile("^Mute ")).click()
    expect(page.get_by_label("Its name")).not_to_have_value("")
    page.get_by_role("button", name="Mute", exact=True).click()
    expect(page.locator(".hushes li")).to_have_count(1)
    _unhurt(page)


def _unhurt(page: Page) -> None:
    """Assert that no name has become more than text."""
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x], main script").count() == 0
