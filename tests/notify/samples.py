"""Messages to send in tests: an incident of three metrics, with a chart; and any others."""

import dataclasses
import math
from typing import Any

from hypothesis import strategies as st

from fluxd.core.message import SEVERITIES, Links, Member, Message, Picture

STARTED = 1_793_714_700  # 14:05 UTC on 2026-11-03, a Tuesday; 15:05 by the messages' clock
SENTENCE = (
    "3 metrics of db-1 began to be odd within 40 seconds; first db-1.disk.await: 43 ms at 15:05; "
    "on Tuesdays at this hour it lies between 2 and 6. Highest in 21 days."
)


def member(name: str, after_s: int = 0, **changes: Any) -> Member:
    plain = Member(
        metric=name,
        kind="spike",
        direction="up",
        started=STARTED + after_s,
        ended=None,
        score=0.62,
        sentence=f"43 at 15:05 in {name}; on Tuesdays at this hour it lies between 2 and 6.",
        link=f"https://flux.example.org/anomalies/{after_s + 1}",
    )
    return dataclasses.replace(plain, **changes)


def picture(count: int = 180) -> Picture:
    times = tuple(STARTED - 9_000 + 60 * at for at in range(count))
    expected = tuple(4.0 + 1.2 * math.sin(at / 28) for at in range(count))
    noise = [0.35 * math.sin(at * 7.3) + 0.25 * math.sin(at * 3.1) for at in range(count)]
    odd = [17.0 * min(1.0, (at - 149) / 5) if at >= 150 else 0.0 for at in range(count)]
    values = tuple(
        None if 60 <= at < 66 else expected[at] + noise[at] + odd[at] for at in range(count)
    )
    return Picture(
        timestamps=times,
        values=values,
        expected=expected,
        lower=tuple(one - 1.4 for one in expected),
        upper=tuple(one + 1.4 for one in expected),
        started=STARTED,
        ended=None,
        title="db-1.disk.await",
    )


def message(**changes: Any) -> Message:
    plain = Message(
        kind="opened",
        key="incident-12:opened",
        thread="incident-12",
        incident=12,
        severity="high",
        subject="3 metrics on db-1 odd since 15:05",
        sentence=SENTENCE,
        started=STARTED,
        ended=None,
        members=(
            member("db-1.disk.await"),
            member("db-1.disk.util", 20),
            member('app_latency{path="/a&b",le="<1"}', 40),
        ),
        metrics=3,
        links=Links(
            "https://flux.example.org/incidents/12",
            "https://flux.example.org/incidents/12?acknowledge",
            "https://flux.example.org/incidents/12?mute",
        ),
        picture=picture(),
        offset=3_600,
        host="monitor.example.org",
        notes=("2 further metrics are muted and not named here.",),
    )
    return dataclasses.replace(plain, **changes)


KINDS = ["opened", "worsened", "resolved", "digest", "test"]
TEXTS = st.text(st.sampled_from("ab µ😀<>&|`*_~\n\t\"'\\@!#{}"), max_size=2_500)
LINES = st.text(max_size=300)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    """Draw messages of any text and length: names and sentences come from outside."""
    members = draw(st.lists(st.tuples(LINES, TEXTS), max_size=12))
    stories = st.lists(st.tuples(TEXTS, TEXTS, st.just("https://x.example/1") | st.just("")))
    return message(
        kind=draw(st.sampled_from(KINDS)),
        severity=draw(st.sampled_from(SEVERITIES)),
        subject=draw(TEXTS),
        sentence=draw(TEXTS),
        members=tuple(member(name, sentence=why) for name, why in members),
        metrics=draw(st.integers(0, 100_000)),
        links=draw(st.sampled_from([message().links, Links()])),
        notes=tuple(draw(st.lists(TEXTS, max_size=3))),
        stories=tuple(draw(stories)),
        picture=None,
    )
