"""A phone: fingers on a chart, as the browser itself turns them into events."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from running import Daemon
from web.pages import scene
from web.pages.conftest import OpenPage, chart_of
from web.pages.test_in_a_browser import view_of

METRIC, COUNT = "web-1.latency", 1_500
SCREEN = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

Point = tuple[float, float]


class Phone:
    """A page on a phone; `box` is where its chart can be touched."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._cdp = page.context.new_cdp_session(page)
        page.locator("#chart").scroll_into_view_if_needed()
        box = page.locator("#chart .u-over").bounding_box()
        assert box is not None
        self.box = box

    def touch(self, kind: str, *points: Point) -> None:
        """Put fingers on the screen, move them, or with no point take them off."""
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("phone") / "data")
    now = int(time.time()) // 60 * 60
    scene.send(daemon, METRIC, scene.series(1, now=now, count=COUNT), fill=True)
    scene.analysed(daemon, METRIC, COUNT)
    yield daemon
    daemon.kill()


@pytest.fixture
def phone(fed: Daemon, open_page: OpenPage) -> Phone:
    page = open_page(fed, f"/metrics-list/{METRIC}?last=1d", **SCREEN)
    chart_of(page)
    return Phone(page)


def test_two_fingers_zoom_where_they_are(phone: Phone) -> None:
    page, box = phone.page, phone.box
    first = view_of(page)
    y, middle = box["y"] + 100, box["x"] + box["width"] / 2
    held = (first[0] + first[1]) / 2

    def spread(by: float) -> tuple[Point, Point]:
        return (middle - by, y), (middle + by, y + 10)

    phone.touch("touchStart", *spread(30))
    for by in (40, 60, 90):
        phone.touch("touchMove", *spread(by))
    phone.touch("touchEnd")
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+$"))
    closer = view_of(page)
    assert closer[1] - closer[0] == pytest.approx((first[1] - first[0]) / 3, rel=0.02)
    assert (closer[0] + closer[1]) / 2 == pytest.approx(held, abs=900)
    assert page.evaluate("visualViewport.scale") == 1  # the chart is closer, not the page
    phone.touch("touchStart", *spread(90))
    for by in (60, 45):
        phone.touch("touchMove", *spread(by))
    phone.touch("touchEnd")
    expect(page).not_to_have_url(re.compile(f"from={closer[0]:.0f}&to={closer[1]:.0f}$"))
    further = view_of(page)
    assert further[1] - further[0] == pytest.approx(2 * (closer[1] - closer[0]), rel=0.02)


def test_one_finger_moves_the_chart_and_a_tap_reads_it(phone: Phone) -> None:
    page, box = phone.page, phone.box
    first = view_of(page)
    y, x = box["y"] + 100, box["x"] + 60
    phone.touch("touchStart", (x, y))
    for by in (30, 60, 90):
        phone.touch("touchMove", (x + by, y))
    phone.touch("touchEnd")
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+$"))
    moved = view_of(page)
    assert moved[1] - moved[0] == pytest.approx(first[1] - first[0], abs=5)
    share = 90 / box["width"]
    assert first[0] - moved[0] == pytest.approx(share * (first[1] - first[0]), rel=0.35)
    page.touchscreen.tap(box["x"] + box["width"] / 2, y)
    expect(page.locator("#readout")).to_contain_text("value")


def test_a_finger_that_moves_up_scrolls_the_page(phone: Phone) -> None:
    page, box = phone.page, phone.box
    before = page.evaluate("scrollY")
    x, y = box["x"] + 100, box["y"] + 150
    phone.touch("touchStart", (x, y))
    for by in (20, 60, 100, 140):
        phone.touch("touchMove", (x, y - by))
    phone.touch("touchEnd")
    page.wait_for_function(f"scrollY > {before} + 50")
    expect(page.get_by_role("button", name="1d")).to_have_attribute("aria-pressed", "true")
