"""How long a chart takes from a gesture to being redrawn, timed by the browser itself.

A gesture's last event starts the clock. `moved` is the frame in which what is known already stands
at its new place; `redrawn` is the frame in which the datapoints of the new view are drawn.
"""

import random

from playwright.sync_api import Browser, Page

SCREEN = {"width": 1_280, "height": 900}

# Notes the last event of a gesture, and the frames after it. The script that draws hears of the
# event too, so the first frame after it has the chart moved.
_WATCH = """() => {
  const host = document.getElementById("chart");
  const note = (gesture, name) => requestAnimationFrame(() => requestAnimationFrame(() => {
    gesture[name] ??= performance.now() - gesture.began;
  }));
  for (const name of ["pointermove", "wheel", "keydown"]) {
    window.addEventListener(name, () => {
      window.gesture = { began: performance.now() };
      note(window.gesture, "moved");
    }, { capture: true, passive: true });
  }
  new MutationObserver(() => {
    if (host.dataset.state === "ready" && window.gesture) note(window.gesture, "redrawn");
  }).observe(host, { attributes: true, attributeFilter: ["data-state"] });
}"""

_OVER = "() => window.gesture?.redrawn !== undefined && window.gesture.moved !== undefined"


def gestures(
    browser: Browser, address: str, headers: dict[str, str], ranges: list[str], rounds: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Drag, turn the wheel and press keys on charts of some ranges.

    Returns by the gesture's title the seconds until the chart had moved and until it was redrawn.
    """
    rng = random.Random(2)
    found: dict[str, tuple[list[float], list[float]]] = {}
    for shown in ranges:
        page = browser.new_page(viewport=SCREEN, extra_http_headers=headers)
        page.goto(f"{address}?last={shown}")
        page.wait_for_selector("#chart[data-state=ready]")
        page.evaluate(_WATCH)
        box = page.locator("#chart .u-over").bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for turn in range(rounds):
            for name in ("pan", "zoom"):
                page.mouse.move(x + turn % 7, y)
                page.evaluate("() => { window.gesture = undefined; }")
                if name == "pan":
                    _drag(page, x, y, rng.choice((1, 1, 1, -1)) * box["width"] / 3)
                else:
                    page.mouse.wheel(0, 120 if turn % 2 else -120)
                page.wait_for_function(_OVER)
                taken = page.evaluate("() => window.gesture")
                moved, redrawn = found.setdefault(f"{name}, {shown}", ([], []))
                moved.append(taken["moved"] / 1_000)
                redrawn.append(taken["redrawn"] / 1_000)
        page.close()
    return found


def _drag(page: Page, x: float, y: float, by: float) -> None:
    page.mouse.down()
    page.mouse.move(x + by, y, steps=6)
    page.mouse.up()
