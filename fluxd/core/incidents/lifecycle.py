"""The life of an incident, as a table: all that can happen to it. What is told is in `notices`.

open          something is odd, and nobody has said that they know
acknowledged  somebody knows
resolved      all its anomalies are over, or somebody said so; it opens again where an anomaly
              joins it, or one of its own goes on, within REOPEN_S of its end
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

State: TypeAlias = Literal["open", "acknowledged", "resolved"]
Event: TypeAlias = Literal["appeared", "worsened", "over", "acknowledge", "release", "resolve"]

STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)

# An anomaly that comes back within the hour is the same trouble; later it is news.
REOPEN_S = 3_600


# What is not here can't happen: a person who asks for it is told why.
TRANSITIONS: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        # An anomaly joined it, or one of its anomalies that was over goes on.
        ("open", "appeared"): "open",
        ("acknowledged", "appeared"): "acknowledged",
        ("resolved", "appeared"): "open",
        # It spread: more than what was known when somebody acknowledged it.
        ("open", "worsened"): "open",
        ("acknowledged", "worsened"): "open",
        # None of its anomalies lasts.
        ("open", "over"): "resolved",
        ("acknowledged", "over"): "resolved",
        ("resolved", "over"): "resolved",
        # By a person.
        ("open", "acknowledge"): "acknowledged",
        ("acknowledged", "acknowledge"): "acknowledged",
        ("acknowledged", "release"): "open",
        ("open", "release"): "open",
        ("open", "resolve"): "resolved",
        ("acknowledged", "resolve"): "resolved",
        ("resolved", "resolve"): "resolved",
    }
)


def after(state: State, event: Event) -> State | None:
    """Return what an event makes of an incident, None where it can't happen in that state.

    >>> after("open", "over"), after("resolved", "appeared")
    ('resolved', 'open')
    >>> after("resolved", "acknowledge") is None
    True
    """
    return TRANSITIONS.get((state, event))
