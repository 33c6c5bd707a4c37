"""Pages of stores that are special: a new one, one of very many metrics, one of hostile names."""

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from running import Daemon
from web.pages import scene
from web.pages.conftest import OpenPage, chart_of, fits

COUNT = 300  # datapoints of a metric of a hostile name

# Fixtures, since they end after the pages do: a page that still asks a daemon amid its end logs it.


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    running = Daemon(tmp_path / "data")
    yield running
    running.kill()


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Daemon]:
    """Run a daemon in which metrics of hostile names are odd now."""
    now = int(time.time()) // 60 * 60
    rows = scene.with_spike(scene.series(1, now=now, count=COUNT), now - 60, now, 60)
    scene.plant(tmp_path / "data", scene.HOSTILE, rows)
    running = scene.planted(tmp_path / "data")
    yield running
    running.kill()


def test_first_datapoints_appear_by_themselves(daemon: Daemon, open_page: OpenPage) -> None:
    page = open_page(daemon, "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Send a first datapoint")
    expect(page.get_by_text(f"{daemon.url}/flux/metric_data_post").first).to_be_visible()
    now = int(time.time()) // 60 * 60
    scene.send(daemon, "one", scene.series(1, now=now, count=7), fill=False)
    scene.send(daemon, "two", scene.series(2, now=now, count=3), fill=False)
    progress = page.locator("#first-progress")
    expect(progress).to_contain_text("2 metrics, 7/100 datapoints")
    expect(progress).to_contain_text(re.compile(r"first verdict about \d\d:\d\d$"))
    scene.send(daemon, "one", scene.series(1, now=now - 420, count=200), fill=True)
    scene.send(daemon, "three", scene.series(1, now=now, count=200), fill=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("All is quiet")


def test_a_stranger_comes_to_a_verdict_by_what_the_page_says(
    tmp_path: Path, daemon: Daemon, open_page: OpenPage
) -> None:
    page = open_page(daemon, "/", permissions=["clipboard-read", "clipboard-write"])
    assert daemon.key not in page.content()
    page.get_by_role("button", name="Copy curl, one datapoint").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert "204" in shell(page.evaluate("navigator.clipboard.readText()"))
    page.wait_for_selector("#first-progress")
    now = int(time.time()) // 60 * 60
    rows = scene.with_spike(scene.series(1, now=now, count=1_500), now - 240, now, 60)
    history = tmp_path / "history.csv"
    history.write_text("".join(f"{at},{value}\n" for at, value in rows))
    line = page.get_by_label("Import").inner_text()
    shell(line.replace("METRIC", "web.requests").replace("FILE.csv", str(history)))
    expect(page.get_by_role("heading", level=1)).to_have_text("1 metric is odd now")
    expect(page.locator(".incident-title")).to_contain_text("web.requests")
    expect(page.locator(".incident .sentence")).to_contain_text(re.compile(r" at \d\d:\d\d; "))


def shell(line: str) -> str:
    """Run what a page says, as it is pasted."""
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    return done.stdout


def test_among_100_000_metrics_one_is_found_while_typing(
    daemon: Daemon, open_page: OpenPage
) -> None:
    now = int(time.time())
    for first in range(0, 100_000, scene.PER_POST):
        elements = [
            {"metric": f"fleet.Host-{n:05}.load", "timestamp": now, "value": n}
            for n in range(first, first + scene.PER_POST)
        ]
        assert daemon.post({"metrics": elements}).status == 204
    page = open_page(daemon, "/metrics-list")
    expect(page.get_by_placeholder("Search 100,000 metrics by name")).to_be_visible()
    box = page.get_by_role("searchbox", name="Search by name")
    box.press_sequentially("host-73", delay=30)
    expect(page.locator("#rows tr").first).to_contain_text("fleet.Host-73000.load")
    box.press_sequentially("421", delay=30)
    expect(page.locator("#rows tr")).to_have_count(1)
    expect(page.locator("#rows")).to_contain_text("73,421")


def test_hostile_names_are_text(hostile: Daemon, open_page: OpenPage) -> None:
    for name in scene.HOSTILE:
        scene.analysed(hostile, name, COUNT)
    page = open_page(hostile, "/", viewport={"width": 375, "height": 740})
    expect(page.get_by_role("heading", level=1)).to_have_text(
        f"{len(scene.HOSTILE)} metrics are odd now"
    )
    assert fits(page)
    page.goto(f"{hostile.url}/metrics-list")
    expect(page.locator("#rows tr")).to_have_count(len(scene.HOSTILE))
    assert fits(page)
    links = [link.get_attribute("href") or "" for link in page.locator("#rows .metric-name").all()]
    for link in links:
        page.goto(hostile.url + link)
        chart_of(page)
        assert fits(page), link
        expect(page.locator("#anomalies li")).not_to_have_count(0)
        page.locator("#anomalies a").first.click()
        chart_of(page)
        assert fits(page), link
    assert page.evaluate("window.hacked") is None
