"""The pages of metrics, in both schemes, searched for what would keep people from using them."""

import time
from collections.abc import Iterator

import pytest
from running import Daemon
from web.pages import scene
from web.pages.accessible import serious_findings
from web.pages.conftest import OpenPage, chart_of

COUNT = 400


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = Daemon(tmp_path_factory.mktemp("axe") / "data")
    now = int(time.time()) // 60 * 60
    rows = scene.with_spike(scene.series(1, now=now, count=COUNT), now - 60, now, 60)
    for metric in ("a.odd", "b.odd"):
        scene.send(running, metric, rows, fill=True)
        scene.analysed(running, metric, COUNT)
    yield running
    running.kill()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(daemon: Daemon, open_page: OpenPage, scheme: str) -> None:
    anomaly = daemon.get("/api/v1/anomalies").body["anomalies"][0]["id"]
    page = open_page(daemon, "/", color_scheme=scheme)
    for path in ("/", "/metrics-list", "/metrics-list/a.odd", f"/anomalies/{anomaly}"):
        page.goto(daemon.url + path)
        if page.locator("#chart").count():
            chart_of(page)
        assert serious_findings(page) == [], path


def test_the_searcher_finds_a_fault(daemon: Daemon, open_page: OpenPage) -> None:
    page = open_page(daemon, "/metrics-list")
    page.evaluate("document.querySelector('label[for=match]').remove()")
    page.evaluate("document.getElementById('match').removeAttribute('placeholder')")
    assert [one for one in serious_findings(page) if one.startswith("label:")]
