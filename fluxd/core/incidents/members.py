"""The anomalies of an incident, and how many metrics they are: which have stopped, which are over.

Each metric counts once. One that was odd before it stopped has stopped; one that is odd again after
its stop was over is odd.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fluxd.core.silence import common_prefix

What: TypeAlias = Literal["stopped", "odd", "odd or stopped"]


@dataclass(frozen=True, slots=True)
class Member:
    """An anomaly of an incident; times in Unix s, `ended` None while it lasts.

    `stands_for` is the number of metrics that it tells of, more than one of a stop, and `names`
    those of them that are listed; `silent` says that nobody wants to hear of it. `down`: it tells
    that most metrics of a host, or of a sender, have stopped.
    """

    anomaly: int
    series: int
    metric: str
    started: int
    ended: int | None
    score: float
    kind: str
    direction: str
    minor: bool
    stands_for: int = 1
    silent: bool = False
    names: tuple[str, ...] = ()
    down: bool = False

    @property
    def lasts(self) -> bool:
        """Whether it is so now."""
        return self.ended is None and self.kind != "resumed"

    @property
    def listed(self) -> tuple[str, ...]:
        """The metrics that it is known to tell of."""
        return self.names or (self.metric,)


@dataclass(frozen=True, slots=True)
class Share:
    """Metrics of an incident of which the same is said: how many, and the names that are known."""

    what: What
    metrics: int
    names: frozenset[str]

    @property
    def whole(self) -> bool:
        """Whether all their names are known."""
        return len(self.names) >= self.metrics


def shares_of(members: Sequence[Member]) -> list[Share]:
    """Return how many metrics have stopped and how many are odd, those first; no empty share."""
    stops = [one for one in members if one.kind == "stopped"]
    others = [one for one in members if one.kind not in ("stopped", "resumed")]
    silent = _names(one for one in stops if one.ended is None)
    odd_again = {one.metric for one in others if one.ended is None} - silent
    names, count = _names(stops), _stopped(stops)
    stopped = Share("stopped", count - len(names & odd_again), names - odd_again)
    apart = frozenset({one.metric for one in others} - stopped.names)
    # A stop lists so many names; what is odd beside them may be one of the others.
    hidden = stopped.metrics - len(stopped.names)
    odd = Share("odd", max(len(apart) - hidden, 0), frozenset() if hidden else apart)
    return [one for one in (stopped, odd) if one.metrics]


def with_least(shares: Sequence[Share], least: int) -> list[Share]:
    """Return shares of so many metrics, where not all anomalies are known; one share, then."""
    total = sum(one.metrics for one in shares)
    if least <= total:
        return list(shares)
    what: What = shares[0].what if len(shares) == 1 else "odd or stopped"
    return [Share(what, least, frozenset().union(*(one.names for one in shares)))]


def weight(one: Member) -> tuple[bool, bool, bool, float, int]:
    """Order by what tells most: no minor one, what lasts, a stop of many, the oddest, the first."""
    stop_of_many = one.kind == "stopped" and one.stands_for > 1
    score = 0.0 if one.kind in ("stopped", "resumed") else one.score
    return not one.minor, one.lasts, stop_of_many, score, -one.started


def places_down(members: Iterable[Member]) -> int:
    """Return how many hosts, or senders, have stopped, each once: one may do so twice."""
    return len({common_prefix(one.listed) or one.listed for one in members if one.down})


def _names(stops: Iterable[Member]) -> frozenset[str]:
    return frozenset(name for one in stops for name in one.listed)


def _stopped(stops: Iterable[Member]) -> int:
    """Return how many metrics have stopped, each once: a machine may do so twice."""
    count, seen = 0, set[str]()
    for one in stops:
        names = set(one.listed)
        if not names <= seen:
            count += one.stands_for - len(names & seen)
        seen |= names
    return count
