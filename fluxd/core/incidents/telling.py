"""An incident in words and numbers: how bad it is, its title and its sentence."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fluxd.core.message import Severity, rank
from fluxd.core.silence import common_prefix
from fluxd.core.wording import moment, span

# From so many metrics on an incident is high, and critical; where half of all metrics have it, it
# is critical from MANY on.
MANY, VERY_MANY = 10, 100

# One metric alone is high from this score on: one in twenty anomalies of real metrics has it.
EXTREME = 0.7

# Names that a title has before it counts the others.
NAMED = 2


@dataclass(frozen=True, slots=True)
class Member:
    """An anomaly of an incident; times in Unix s, `ended` None while it lasts.

    `stands_for` is the number of metrics that it tells of, more than one of a stop, and `names`
    those of them that are listed; `silent` says that nobody wants to hear of it.
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


@dataclass(frozen=True, slots=True)
class Account:
    """What is told of an incident: `leading` and `first` are anomalies of it."""

    severity: Severity
    metrics: int
    started: int
    leading: Member
    first: Member
    title: str


def severity_of(members: Sequence[Member], metrics: int, fleet: int) -> Severity:
    """Return how bad an incident is that has so many metrics, of so many in all."""
    if all(one.minor for one in members):
        return "low"
    if metrics >= VERY_MANY or (metrics >= MANY and 2 * metrics >= fleet):
        return "critical"
    told = (one.score for one in members if one.kind not in ("stopped", "resumed"))
    if metrics >= MANY or max(told, default=0.0) >= EXTREME:
        return "high"
    return "normal"


def is_worse(before: Severity, had: int | None, severity: Severity, metrics: int) -> bool:
    """Whether people are to hear again of an incident that `had` so many metrics when they did.

    It must have spread, to MANY metrics or to a severity that so many make: that a lone metric's
    score creeps up while it lasts is no news. `had` None: that is not known.

    >>> is_worse("normal", 1, "high", 1), is_worse("high", 1, "high", MANY)
    (False, True)
    """
    crossed = had is not None and had < MANY
    return metrics >= MANY and (crossed or rank(severity) > rank(before))


def account_of(members: Sequence[Member], fleet: int, *, least: int = 1) -> Account:
    """Return what is told of an incident, from its anomalies, at least one; `fleet` metrics in all.

    `least` is how many metrics it has at the least, where the anomalies are not all that there are.
    What nobody wants to hear of counts only where there is nothing else.
    """
    heard = [one for one in members if not one.silent] or list(members)
    metrics = max(_metrics(heard), least)
    first = min(heard, key=lambda one: (one.started, one.anomaly))
    leading = max(heard, key=_weight)
    return Account(
        severity=severity_of(heard, metrics, fleet),
        metrics=metrics,
        started=min(one.started for one in members),
        leading=leading,
        first=first,
        title=_title(heard, leading, metrics, whole=metrics == _metrics(heard)),
    )


def _metrics(members: Sequence[Member]) -> int:
    """Return how many metrics there are; those of a stop may have been odd before it, too."""
    stops = [one for one in members if one.kind == "stopped"]
    others = {one.series for one in members if one.kind != "resumed"} - {
        one.series for one in stops
    }
    return max(len(others), _stopped(stops), 1)


def _stopped(stops: Iterable[Member]) -> int:
    """Return how many metrics have stopped, each once: a machine may do so twice."""
    count, seen = 0, set[str]()
    for one in stops:
        names = set(one.names or (one.metric,))
        if not names <= seen:
            count += one.stands_for - len(names & seen)
        seen |= names
    return count


def _weight(one: Member) -> tuple[bool, bool, float, int]:
    """Order by what tells most: no minor one, a stop of many, then the oddest, then the first."""
    stop_of_many = one.kind == "stopped" and one.stands_for >= MANY
    score = 0.0 if one.kind in ("stopped", "resumed") else one.score
    return not one.minor, stop_of_many, score, -one.started


def _title(members: Sequence[Member], leading: Member, metrics: int, *, whole: bool) -> str:
    """Return what reads on a watch: what is odd, and where; `whole`: these are all there are."""
    if metrics == 1:
        return f"{leading.metric}: {_word(leading)}"
    odd = (one for one in members if one.kind != "resumed")
    where = place_of([name for one in odd for name in one.names or (one.metric,)], whole=whole)
    stopped = _stopped(one for one in members if one.kind == "stopped")
    what = "stopped" if 2 * stopped > metrics else "odd"
    return f"{metrics:,} metrics {what} {where}".rstrip()


def _word(one: Member) -> str:
    shift = {"up": "shift up", "down": "shift down"}
    return shift[one.direction] if one.kind == "level shift" else one.kind


def place_of(names: Sequence[str], *, whole: bool = True) -> str:
    """Say where metrics are, by what their names have in common or where they begin to differ.

    Unless they are all, the `whole`, places are not counted.

    >>> place_of(["prod.web-1.cpu", "prod.web-1.mem.free"])
    'on prod.web-1'
    >>> place_of(["web-1.cpu", "web-2.cpu", "web-3.cpu", "web-4.cpu"])
    'on web-1, web-2 and 2 more'
    """
    distinct = sorted(set(names))
    if not distinct:
        return ""
    prefix = common_prefix(distinct)
    depth = prefix.count(".") + 1 if prefix else 0
    tails = [name.split(".")[depth:] for name in distinct]
    differing = Counter(tail[0] for tail in tails if len(tail) > 1)
    alike = len({tuple(tail[1:]) for tail in tails}) == 1  # one metric of several machines
    crowd = NAMED < len(differing) > len(distinct) / 2 and not alike
    if prefix and (len(differing) <= 1 or depth > 1 or crowd):
        return f"on {prefix}"
    hosts = sorted(differing)
    if not hosts:
        return ""
    named, more = hosts[:NAMED], len(hosts) - NAMED
    if whole and more <= 0:
        return f"on {', '.join(named)}"
    return f"on {', '.join(named)} and {f'{more:,} more' if whole else 'others'}"


def sentence_of(
    members: Sequence[Member], account: Account, explanation: str, *, offset: int
) -> str:
    """Return the sentence for the whole; `explanation` is the leading anomaly's own.

    `offset` is local time less UTC (s).
    """
    heard = [one for one in members if not one.silent] or list(members)
    if account.metrics == 1 or len({one.series for one in heard}) == 1:
        return explanation
    at = moment(account.started, offset)
    first = account.first
    later = sorted(one.started for one in heard if one.series != first.series)
    head = f"{account.title}, from {at}. First {first.metric}"
    lead_s = later[0] - first.started
    if lead_s > 0:
        head += f", {span(lead_s)} before the others"
    if account.leading.series == first.series:
        return f"{head}: {explanation}"
    return f"{head}. Oddest {account.leading.metric}: {explanation}"
