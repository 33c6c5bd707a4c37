"""Settings, Notifications as the server answers it: channels come, are changed, tested and go."""

import html
import re
from dataclasses import replace

import pytest
from web.inprocess import NOW, Browser, InProcess

from fluxd.store.channels import StoredChannel, add_channel, adopt_channels, read_channels
from fluxd.store.outbox import note_test

PATH = "/settings/notifications"
SECRET = "https://hooks.example.org/services/T0/verysecret"


def text_of(page: str) -> str:
    """Return what is read of a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def channels(fluxd: InProcess) -> list[StoredChannel]:
    with fluxd.store.read() as reader:
        return read_channels(reader)


@pytest.fixture
def browser(fluxd: InProcess) -> Browser:
    return fluxd.sign_in()


def add(browser: Browser, **fields: str) -> int:
    given = {"action": "save", "kind": "webhook", "name": "ops", "f-url": SECRET, **fields}
    return browser.post(PATH, **given).status_code


def test_where_nobody_is_told_it_says_so_and_offers_each_kind(browser: Browser) -> None:
    page = browser.get(PATH).text
    assert "Nobody is told yet" in page
    kinds = re.findall(r"\?add=(\w+)#form", page)
    assert kinds == ["webhook", "email", "slack", "ntfy", "apprise"]
    for kind in kinds:
        form = browser.get(f"{PATH}?add={kind}").text
        assert f'name="kind" value="{kind}"' in form
        assert 'name="f-' in form
    assert 'id="form"' not in browser.get(f"{PATH}?add=pigeon").text


def test_a_channel_is_added_with_what_it_takes(fluxd: InProcess, browser: Browser) -> None:
    more = {"least": "high", "metrics": "web-*, db.*", "quiet_hours": "22:00 – 07:00"}
    assert add(browser, **more, daily_cap="5", digest="also", resolved="no") == 303
    (found,) = channels(fluxd)
    assert found == replace(
        found,
        kind="webhook",
        least="high",
        metrics=("web-*", "db.*"),
        quiet_hours="22:00-07:00",
        daily_cap=5,
        digest="also",
        resolved=False,
        enabled=True,
    )
    assert found.settings["url"] == SECRET
    said = text_of(browser.get(PATH).text)
    assert "high or worse of web-*, db.*; quiet 22:00-07:00" in said
    assert "at most 5 a day; not told what is over; a daily digest too" in said
    assert '<option value="no" selected>no message' in browser.get(f"{PATH}?edit=1").text
    assert "not tried yet" in said


def test_secrets_are_never_shown_again_and_stay_where_left_empty(
    fluxd: InProcess, browser: Browser
) -> None:
    add(browser, **{"f-secret": "signing secret"})
    form = browser.get(f"{PATH}?edit=1").text
    for page in (browser.get(PATH).text, form):
        assert "verysecret" not in page
        assert "signing secret" not in page
    assert "empty keeps https://hooks.example.org/***" in form
    changed = {"id": "1", "f-url": "", "name": "night", "least": "critical"}
    assert add(browser, **changed) == 303
    (found,) = channels(fluxd)
    assert (found.name, found.least) == ("night", "critical")
    assert (found.settings["url"], found.settings["secret"]) == (SECRET, "signing secret")
    assert add(browser, **changed, **{"clear-secret": "yes"}) == 303
    assert channels(fluxd)[0].settings["secret"] == ""
    other = SECRET.replace("verysecret", "other")
    assert add(browser, **{**changed, "f-url": other}) == 303
    assert channels(fluxd)[0].settings["url"] == other


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "at most 40 letters"),
        ({"name": "a b"}, "at most 40 letters"),
        ({"f-url": ""}, "Url is missing"),
        ({"f-url": "ftp://verysecret"}, "Url is not what it should be"),
        ({"least": "bad"}, "one of low, normal, high, critical"),
        ({"digest": "bad"}, "one of off, also, only"),
        ({"quiet_hours": "from ten"}, "written as 22:00-07:00"),
        ({"daily_cap": "-1"}, "from 0 (none) to 1,000"),
        ({"daily_cap": "1001"}, "from 0 (none) to 1,000"),
        ({"metrics": "x" * 600}, "At most 100 globs"),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_of_the_form_is_kept(
    fluxd: InProcess, browser: Browser, fields: dict[str, str], said: str
) -> None:
    given = {"action": "save", "kind": "webhook", "name": "ops", "f-url": SECRET}
    page = browser.post(PATH, **{**given, "metrics": "kept-*", **fields})
    assert page.status_code == 400
    assert said in text_of(page.text)
    assert "verysecret" not in page.text
    assert 'value="kept-*"' in page.text or "metrics" in fields
    assert channels(fluxd) == []


def test_a_name_is_taken_once_and_no_other_kind_is_known(
    fluxd: InProcess, browser: Browser
) -> None:
    assert add(browser) == 303
    page = browser.post(PATH, action="save", kind="ntfy", name="ops", **{"f-topic": "t"})
    assert page.status_code == 400
    assert "there is a channel ops already" in text_of(page.text).lower()
    assert 'name="kind" value="ntfy"' in page.text
    assert browser.post(PATH, action="save", kind="pigeon", name="x").status_code == 400
    assert len(channels(fluxd)) == 1


def test_it_is_switched_off_and_on_and_deleted(fluxd: InProcess, browser: Browser) -> None:
    add(browser)
    assert browser.post(PATH, action="disable", id="1").status_code == 303
    assert not channels(fluxd)[0].enabled
    assert add(browser, id="1", **{"f-url": ""}) == 303
    assert not channels(fluxd)[0].enabled  # to change it is not to switch it on
    assert browser.post(PATH, action="enable", id="1").status_code == 303
    assert channels(fluxd)[0].enabled
    assert browser.post(PATH, action="delete", id="1").status_code == 303
    assert channels(fluxd) == []
    for action in ("delete", "enable", "test", "save"):
        assert browser.post(PATH, action=action, id="1", name="ops").status_code == 404
    assert browser.get(f"{PATH}?edit=1").status_code == 404


def test_the_test_says_what_the_other_side_answered(fluxd: InProcess, browser: Browser) -> None:
    add(browser)
    fluxd.tested = [(True, "204 <thanks>"), (False, "connection refused")]
    page = browser.post(PATH, action="test", id="1").text
    assert "The test reached ops. Its answer: 204 <thanks>" in text_of(page)
    assert "<thanks>" not in page
    page = browser.post(PATH, action="test", id="1").text
    assert "The test did not reach ops. connection refused" in text_of(page)
    assert fluxd.tested == []


def test_what_became_of_the_last_messages_is_shown(fluxd: InProcess, browser: Browser) -> None:
    add(browser)
    run = fluxd.store.writer.run
    run(lambda writer: note_test(writer, 1, "k1", sent=False, answer="<refused>", now=NOW))
    page = browser.get(PATH).text
    assert "failing since" in text_of(page)
    assert page.count("&lt;refused&gt;") == 2  # with its channel, and in the list
    run(lambda writer: note_test(writer, 1, "k2", sent=True, answer="204", now=NOW + 1))
    said = text_of(browser.get(PATH).text)
    assert "failing since" not in said
    assert "works" in said
    browser.post(PATH, action="delete", id="1")
    assert "ops (deleted)" in text_of(browser.get(PATH).text)


def test_the_files_channels_are_shown_and_left_alone(fluxd: InProcess, browser: Browser) -> None:
    channel = StoredChannel(0, "mail", "email", {"password": "verysecret"}, from_file=True)
    fluxd.store.writer.run(lambda writer: adopt_channels(writer, [channel], now=NOW))
    page = browser.get(PATH).text
    assert "in the configuration file" in text_of(page)
    assert "?edit=1" not in page
    assert 'value="test"' in page
    assert 'value="delete"' not in page
    for action in ("disable", "delete", "save"):
        refused = browser.post(PATH, action=action, id="1", name="mail")
        assert refused.status_code == 400
        assert "change it there" in refused.text
    assert browser.get(f"{PATH}?edit=1").status_code == 400
    fluxd.tested = [(True, "250 OK")]
    assert "250 OK" in browser.post(PATH, action="test", id="1").text


def test_a_channel_of_a_kind_that_is_gone_is_shown_all_the_same(
    fluxd: InProcess, browser: Browser
) -> None:
    channel = StoredChannel(0, "old", "pigeon", {"coop": "north"})
    fluxd.store.writer.run(lambda writer: add_channel(writer, channel, now=NOW))
    assert "pigeon" in browser.get(PATH).text
    assert browser.get(f"{PATH}?edit=1").status_code == 400
    assert browser.post(PATH, action="delete", id="1").status_code == 303
