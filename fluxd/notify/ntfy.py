"""ntfy: a push message to a telephone, by its JSON publishing (https://docs.ntfy.sh/publish/).

Servers from 2.16 on take `sequence_id`: a second message of the same id replaces the first, so that
an attempt whose answer was lost is not shown twice; older ones ignore it. There is no chart: a file
would have to be the body instead of the JSON, and servers allow files only where they keep a cache.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fluxd.core.errors import ChannelError
from fluxd.core.message import Message
from fluxd.notify.channel import Answer
from fluxd.notify.fields import Field, Kind, Settings, read_line, read_url
from fluxd.notify.posting import Post, send_post
from fluxd.notify.wording import (
    actions,
    appeared,
    more_metrics,
    one_line,
    subject,
    told_members,
    when,
)

MOST_MESSAGE_BYTES = 3_800  # beyond 4,096 the server makes a file of it
MOST_TITLE = 120
MOST_ACTIONS = 3

_PRIORITIES = {"low": 2, "normal": 3, "high": 4, "critical": 5}  # 1 to 5; 3 is the default
_QUIET = {"resolved": 2, "digest": 2}  # no sound for what can wait
_TAGS = {
    "opened": "warning",
    "worsened": "rotating_light",
    "resolved": "white_check_mark",
    "digest": "newspaper",
    "test": "wave",
}
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")

_MENDS = {
    401: "check the token, or user and password",
    403: "this topic wants a token, or a user, that may write to it",
    404: "check the server's address: it is that of the server alone, without the topic",
}


@dataclass(frozen=True, slots=True)
class Ntfy:
    """Publishes the message under a topic; who knows the topic's name reads it."""

    server: str
    topic: str = field(repr=False)
    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)

    def send(self, message: Message, timeout_s: float) -> Answer:
        """Deliver the message; see `Channel`."""
        body = json.dumps(payload(message, self.topic), ensure_ascii=False).encode()
        headers, secrets = {}, [self.topic]
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
            secrets.append(self.token)
        elif self.user:
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
            secrets += [self.password, pair]
        found = tuple(one for one in secrets if one)
        return send_post(Post(self.server, headers, body, found, _MENDS), timeout_s)


def payload(message: Message, topic: str) -> dict[str, Any]:
    """Return the JSON to publish."""
    body: dict[str, Any] = {
        "topic": topic,
        "title": subject(message, MOST_TITLE),
        "message": cut_bytes("\n".join(_lines(message)), MOST_MESSAGE_BYTES),
        "priority": _QUIET.get(message.kind, _PRIORITIES[message.severity]),
        "tags": [_TAGS[message.kind]],
        "sequence_id": hashlib.sha256(message.key.encode()).hexdigest()[:32],
    }
    if message.links.open:
        body["click"] = message.links.open
    views = [
        {"action": "view", "label": label, "url": url, "clear": label == "Acknowledge"}
        for label, url in actions(message)[:MOST_ACTIONS]
    ]
    return body | ({"actions": views} if views else {})


def cut_bytes(text: str, longest: int) -> str:
    """Return a text of at most `longest` bytes as UTF-8.

    >>> cut_bytes("µµµ", 6), cut_bytes("µµµµ", 6)
    ('µµµ', 'µ…')
    """
    encoded = text.encode()
    if len(encoded) <= longest:
        return text
    return encoded[: longest - len("…".encode())].decode(errors="ignore") + "…"


def _lines(message: Message) -> list[str]:
    lines = [one_line(message.sentence), when(message)]
    lines += [f"{appeared(one, message)} {one.metric}" for one in told_members(message)]
    lines += [more_metrics(message)] if more_metrics(message) else []
    lines += [f"{one_line(about)}: {one_line(sentence)}" for about, sentence, _ in message.stories]
    return [*lines, *(one_line(note) for note in message.notes)]


def _read_topic(given: str) -> str:
    if not _TOPIC.fullmatch(given):
        raise ValueError("a topic of at most 64 letters, digits, _ and -")
    return given


def _read_server(given: str) -> str:
    url = read_url(given).rstrip("/")
    if urlsplit(url).query:
        raise ValueError("the server's address alone, such as https://ntfy.sh")
    return url


def _agree(settings: Settings) -> None:
    if bool(settings["user"]) != bool(settings["password"]):
        missing = "password" if settings["user"] else "user"
        raise ChannelError(f"{missing} is missing: user and password go together", field=missing)
    if settings["user"] and settings["token"]:
        raise ChannelError("token stands beside user: give one of the two", field="token")


def _make(settings: Settings) -> Ntfy:
    return Ntfy(**settings)


KIND = Kind(
    "ntfy",
    "ntfy (push to a phone)",
    (
        Field(
            "server",
            "Server",
            "the server's address, without the topic",
            default="https://ntfy.sh",
            read=_read_server,
        ),
        Field(
            "topic",
            "Topic",
            "the name that the phone subscribes to; on a public server who knows it reads along, "
            "so take one that nobody guesses",
            secret=True,
            required=True,
            read=_read_topic,
        ),
        Field(
            "token", "Access token", "tk_…, where the server wants one", secret=True, read=read_line
        ),
        Field("user", "User", "instead of a token", read=read_line),
        Field("password", "Password", "the user's", secret=True, read=read_line),
    ),
    _make,
    _agree,
)
