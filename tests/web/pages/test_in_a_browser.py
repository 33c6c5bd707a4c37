"""The pages in a real browser: charts that move, search, keyboard, dark, small, hostile names."""

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from running import Daemon, until
from web.pages import scene
from web.pages.conftest import OpenPage, chart_of, fits

ODD, GAPPED = "web-1.latency", "disk./var.used%"
COUNT = 1_500
PHONE = {"viewport": {"width": 375, "height": 740}, "has_touch": True}


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run a daemon with a metric that is odd now, one with a gap, and some that learn."""
    daemon = Daemon(tmp_path_factory.mktemp("fed") / "data")
    now = int(time.time()) // 60 * 60
    odd = scene.with_spike(scene.series(1, now=now, count=COUNT), now - 120, now, 40)
    gapped = [
        row for row in scene.series(2, now=now, count=COUNT) if not now - 9000 < row[0] < now - 5400
    ]
    for metric, rows in ((ODD, odd), (GAPPED, gapped)):
        scene.send(daemon, metric, rows, fill=True)
    for number in range(60):
        rows = scene.series(3, now=now, count=5)
        scene.send(daemon, f"fleet.host-{number:02}.Load", rows, fill=True)
    scene.analysed(daemon, ODD, COUNT)
    scene.analysed(daemon, "fleet.host-59.Load", 5)
    yield daemon
    daemon.kill()


def view_of(page: Page) -> tuple[float, float]:
    """Return what the address of the CSV says is in view."""
    href = page.locator("#csv").get_attribute("href") or ""
    found = re.search(r"from=(\d+)&to=(\d+)", href)
    assert found is not None, href
    return int(found.group(1)), int(found.group(2))


def test_from_now_to_the_anomaly_and_to_its_metric(fed: Daemon, open_page: OpenPage) -> None:
    page = open_page(fed, "/")
    expect(page.get_by_role("heading", level=1)).to_have_text("1 metric is odd now")
    page.get_by_role("link", name=f"Why {ODD} is odd").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("expected between")
    chart_of(page)
    expect(page.locator("#chart")).to_have_attribute("data-empty", "false")
    expect(page.get_by_text("By chance")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name=ODD).first.click()
    chart_of(page)
    expect(page.locator("#anomalies li")).not_to_have_count(0)
    expect(page.locator("#sensitivity")).to_contain_text("It is odd now: what would be noticed")


def test_now_keeps_itself_up_to_date_and_touches_only_what_changed(
    fed: Daemon, open_page: OpenPage
) -> None:
    page = open_page(fed, "/")
    page.wait_for_selector(".incident")
    page.evaluate("document.querySelector('.incident').dataset.seen = 'before'")
    with page.expect_response(lambda answer: answer.url == f"{fed.url}/"):
        pass
    with page.expect_response(lambda answer: answer.url == f"{fed.url}/"):
        pass
    expect(page.locator("[data-connection=ok]")).to_have_count(1)
    assert page.locator(".incident[data-seen=before]").count() == 1


def test_the_chart_moves_by_drag_wheel_keys_and_buttons(fed: Daemon, open_page: OpenPage) -> None:
    page = open_page(fed, f"/metrics-list/{ODD}")
    chart_of(page)
    first = view_of(page)
    assert first[1] - first[0] == pytest.approx(86_400, abs=5)
    expect(page.get_by_role("button", name="1d")).to_have_attribute("aria-pressed", "true")
    box = page.locator("#chart .u-over").bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def moved(from_: tuple[float, float]) -> tuple[float, float]:
        expect(page.locator("#csv")).not_to_have_attribute(
            "href", re.compile(f"from={from_[0]:.0f}&to={from_[1]:.0f}$")
        )
        return view_of(page)

    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + box["width"] / 4, middle[1], steps=4)
    page.mouse.up()
    # On a busy machine the view rests on its way, too.
    until(lambda: abs(view_of(page)[0] - (first[0] - 21_600)) <= 600)
    dragged = view_of(page)
    assert dragged[1] - dragged[0] == pytest.approx(86_400, abs=5)
    page.mouse.wheel(0, -500)
    closer = moved(dragged)
    assert closer[1] - closer[0] < 60_000
    page.locator("#chart").focus()
    page.keyboard.press("-")
    further = moved(closer)
    assert further[1] - further[0] > closer[1] - closer[0]
    page.keyboard.press("Shift+ArrowLeft")
    assert moved(further)[0] < further[0]
    page.get_by_role("button", name="1h").click()
    expect(page).to_have_url(re.compile(r"\?last=1h$"))
    expect(page.get_by_role("button", name="1h")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="2y").click()
    expect(page).to_have_url(re.compile(r"\?last=2y$"))
    last = view_of(page)
    assert last[1] - last[0] == pytest.approx(63_072_000, abs=5)


def test_shift_and_drag_chooses_a_part(fed: Daemon, open_page: OpenPage) -> None:
    page = open_page(fed, f"/metrics-list/{ODD}?last=6h")
    chart_of(page)
    box = page.locator("#chart .u-over").bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page).to_have_url(re.compile(r"from=\d+&to=\d+$"))
    since, until = view_of(page)
    assert until - since == pytest.approx(5400, abs=120)


def test_a_link_shows_the_same_view(fed: Daemon, open_page: OpenPage) -> None:
    now = int(time.time())
    page = open_page(fed, f"/metrics-list/{ODD}?from={now - 9000}&to={now - 7200}")
    chart_of(page)
    assert view_of(page) == pytest.approx((now - 9000, now - 7200), abs=2)


def test_values_are_read_with_the_keyboard_and_the_pointer(
    fed: Daemon, open_page: OpenPage
) -> None:
    page = open_page(fed, f"/metrics-list/{ODD}?last=1h")
    chart_of(page)
    page.locator("#chart").focus()
    page.keyboard.press("ArrowLeft")
    readout = page.locator("#readout")
    expect(readout).to_contain_text(re.compile(r"value \d+.*▲ anomaly"))
    newest = readout.text_content()
    page.keyboard.press("ArrowLeft")
    expect(readout).not_to_have_text(newest or "")
    expect(readout).to_contain_text("usual")
    page.keyboard.press("Escape")
    expect(readout).to_contain_text("arrow keys")
    box = page.locator("#chart .u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + 60)
    expect(readout).to_contain_text(re.compile(r"value \d"))


def test_a_gap_is_a_gap(fed: Daemon, open_page: OpenPage) -> None:
    now = int(time.time())
    page = open_page(fed, f"/metrics-list/disk.%2Fvar.used%25?from={now - 8000}&to={now - 6000}")
    expect(page.locator("#chart")).to_have_attribute("data-empty", "true")
    chart_of(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(GAPPED)


def test_search_finds_as_one_types_and_the_address_keeps_it(
    fed: Daemon, open_page: OpenPage
) -> None:
    page = open_page(fed, "/metrics-list")
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(50)
    page.get_by_role("searchbox", name="Search by name").press_sequentially("host-1 load")
    expect(rows).to_have_count(10)
    expect(page).to_have_url(re.compile(r"match=host-1\+load$"))
    page.get_by_role("combobox", name="State").select_option("learning")
    expect(page).to_have_url(re.compile(r"state=learning$"))
    page.reload()
    expect(rows).to_have_count(10)
    page.get_by_role("searchbox").fill("nothing like it")
    expect(page.get_by_role("status")).to_contain_text("nothing like it")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="State").select_option("")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Next page").click()
    expect(rows).to_have_count(12)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_every_page_without_scrolling_sideways(
    fed: Daemon, open_page: OpenPage, scheme: str
) -> None:
    page = open_page(fed, "/", color_scheme=scheme, **PHONE)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert fits(page)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    shade = sum(int(part) for part in re.findall(r"\d+", ground)[:3])
    assert (shade < 200) == (scheme == "dark")
    for path in ("/metrics-list", f"/metrics-list/{ODD}", "/anomalies/1"):
        page.goto(fed.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        if path != "/metrics-list":
            chart_of(page)
        assert fits(page), path


def test_every_link_and_button_is_reached_with_the_keyboard(
    fed: Daemon, open_page: OpenPage
) -> None:
    page = open_page(fed, f"/metrics-list/{ODD}")
    chart_of(page)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        )
    assert {"chart", "csv", "svg", "1h", "2y", "Metrics"} <= reached
    assert page.locator("#chart:focus-visible").count() + len(reached) > 10
