"""Settings, Silence as the server answers it: mutes and expected windows come and go."""

import html
import re

import pytest
from web.inprocess import NOW, Browser, InProcess

from fluxd.core.detect import UTC
from fluxd.core.hush import Mute, Window
from fluxd.store.hushes import read_mutes, read_windows
from fluxd.store.series import mute_series

PATH = "/settings/silence"
HOUR = 3_600


def text_of(page: str) -> str:
    """Return what is read of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def browser(fluxd: InProcess) -> Browser:
    return fluxd.sign_in()


def mutes(fluxd: InProcess) -> list[Mute]:
    with fluxd.store.read() as reader:
        return read_mutes(reader, NOW)


def windows(fluxd: InProcess) -> list[Window]:
    with fluxd.store.read() as reader:
        return read_windows(reader, 0, 9_999_999_999, UTC)


@pytest.mark.parametrize(
    ("scope", "pattern", "length", "until", "told"),
    [
        ("metric", "a.<b>", "8h", NOW + 8 * HOUR, "a.<b>"),
        ("glob", "web-*", "1d", NOW + 24 * HOUR, "web-*"),
        ("sender", "agent", "1w", NOW + 7 * 24 * HOUR, "all of the sender agent"),
        ("metric", "a", "good", None, "for good"),
        ("nonsense", "a", "nonsense", NOW + HOUR, "a"),
    ],
)
def test_something_is_muted_for_a_time_and_heard_again(
    fluxd: InProcess,
    browser: Browser,
    scope: str,
    pattern: str,
    length: str,
    until: int | None,
    told: str,
) -> None:
    fields = {"scope": scope, "pattern": f" {pattern} ", "length": length, "reason": "why not"}
    assert browser.post(PATH, action="mute", **fields).status_code == 303
    (found,) = mutes(fluxd)
    assert (found.pattern, found.until, found.reason) == (pattern, until, "why not")
    said = text_of(browser.get(PATH).text)
    assert told in said
    assert "why not" in said
    assert browser.post(PATH, action="remove-mute", id="1").status_code == 303
    assert mutes(fluxd) == []
    refused = browser.post(PATH, action="remove-mute", id="1")
    assert refused.status_code == 400
    assert "There is no such mute" in refused.text


def test_a_link_fills_the_form_in(browser: Browser) -> None:
    page = browser.get(f"{PATH}?metric=disk.%2Fvar%22%3E%3Cb%3E").text
    assert 'value="disk./var&#34;&gt;&lt;b&gt;"' in page
    assert 'value="metric" selected' in page
    assert 'value="glob" selected' in browser.get(f"{PATH}?glob=web-1.*").text


def test_what_the_command_muted_is_shown_and_heard_again(
    fluxd: InProcess, browser: Browser
) -> None:
    fluxd.store_datapoints("disk.used", [(NOW, 1.0)])
    fluxd.store.writer.run(lambda writer: mute_series(writer, "disk.used", muted=True))
    fluxd.happen(1, NOW, None, 0.5)
    assert "disk.used by fluxd metric mute" in text_of(browser.get(PATH).text)
    assert fluxd.get("/api/v1/incidents/1").json["silent"] == "muted"
    assert browser.post(PATH, action="unmute", name="disk.used").status_code == 303
    assert "Nothing is." in text_of(browser.get(PATH).text)
    fluxd.group()
    assert fluxd.get("/api/v1/incidents/1").json["silent"] is None
    assert browser.post(PATH, action="unmute", name="nothing").status_code == 400


def test_something_is_expected_now_or_later_once_or_weekly(
    fluxd: InProcess, browser: Browser
) -> None:
    now = {"title": "deploy of <web>", "minutes": "30", "metrics": "web-*, db.*"}
    assert browser.post(PATH, action="expect", **now).status_code == 303
    (found,) = windows(fluxd)
    assert found == Window(1, "deploy of <web>", NOW, NOW + 1800, ("web-*", "db.*"))
    later = {"title": "backup", "minutes": "60", "begins": "2023-11-15T02:00", "weekly": "yes"}
    assert browser.post(PATH, action="expect", **later, offset="60").status_code == 303
    assert browser.post(PATH, action="expect", **later, offset="").status_code == 303
    plain, ahead, _ = windows(fluxd)
    assert ahead == Window(2, "backup", 1_700_010_000, 1_700_013_600, (), weekly=True)
    assert plain.started == 1_700_013_600  # by the daemon's clock, which is UTC here
    said = text_of(browser.get(PATH).text)
    assert "deploy of <web> web-* db.* now 22:13 UTC" in said
    assert "every week" in said
    fluxd.now = NOW + 3 * 7 * 86_400
    assert "deploy" not in text_of(browser.get(PATH).text).partition("Expect something")[0]
    assert "02:00 UTC on 2023-12-06" in browser.get(PATH).text  # its next time
    assert browser.post(PATH, action="remove-window", id="2").status_code == 303
    assert [one.id for one in windows(fluxd)] == [3, 1]
    assert browser.post(PATH, action="remove-window", id="2").status_code == 400


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"action": "mute", "pattern": " "}, "Say what to mute"),
        ({"action": "mute", "pattern": "a" * 513}, "1 to 512 characters"),
        ({"action": "mute", "pattern": "a", "reason": "b" * 201}, "at most 200 characters"),
        ({"action": "mute", "pattern": "nobody", "scope": "sender"}, "There is no key 'nobody'"),
        ({"action": "expect", "title": " "}, "A title is missing"),
        ({"action": "expect", "title": "a\x07"}, "A title is a line"),
        ({"action": "expect", "title": "a", "minutes": "0"}, "from 1 to 527,040 minutes"),
        ({"action": "expect", "title": "a", "minutes": "1.5"}, "from 1 to 527,040 minutes"),
        ({"action": "expect", "title": "a", "begins": "soon"}, "written as 2026-11-28T22:30"),
        ({"action": "expect", "title": "a", "weekly": "y", "minutes": "10080"}, "shorter than a"),
        ({"action": "expect", "title": "a", "metrics": "b" * 513}, "At most 100 globs"),
    ],
)
def test_what_is_wrong_is_said(
    fluxd: InProcess, browser: Browser, fields: dict[str, str], said: str
) -> None:
    page = browser.post(PATH, **{"minutes": "30", **fields})
    assert page.status_code == 400
    assert said in text_of(page.text)
    assert mutes(fluxd) == windows(fluxd) == []
