"""A real browser, and pages of it that notice what a page must not do."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from running import Daemon, fluxd

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 60_000

OpenPage = Callable[..., Page]
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sessions() -> dict[Path, Any]:
    """Keep the cookies of who is signed in, by the daemon's folder."""
    return {}


@pytest.fixture
def open_page(chromium: Browser, sessions: dict[Path, Any]) -> Iterator[OpenPage]:
    """Give a function that signs in to a daemon, unless that was done, and opens an address of it.

    In the end no page has logged an error, broken the content security policy, or asked anybody
    but its daemon.
    """
    contexts: list[Any] = []
    faults: list[str] = []

    def open_one(daemon: Daemon, path: str = "/", **options: Any) -> Page:
        usual = {
            "viewport": {"width": 1200, "height": 900},
            "storage_state": sessions.get(daemon.data),
        }
        context = chromium.new_context(**{**usual, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on(
            "console",
            lambda said: faults.append(said.text) if said.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: faults.append(str(error)))
        host = urlsplit(daemon.url).netloc
        page.on(
            "request",
            lambda asked: (
                None if urlsplit(asked.url).netloc in (host, "") else faults.append(asked.url)
            ),
        )
        if daemon.data not in sessions:
            page.goto(sign_in_link(daemon.data))
            sessions[daemon.data] = context.storage_state()
        page.goto(daemon.url + path)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert faults == []


def sign_in_link(data: Path) -> str:
    """Return a fresh sign-in link of a running daemon."""
    done = fluxd("link", "--data", str(data))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


def chart_of(page: Page) -> None:
    """Wait until the chart shows its data."""
    expect(page.locator("#chart")).to_have_attribute("data-state", "ready")


def fits(page: Page) -> bool:
    """Whether nothing sticks out of the page sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
