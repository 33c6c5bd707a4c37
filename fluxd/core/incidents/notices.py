"""What a channel is told of an incident, and when: a decision by what it was told already.

nothing yet     `opened`, once the incident is severe enough for the channel; a few seconds
                later than it was found, so that what begins with it is in the message
told            `worsened`, where it has spread (`telling.is_worse`), another host has stopped
                (`is_loss`), or it is severe enough for a channel that takes no longer what it was
                told; soon where it is critical, else never soon after another message: what
                spreads is told when it has spread
                `resolved`, a minute after it is over, lest it begins anew
not sent yet    nothing more: a message is written when it is sent, with all that is known then;
                but what is critical by now waits no longer
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fluxd.core.incidents.lifecycle import State
from fluxd.core.incidents.telling import is_loss, is_worse
from fluxd.core.message import Severity, rank

Notice: TypeAlias = Literal["opened", "worsened", "resolved"]

GATHER_S = 4
SETTLE_S = 150
CALM_S = 60


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel was told since it was last told that all is over.

    `severity` is the highest it was told, `metrics` the most, `down` the most hosts that stopped
    (None: not known), `at` (Unix s) when last, None if nothing was, `messages` in how many;
    `waiting` are the notices that have not gone out. `over`: it was told of the end, and of nothing
    since.
    """

    severity: Severity | None = None
    metrics: int | None = None
    at: int | None = None
    waiting: Collection[Notice] = ()
    over: bool = False
    down: int | None = None
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be queued, and for when (Unix s); and the waiting notices that have no use now.

    What waits beside them is due at `latest` (Unix s) if not earlier, None: when it was.
    """

    queue: Notice | None = None
    due: int = 0
    cancel: tuple[Notice, ...] = ()
    latest: int | None = None


NOTHING = Decision()


def decide(
    state: State,
    severity: Severity,
    metrics: int,
    told: Told,
    *,
    least: Severity,
    wanted: bool,
    now: int,
    down: int = 0,
) -> Decision:
    """Return what a channel that takes severities from `least` on is to be told.

    `metrics` is how many the incident has, `down` how many hosts of it have stopped. `wanted` says
    that it has anomalies of metrics that the channel is for, and which nobody has silenced.
    """
    begins = wanted and rank(severity) >= rank(least)
    if state == "resolved":
        return _over(told, begins=begins, now=now)
    cancel: tuple[Notice, ...] = ("resolved",) if "resolved" in told.waiting else ()
    # Nothing follows what is critical, so that need not wait, be it that few were odd at first.
    latest = now + GATHER_S if severity == "critical" else None
    if not begins or {"opened", "worsened"} & set(told.waiting):
        return Decision(cancel=cancel, latest=latest)
    if told.severity is None:
        return Decision("opened", now + GATHER_S, cancel)
    news = (
        rank(told.severity) < rank(least)
        or is_worse(told.severity, told.metrics, severity, metrics)
        or is_loss(told.metrics, told.down, down, told=told.messages)
    )
    if state != "open" or not news:
        return Decision(cancel=cancel)
    settled = min(told.at or now, now) + SETTLE_S  # told in the future: the clock was set back
    return Decision("worsened", latest or max(now, settled), cancel)


def _over(told: Told, *, begins: bool, now: int) -> Decision:
    """Decide where all is over; what was over as soon as it was found is told all the same."""
    cancel: tuple[Notice, ...] = ("worsened",) if "worsened" in told.waiting else ()
    if told.over or "opened" in told.waiting or "resolved" in told.waiting:
        return Decision(cancel=cancel)  # an opening that waits tells the end, too
    if told.severity is None:
        return Decision("opened", now + GATHER_S) if begins else NOTHING
    return Decision("resolved", now + CALM_S, cancel)
