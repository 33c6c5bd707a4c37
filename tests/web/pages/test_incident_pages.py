"""The list of incidents, and each on its page, as they are served."""

import re

import pytest
from web.inprocess import NOW, Browser, InProcess

from fluxd.core.hush import Window
from fluxd.store import outbox
from fluxd.store.channels import StoredChannel, add_channel
from fluxd.store.hushes import add_window
from fluxd.store.stops import Notice, add_notice
from fluxd.web.timeline import MOST_LINES

HOUR = 3_600


def words(page: str) -> str:
    """Return what a page says, its markup left out."""
    return " ".join(re.sub(r"<[^>]*>", " ", page.partition("<main")[2]).split())


@pytest.fixture
def stored(fluxd: InProcess) -> InProcess:
    """Incident 1 of `a` is over, 2 is of 45 metrics of one host and lasts."""
    for name in ["a", *(f"web-1.m{number:02}" for number in range(45))]:
        fluxd.store_datapoints(name, [(NOW, 1.0)])
    fluxd.store.writer.run(
        lambda writer: add_channel(writer, StoredChannel(0, "<ops>", "webhook", {}), now=NOW)
    )
    fluxd.happen(1, NOW - HOUR, NOW - HOUR + 60, 0.4)
    for series in range(2, 47):
        fluxd.happen(series, NOW - 300 + series, None, 0.4 + series / 100)
    return fluxd


@pytest.fixture
def browser(stored: InProcess) -> Browser:
    return stored.sign_in()


def listed(fluxd: InProcess, query: str = "") -> list[str]:
    page = fluxd.get(f"/incidents{query}")
    assert page.status_code == 200
    return re.findall(r'data-key="i(\d+)"', page.text)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["2", "1"]),
        ("?state=resolved", ["1"]),
        ("?severity=high", ["2"]),
        ("?metric=a", ["1"]),
        ("?metric=+web-1.m07+", ["2"]),
        ("?cursor=2", ["1"]),
        ("?state=nonsense&severity=&cursor=x", ["2", "1"]),
        ("?metric=nothing", []),
    ],
)
def test_the_list_is_filtered(stored: InProcess, query: str, expected: list[str]) -> None:
    assert listed(stored, query) == expected


def test_the_list_says_how_it_comes_to_be_empty(fluxd: InProcess) -> None:
    assert "None so far" in words(fluxd.get("/incidents").text)
    assert "No incident is like that" in words(fluxd.get("/incidents?state=open").text)


def test_the_page_shows_order_charts_members_and_who_was_told(stored: InProcess) -> None:
    page = stored.get("/incidents/2").text
    said = words(page)
    assert "45 metrics odd on web-1" in said
    assert "critical open since" in said
    assert page.count('class="t-row"') == page.count("t-bar is-lasting") == MOST_LINES
    assert "and 5 more" in said
    assert 'href="/settings/silence?metric=web-1.m44#mute"' in page
    assert 'href="/settings/silence?glob=web-1.%2A#mute"' in page
    assert "glob=" not in stored.get("/incidents/1").text
    names = re.findall(r'class="t-name"[^>]*>([^<]+)<', page)
    assert names == [f"web-1.m{number:02}" for number in range(MOST_LINES)]
    telling = page.partition("What tells most")[2].partition("All that belongs")[0]
    assert re.findall(r'id="a\d+"><a class="metric-name" href="[^"]+">([^<]+)', telling) == [
        "web-1.m44",
        "web-1.m43",
        "web-1.m42",
    ]
    assert page.partition("All that belongs to it")[2].count('class="anomaly-time"') == 45
    assert "&lt;ops&gt; opened" in page.replace("</strong>", "").replace('<span class="muted">', "")
    for _ in range(2):
        stored.store.writer.run(lambda writer: outbox.claim(writer, 1, now=NOW + 60))
    stored.store.writer.run(
        lambda writer: outbox.put_off(writer, 2, due=NOW, answer="503 <b>busy</b>")
    )
    page = stored.get("/incidents/2").text
    assert "503 &lt;b&gt;busy&lt;/b&gt;" in page


def test_windows_are_drawn_on_the_timeline(stored: InProcess) -> None:
    for number, (title, glob) in enumerate((("deploy", "web-*"), ("backup", "db-*"))):
        window = Window(0, title, NOW - 300, NOW - 200 + number, (glob,))
        stored.store.writer.run(lambda writer, w=window: add_window(writer, w, now=NOW))  # type: ignore[misc]
    page = stored.get("/incidents/2").text
    assert page.count('class="t-window"') == MOST_LINES
    assert "expected: deploy" in words(page)
    assert "backup" not in page


def test_a_person_acknowledges_releases_and_resolves(browser: Browser) -> None:
    for action, state, others in (
        ("acknowledge", "acknowledged", {"release", "resolve"}),
        ("release", "open", {"acknowledge", "resolve"}),
        ("resolve", "over", set()),
    ):
        answer = browser.post("/incidents/2", action=action)
        assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/2")
        page = browser.get("/incidents/2").text
        assert state in words(page)
        assert set(re.findall(r'name="action" value="(\w+)"', page)) == others
    refused = browser.post("/incidents/2", action="acknowledge", back="/")
    assert refused.status_code == 400
    assert "This incident is resolved" in words(refused.text)
    elsewhere = browser.post("/incidents/2", action="nonsense", back="https://evil.example")
    assert elsewhere.headers["location"] == "/incidents/2"
    assert browser.post_raw("/incidents/2", {"action": "release"}).status_code == 403


@pytest.mark.parametrize("number", ["0", "9", "x"])
def test_there_is_no_such_incident(browser: Browser, number: str) -> None:
    assert browser.get(f"/incidents/{number}").status_code == 404
    assert browser.post(f"/incidents/{number}", action="acknowledge").status_code == 404


def test_an_anomaly_names_its_incident(stored: InProcess) -> None:
    assert 'part of the incident <a href="/incidents/2">' in stored.get("/anomalies/7").text


def test_what_somebody_has_resolved_may_have_members_that_last(
    stored: InProcess, browser: Browser
) -> None:
    stored.learn("known", [(NOW - 60 * n, 1.0) for n in range(120, 0, -1)])
    browser.post("/incidents/2", action="resolve")
    assert "45 metrics odd" in words(browser.get("/").text).partition("In the last day")[2]


def test_a_sender_that_stopped_has_no_chart_and_is_named(fluxd: InProcess) -> None:
    fluxd.learn("known", [(NOW - 60 * n, 1.0) for n in range(120, 0, -1)])
    fluxd.store_datapoints("web-1.cpu", [(NOW, 1.0)])
    evidence = {"metrics": 200, "sender": "agent", "members": ["web-1.cpu"]}
    text = "agent: 200 of 200 metrics stopped."
    slot = fluxd.store.catalog.id_of("web-1.cpu")
    assert slot is not None
    notice = Notice(slot, "stopped", NOW, None, 1.0, text, evidence)
    fluxd.store.writer.run(lambda writer: add_notice(writer, notice))
    fluxd.group()
    now = fluxd.get("/").text
    assert "200 metrics stopped" in words(now)
    assert "<svg" not in now
    page = fluxd.get("/incidents/1").text
    assert "web-1.cpu stopped" in words(page)
    assert page.count("<svg") == 1  # its bar
