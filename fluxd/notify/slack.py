"""Slack's incoming webhook, which Mattermost and Discord (its address with /slack) take too.

Slack shows `blocks` and uses `text` for the notification; the others know only `text`, so it says
everything. Slack's limits: a header 150 characters, a section 3,000, 50 blocks; Discord's: a text
2,000. An incoming webhook can't answer in a thread and knows no idempotency key, so a message whose
answer was lost may come twice.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from fluxd.core.message import Member, Message
from fluxd.notify.channel import Answer
from fluxd.notify.fields import Field, Kind, Settings, read_url
from fluxd.notify.posting import Post, send_post
from fluxd.notify.wording import (
    actions,
    appeared,
    footer,
    more_metrics,
    one_line,
    shortened,
    subject,
    told_members,
    when,
)

MOST_HEADER, MOST_SECTION, MOST_BLOCKS = 150, 3_000, 50
MOST_TEXT = 1_900  # Discord's 2,000 less its own additions
MOST_STORIES = 12
MOST_SENTENCE = 400

_EMOJI = {
    "opened": ":large_orange_circle:",
    "worsened": ":red_circle:",
    "resolved": ":large_green_circle:",
}

_MENDS = {
    403: "this webhook may not post there: ask the workspace's owner, or make a new webhook",
    404: "there is no such webhook or channel: make a new webhook and enter its address",
    410: "the channel is archived: make a webhook for another one and enter its address",
}


@dataclass(frozen=True, slots=True)
class Slack:
    """Posts the message to a channel of a chat."""

    url: str = field(repr=False)

    def send(self, message: Message, timeout_s: float) -> Answer:
        """Deliver the message; see `Channel`."""
        body = json.dumps(payload(message), ensure_ascii=False).encode()
        return send_post(Post(self.url, {}, body, mends=_MENDS), timeout_s)


def payload(message: Message) -> dict[str, Any]:
    """Return the webhook's body."""
    return {"text": fitted(_lines(message), MOST_TEXT), "blocks": _blocks(message)}


def escaped(text: str) -> str:
    """Return a text in which Slack finds no markup: it names these three.

    >>> escaped("<!channel> a & b")
    '&lt;!channel&gt; a &amp; b'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fitted(lines: list[str], longest: int) -> str:
    """Return whole lines up to `longest` characters, so that no escape or link is cut."""
    kept: list[str] = []
    left = longest - len("\n…")
    for line in lines:
        left -= len(line) + 1
        if left < 0:
            return "\n".join([*kept, "…"])
        kept.append(line)
    return "\n".join(kept)


def _lines(message: Message) -> list[str]:
    emoji = _EMOJI.get(message.kind, "")
    lines = [f"{emoji} *{escaped(subject(message))}*".strip(), escaped(_sentence(message.sentence))]
    lines += [escaped(one_line(note)) for note in message.notes]
    lines += [_links(message)] if actions(message) else []
    return [*lines, *_member_lines(message), *_story_lines(message)]


def _blocks(message: Message) -> list[dict[str, Any]]:
    emoji = _EMOJI.get(message.kind, "")
    title = shortened(f"{emoji} {subject(message)}".strip(), MOST_HEADER)
    header = {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}}
    blocks: list[dict[str, Any]] = [header, _section([escaped(_sentence(message.sentence))])]
    listed = (_member_lines(message), _story_lines(message))
    blocks += [_section(lines) for lines in listed if lines]
    if actions(message):
        blocks.append(_section([_links(message)]))
    about = [escaped(one_line(note)) for note in message.notes]
    about.append(escaped(f"{when(message)} · {footer(message)}"))
    element = {"type": "mrkdwn", "text": fitted(about, MOST_SECTION)}
    blocks.append({"type": "context", "elements": [element]})
    return blocks[:MOST_BLOCKS]


def _section(lines: list[str]) -> dict[str, Any]:
    return {
        "type": "section",
        "text": {"type": "mrkdwn", "text": fitted(lines, MOST_SECTION) or "…"},
    }


def _sentence(sentence: str) -> str:
    return shortened(one_line(sentence), MOST_SENTENCE)


def _member_lines(message: Message) -> list[str]:
    lines = [_member(one, message) for one in told_members(message)]
    return [*lines, more_metrics(message)] if more_metrics(message) else lines


def _member(one: Member, message: Message) -> str:
    name = f"`{escaped(one.metric.replace('`', chr(39)))}`"  # code: no markup inside
    return f"• {appeared(one, message)} {name} {escaped(_sentence(one.sentence))}"


def _story_lines(message: Message) -> list[str]:
    lines = []
    for about, sentence, link in message.stories[:MOST_STORIES]:
        title = escaped(shortened(one_line(about), MOST_HEADER))
        lines.append(f"• *{_link(title, link)}* {escaped(_sentence(sentence))}")
    left = len(message.stories) - MOST_STORIES
    return [*lines, f"and {left:,} more"] if left > 0 else lines


def _links(message: Message) -> str:
    return " · ".join(_link(label, url) for label, url in actions(message))


def _link(label: str, url: str) -> str:
    if not url:
        return label
    return f"<{escaped(url).replace('|', '%7C')}|{label}>"


def _make(settings: Settings) -> Slack:
    return Slack(settings["url"])


KIND = Kind(
    "slack",
    "Slack, Mattermost or Discord",
    (
        Field(
            "url",
            "Webhook address",
            "the incoming webhook's, such as https://hooks.slack.com/services/…; "
            "for Discord with /slack at its end",
            secret=True,
            required=True,
            read=read_url,
        ),
    ),
    _make,
)
