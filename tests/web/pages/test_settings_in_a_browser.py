"""Entry, Settings and Status in a real browser, against a real daemon."""

import gzip
import json
import os
import re
import shlex
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from running import PATIENCE_S, Daemon, until
from web.pages.accessible import serious_findings
from web.pages.conftest import OpenPage, sign_in_link

INTEGRATIONS, TESTS, KEYS = "/settings/integrations", "/settings/ingestion-test", "/settings/keys"
PAGES = [INTEGRATIONS, TESTS, KEYS, "/settings/access", "/status"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    running = Daemon(tmp_path / "data")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Run a daemon with something to show on each of these pages."""
    running = Daemon(tmp_path_factory.mktemp("busy") / "data")
    now = int(time.time())
    names = [f"host.disk{number}.used" for number in range(12)]
    metrics = [{"metric": name, "timestamp": now, "value": 1} for name in names]
    assert running.post({"metrics": metrics}).status == 204
    assert running.post({"metrics": metrics}, headers={"x-test-only": "1"}).status == 204
    late = [{"metric": "a", "timestamp": now + 9_000, "value": 1}]
    assert running.post({"metrics": late}).status == 400
    assert running.post({"metrics": late}, headers={"x-test-only": "1"}).status == 400
    yield running
    running.kill()


def run(*command: str, **options: Any) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def value_of(daemon: Daemon, metric: str) -> float:
    """Return the last value of a metric, once there is one."""
    answer = until(
        lambda: (
            (found := daemon.get(f"/api/v1/metrics/{metric}/datapoints")).status == 200
            and found.body["values"]
            and found
        )
    )
    return float(answer.body["values"][-1])


def example(page: Page, name: str) -> str:
    """Return an example as it stands on the page."""
    text = page.locator(f"section:has(#example-{name}) pre").text_content()
    assert text is not None
    assert "YOUR_KEY" not in text
    return text


def load(column: int) -> float:
    return float(Path("/proc/loadavg").read_text().split()[column])


def test_a_link_signs_in_once_and_nothing_is_seen_without(
    daemon: Daemon, chromium: Browser
) -> None:
    stranger = chromium.new_context().new_page()
    for path in ("/", *PAGES):
        answer = stranger.goto(daemon.url + path)
        assert answer is not None
        assert answer.status == 401
        expect(stranger.get_by_role("heading", level=1)).to_have_text("Sign in to fluxd")
        assert daemon.key not in stranger.content()
    assert serious_findings(stranger) == []
    link = sign_in_link(daemon.data)
    stranger.goto(link)
    expect(stranger).to_have_url(f"{daemon.url}/")
    assert "token" not in stranger.evaluate("document.cookie + location.href")
    assert stranger.evaluate("document.cookie") == ""
    other = chromium.new_context().new_page()
    other.goto(link)
    expect(other.get_by_role("alert")).to_contain_text("used already")
    stranger.get_by_role("button", name="Sign out").click()
    expect(stranger).to_have_url(f"{daemon.url}/sign-in")
    stranger.goto(f"{daemon.url}/status")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Sign in to fluxd")
    for page in (stranger, other):
        page.context.close()


def test_another_sites_form_does_nothing(daemon: Daemon, chromium: Browser, tmp_path: Path) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(sign_in_link(daemon.data))
    evil = tmp_path / "evil.html"
    evil.write_text(
        f'<form method="post" action="{daemon.url}{KEYS}"><input name="action" value="revoke">'
        '<input name="name" value="first"><button>win</button></form>'
    )
    page.goto(f"file://{evil}")
    with page.expect_navigation() as answered:
        page.get_by_role("button").click()
    assert answered.value.status in (401, 403)
    assert daemon.post({"status": 1}).status == 200
    assert daemon.post({"validate_key": True}).status == 200
    context.close()


def test_the_key_is_shown_after_a_click_and_copied_with_the_code(
    daemon: Daemon, open_page: OpenPage
) -> None:
    page = open_page(daemon, INTEGRATIONS, permissions=["clipboard-read", "clipboard-write"])
    assert daemon.key not in page.content()
    page.get_by_role("button", name="Copy curl, one datapoint").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert f"-H 'key: {daemon.key}'" in copied
    assert daemon.key not in page.content()
    page.get_by_role("button", name="Show the key").click()
    expect(page.locator("#secret")).to_have_text(daemon.key)
    assert copied == example(page, "curl")


@pytest.fixture
def shown(busy: Daemon, open_page: OpenPage) -> Page:
    """Open the page with its examples filled in."""
    page = open_page(busy, INTEGRATIONS)
    page.get_by_role("button", name="Show the key").click()
    expect(page.locator("#secret")).to_have_text(busy.key)
    return page


def test_every_example_is_tried_below(shown: Page) -> None:
    names = shown.locator("section.example h2").evaluate_all("all => all.map(one => one.id)")
    tried = {name for name in globals() if name.startswith("test_the_example_")}
    assert {f"test_the_example_{name.removeprefix('example-').replace('-', '_')}" for name in names}
    assert len(names) == len(tried) == 6


def test_the_example_curl(busy: Daemon, shown: Page) -> None:
    assert run("bash", "-c", example(shown, "curl")).startswith("HTTP/1.1 204")
    assert value_of(busy, "test.cpu") == 12.5


def test_the_example_curl_many(busy: Daemon, shown: Page) -> None:
    assert run("sh", "-c", example(shown, "curl-many")).startswith("HTTP/1.1 204")
    assert (value_of(busy, "test.cpu"), value_of(busy, "test.memory")) == (12.5, 48.2)


def test_the_example_python(busy: Daemon, shown: Page) -> None:
    assert run(sys.executable, "-c", example(shown, "python")) == "204\n"
    assert value_of(busy, "test.load") == pytest.approx(load(0), abs=5)


def test_the_example_cron(busy: Daemon, shown: Page) -> None:
    """Run it as cron does: with sh, without an environment, after taking `%` for its own."""
    line = example(shown, "cron")
    assert "\n" not in line
    fields = line.split(" ", 5)
    assert fields[:5] == ["*"] * 5
    assert not re.search(r"(?<!\\)%", fields[5])
    command = fields[5].replace(r"\%", "%")
    assert run("sh", "-c", command, env={"PATH": "/usr/bin:/bin"}) == ""
    assert value_of(busy, f"{os.uname().nodename}.load1") == pytest.approx(load(0), abs=5)


def test_the_example_telegraf(busy: Daemon, shown: Page) -> None:
    """Send what telegraf sends with this configuration."""
    (output,) = tomllib.loads(example(shown, "telegraf"))["outputs"]["http"]
    assert output["non_retryable_statuscodes"] == [400, 401, 404, 405, 413]
    assert (output["data_format"], output["json_timestamp_units"]) == ("json", "1s")
    assert (output["use_batch_format"], output["content_encoding"]) == (True, "gzip")
    metric = {"name": "cpu", "tags": {"cpu": "cpu0", "host": "web-1"}, "fields": {"idle": 98.5}}
    body = {"metrics": [metric | {"timestamp": int(time.time())}]}
    call = urllib.request.Request(
        output["url"],
        method=output["method"],
        data=gzip.compress(json.dumps(body).encode()),
        headers={**output["headers"], "Content-Encoding": "gzip"},
    )
    with urllib.request.urlopen(call, timeout=PATIENCE_S) as answer:
        assert answer.status == 204
    assert value_of(busy, "web-1.cpu0.cpu.idle") == 98.5


def test_the_example_systemd(busy: Daemon, shown: Page, tmp_path: Path) -> None:
    """Paste it with the machine's folders in a place of the test's, and no systemd to ask."""
    script = example(shown, "systemd")
    for folder in ("/usr/local/sbin", "/etc/systemd/system"):
        (tmp_path / folder[1:]).mkdir(parents=True)
        script = script.replace(folder, str(tmp_path / folder[1:]))
    asked = tmp_path / "asked"
    (tmp_path / "bin").mkdir()
    for name, text in (("sudo", '"$@"'), ("systemctl", f'echo "$@" >> {shlex.quote(str(asked))}')):
        command = tmp_path / "bin" / name
        command.write_text(f"#!/bin/sh\n{text}\n")
        command.chmod(0o700)
    run("bash", "-ec", script, env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"})
    assert asked.read_text() == "daemon-reload\nenable --now fluxd-load.timer\n"
    units = tmp_path / "etc/systemd/system"
    service, timer = units / "fluxd-load.service", units / "fluxd-load.timer"
    run("systemd-analyze", "verify", "--man=no", str(service), str(timer))
    program = re.findall(r"^ExecStart=(.*)$", service.read_text(), re.MULTILINE)[0]
    assert Path(program).stat().st_mode & 0o077 == 0  # the key is in it
    run(program, env={"PATH": "/usr/bin:/bin"})
    assert value_of(busy, f"{os.uname().nodename}.load5") == pytest.approx(load(1), abs=5)


def test_the_button_sends_and_shows_what_arrived(daemon: Daemon, open_page: OpenPage) -> None:
    page = open_page(daemon, INTEGRATIONS)
    page.get_by_role("button", name="Send a test datapoint").click()
    expect(page.get_by_role("status")).to_contain_text("It arrived and is on disk.")
    expect(page.get_by_role("status")).to_contain_text("fluxd.test is 1 at")
    assert value_of(daemon, "fluxd.test") == 1.0


def test_from_curl_in_test_mode_to_the_page(daemon: Daemon, open_page: OpenPage) -> None:
    page = open_page(daemon, TESTS, permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_text("Nothing was sent in test mode")).to_be_visible()
    page.get_by_role("button", name="Copy Test mode").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    line = page.evaluate("navigator.clipboard.readText()")
    assert run("bash", "-c", line).startswith("HTTP/1.1 204")
    expect(page.locator(".test")).to_contain_text("accepted")  # by itself
    expect(page.locator(".test")).to_contain_text("test.cpu")
    assert run("bash", "-c", line.replace("12.5", "null")).startswith("HTTP/1.1 400")
    expect(page.locator(".test").first).to_contain_text("invalid value - null")
    expect(page.locator(".test")).to_have_count(2)
    assert daemon.get("/api/v1/metrics").body["metrics"] == []
    page.reload()
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_text("Nothing was sent in test mode")).to_be_visible()


def test_a_key_is_created_used_and_revoked(daemon: Daemon, open_page: OpenPage) -> None:
    page = open_page(daemon, KEYS)
    page.get_by_label("Name").fill("web-1")
    page.get_by_label("Prefix (optional)").fill("web")
    page.get_by_label("Quota (optional)").fill("2")
    page.get_by_role("button", name="Create the key").click()
    secret = page.locator("#new-secret").text_content()
    metric = {"metric": "cpu", "timestamp": int(time.time()), "value": 1}
    assert daemon.post({"key": secret, **metric}).status == 204
    page.goto(daemon.url + KEYS)
    row = page.get_by_role("row").filter(has_text="web-1")
    expect(row).to_contain_text("1 of 2")
    late = metric | {"timestamp": int(time.time()) + 3 * 3600}
    assert daemon.post({"key": secret, **late}).status == 400
    page.reload()
    expect(
        page.get_by_text("Timestamp 3 h in the future: check that host's clock.")
    ).to_be_visible()
    row.get_by_text("Revoke", exact=False).first.click()
    page.get_by_role("button", name="Revoke web-1 for good").click()
    expect(page.get_by_text("1 revoked")).to_be_visible()
    assert daemon.post({"key": secret, **metric}).status == 401


def test_a_password_signs_in(daemon: Daemon, open_page: OpenPage, chromium: Browser) -> None:
    page = open_page(daemon, "/settings/access")
    page.get_by_role("textbox", name="Password").fill("four words are good")
    page.get_by_label("Again").fill("four words are good")
    page.get_by_role("button", name="Set it").click()
    expect(page.get_by_role("status")).to_contain_text("The password is set")
    other = chromium.new_context().new_page()
    other.goto(f"{daemon.url}/sign-in")
    other.get_by_label("Password").fill("four words are wrong")
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("alert")).to_contain_text("not the password")
    other.get_by_label("Password").fill("four words are good")
    other.get_by_role("button", name="Sign in").click()
    expect(other).to_have_url(f"{daemon.url}/")
    other.context.close()


def test_status_keeps_itself_up_to_date(daemon: Daemon, open_page: OpenPage) -> None:
    page = open_page(daemon, "/status")
    expect(page.get_by_text("All is well")).to_be_visible()
    metrics = page.locator("#figures section").filter(has_text="Metrics")
    expect(metrics).to_contain_text("0")
    metric = {"metric": "cpu", "timestamp": int(time.time()), "value": 1}
    assert daemon.post(metric).status == 204
    expect(metrics.locator(".figure")).to_have_text("1")
    expect(page.get_by_text("1 since the start")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="save states")).to_be_visible()


@pytest.mark.parametrize(
    "options",
    [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"viewport": {"width": 375, "height": 740}},
    ],
    ids=["light", "dark", "phone"],
)
def test_everybody_can_use_it(busy: Daemon, open_page: OpenPage, options: dict[str, Any]) -> None:
    page = open_page(busy, "/", **options)
    root = "document.documentElement"
    for path in PAGES:
        page.goto(busy.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert serious_findings(page) == [], path
        assert page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"), path
