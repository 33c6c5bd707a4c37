"""Subjects, texts and HTML: what they say, in which order, and that nothing in them is markup."""

import html as htmllib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notify.samples import SENTENCE, STARTED, member, message, messages

from fluxd.core.message import Links, Message
from fluxd.notify.mail_html import html
from fluxd.notify.wording import MOST_MEMBERS, subject, text, told_members


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("opened", "3 metrics on db-1 odd since 15:05"),
        ("worsened", "Worse: 3 metrics on db-1 odd since 15:05"),
        ("resolved", "Resolved: 3 metrics on db-1 odd since 15:05"),
        ("digest", "3 metrics on db-1 odd since 15:05"),
        ("test", "3 metrics on db-1 odd since 15:05"),
    ],
)
def test_a_subject_begins_with_what_changed(kind: str, told: str) -> None:
    assert subject(message(kind=kind)) == told


def test_a_subject_is_one_line_of_bounded_length() -> None:
    long = subject(message(subject="a\r\nBcc: b@example.org " + "x" * 500))
    assert long.startswith("a Bcc: b@example.org x")
    assert len(long) == 150
    assert long.endswith("…")


def test_a_text_says_why_since_when_which_first_and_where_to_act() -> None:
    lines = text(message()).splitlines()
    assert lines[0] == SENTENCE
    assert "Since 15:05 on 2026-11-03, severity high" in lines
    names = [line.split()[1] for line in lines if line.startswith("  15:05:")]
    assert names == ["db-1.disk.await", "db-1.disk.util", 'app_latency{path="/a&b",le="<1"}']
    assert "Acknowledge: https://flux.example.org/incidents/12?acknowledge" in lines
    assert "2 further metrics are muted and not named here." in lines
    assert lines[-2:] == ["-- ", "fluxd on monitor.example.org"]


def test_eight_members_are_told_and_the_rest_counted() -> None:
    many = tuple(member(f"db-{at}.load", 10 * at) for at in reversed(range(15)))
    sent = message(members=many, metrics=200)
    assert [one.metric for one in told_members(sent)] == [f"db-{at}.load" for at in range(8)]
    assert "  and 192 more" in text(sent)
    assert "and 192 more" in html(sent)
    assert MOST_MEMBERS == 8


def test_a_member_of_another_day_has_its_date() -> None:
    sent = message(members=(member("a.b", -90_000), member("c.d")))
    assert "2026-11-02 14:05  a.b" in text(sent)


def test_an_incident_of_one_metric_does_not_say_everything_twice() -> None:
    sent = message(members=(member("db-1.load", sentence=SENTENCE),), metrics=1)
    assert text(sent).count(SENTENCE) == 1
    assert "Mute this metric: https://" in text(sent)
    assert html(sent).count(htmllib.escape(SENTENCE)) == 1


def test_what_is_over_says_for_how_long_and_wants_no_acknowledging() -> None:
    sent = message(kind="resolved", ended=STARTED + 1_500)
    assert "From 15:05 on 2026-11-03 for 25 minutes, severity high" in text(sent)
    assert "Acknowledge" not in text(sent) + html(sent)
    assert ">Open</a>" in html(sent)


def test_a_digest_tells_its_stories() -> None:
    stories = tuple((f"story {at}", f"why {at}", f"https://x.example/{at}") for at in range(33))
    sent = message(kind="digest", members=(), metrics=0, stories=stories, ended=STARTED + 86_400)
    assert "* story 0\n  why 0\n  https://x.example/0\n" in text(sent)
    assert text(sent).count("* story") == 30
    assert "and 3 more" in text(sent)
    assert 'href="https://x.example/29"' in html(sent)
    assert "severity" not in text(sent)


def test_without_addresses_there_are_no_links() -> None:
    sent = message(links=Links(), members=(member("a.b", link=""), member("c.d", 1, link="")))
    assert "http" not in text(sent)
    assert "href" not in html(sent)


def test_an_address_that_is_none_for_a_browser_is_no_link() -> None:
    sent = message(members=(member("a.b", link="javascript:alert(1)"), member("c.d", 1)))
    assert "javascript" not in html(sent)


class Parsed(HTMLParser):
    """Which elements there are, and what they say."""

    VOID = ("meta", "img", "br")

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.said = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


@settings(max_examples=50)
@given(messages())
def test_whatever_is_told_adds_no_element_to_the_html(sent: Message) -> None:
    parsed = Parsed(html(sent, "cid:x"))
    assert parsed.open == []
    assert parsed.names <= {
        *("html", "head", "meta", "title", "style", "body", "table", "tr", "td", "p", "span"),
        *("h1", "a", "img", "br"),
    }
    assert parsed.attributes <= {
        *("lang", "charset", "name", "content", "class", "style", "role", "width", "height"),
        *("cellpadding", "cellspacing", "align", "valign", "href", "src", "alt"),
    }
    assert re.sub(r"\s", "", sent.sentence) in re.sub(r"\s", "", parsed.said)


@given(messages())
def test_texts_are_lines_that_can_be_read(sent: Message) -> None:
    lines = text(sent).split("\n")
    assert lines[-3] == "-- "
    assert len(lines) < 200
    assert "\n" not in subject(sent)


@given(st.integers(-50_000, 50_000))
def test_times_are_of_the_local_clock(offset: int) -> None:
    told = text(message(offset=offset))
    assert ("UTC" in told) == (offset == 0)


def test_a_stop_is_told_once_and_so_is_its_return() -> None:
    """One anomaly tells of eight metrics, another that they are back."""
    why = "db-1: all 8 metrics stopped at 15:05. Back at 15:20, after 15 minutes."
    stop = member("db-1.load", sentence=why, kind="stopped")
    back = member("db-1.load", 900, kind="resumed")
    for members in ((stop,), (stop, back)):
        told = text(message(kind="resolved", sentence=why, members=members, metrics=8))
        assert told.count("db-1.load") == 0
        assert told.count(why) == 1
        assert "more" not in told.splitlines()[3:]
    other = member("web-1.load", 60)
    sent = message(kind="resolved", sentence=why, members=(stop, back, other), metrics=9)
    assert told_members(sent) == (stop, other)
    assert "and 7 more" in text(sent)
