"""What is told of an incident, before any channel has given it a form.

A message is rendered when the incident changes and kept as JSON with the outbox, so that what goes
out hours later is what was true then. Times are Unix seconds (UTC), scores 0 to 1.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["low", "normal", "high", "critical"]
MessageKind: TypeAlias = Literal["opened", "worsened", "resolved", "digest", "test"]

SEVERITIES: tuple[Severity, ...] = ("low", "normal", "high", "critical")
"""From the least to the most."""


def rank(severity: Severity) -> int:
    """Return a severity's place, 0 for the least."""
    return SEVERITIES.index(severity)


def worst(severities: Iterable[Severity]) -> Severity | None:
    """Return the highest of some severities, None where there are none."""
    ranks = [rank(one) for one in severities]
    return SEVERITIES[max(ranks)] if ranks else None


@dataclass(frozen=True, slots=True)
class Member:
    """One anomaly of the incident; `ended` None while it lasts, `link` "" where there is none."""

    metric: str
    kind: str
    direction: str
    started: int
    ended: int | None
    score: float
    sentence: str
    link: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What the chart of the leading metric shows: columns of one length, None where a gap is.

    The anomaly is from `started` to `ended` (None: it lasts).
    """

    timestamps: tuple[int, ...]
    values: tuple[float | None, ...]
    expected: tuple[float | None, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]
    started: int
    ended: int | None
    title: str


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of pages; "" where the daemon does not know its own."""

    open: str = ""
    acknowledge: str = ""
    mute: str = ""


Story: TypeAlias = tuple[str, str, str]
"""One incident in a digest: subject, sentence, link."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, the same for every channel.

    `key` is the idempotency key: two messages of one key are one message. `thread` is the same for
    all messages of an incident. `metrics` counts all that take part, `members` may be fewer; both
    begin with what appeared first. `offset` is local time less UTC (s) at `started`, `host` names
    this machine. `notes` are sentences about the message itself, such as what was kept silent.
    `down` is how many hosts, or senders, have stopped, None where that is not known.
    """

    kind: MessageKind
    key: str
    thread: str
    incident: int | None
    severity: Severity
    subject: str
    sentence: str
    started: int
    ended: int | None
    members: tuple[Member, ...]
    metrics: int
    links: Links
    picture: Picture | None
    offset: int
    host: str
    notes: tuple[str, ...] = ()
    stories: tuple[Story, ...] = ()
    down: int | None = None


def to_json(message: Message) -> dict[str, Any]:
    """Return the message as JSON has it: `from_json` of it is the message again."""
    plain = _plain(message)
    assert isinstance(plain, dict)  # noqa: S101  # a dataclass becomes one
    return plain


def from_json(stored: Mapping[str, Any]) -> Message:
    """Return the message that `to_json` was given."""
    fields = dict(stored)
    picture = fields["picture"]
    return Message(
        **fields
        | {
            "members": tuple(Member(**one) for one in fields["members"]),
            "links": Links(**fields["links"]),
            "picture": None if picture is None else Picture(**_tuples(picture)),
            "notes": tuple(fields["notes"]),
            "stories": tuple((one[0], one[1], one[2]) for one in fields["stories"]),
        }
    )


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


def _tuples(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in stored.items()
    }
