"""An incident in words and numbers: how bad it is, what leads it, and its sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from fluxd.core.incidents.members import Member, places_down, shares_of, weight
from fluxd.core.incidents.titles import title_of
from fluxd.core.message import Severity, rank
from fluxd.core.wording import moment, span

# From so many metrics on an incident is high, and critical; where half of all metrics have it, it
# is critical from MANY on.
MANY, VERY_MANY = 10, 100

# Of a flood people hear so often, until it is over.
FLOOD_MESSAGES = 2

# One metric alone is high from this score on: one in twenty anomalies of real metrics has it.
EXTREME = 0.7


@dataclass(frozen=True, slots=True)
class Account:
    """What is told of an incident: `leading` and `first` are anomalies of it.

    `down` is how many hosts, or senders, have stopped.
    """

    severity: Severity
    metrics: int
    down: int
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


def is_loss(had: int | None, had_down: int | None, down: int, *, told: int) -> bool:
    """Whether another host has stopped that people are to hear of.

    `had` and `had_down` are how many metrics, and hosts that had stopped, there were when they last
    did; None: that is not known. `told` is in how many messages they did. Of a flood that took two
    they need not hear that more of it has stopped.

    >>> is_loss(4, 0, 1, told=1), is_loss(4, 1, 1, told=1), is_loss(VERY_MANY, 0, 1, told=2)
    (True, False, False)
    """
    if had_down is None or down <= had_down:
        return False
    flood = had is None or had >= VERY_MANY or had_down >= MANY
    return not flood or told < FLOOD_MESSAGES


def account_of(members: Sequence[Member], fleet: int, *, least: int | None = None) -> Account:
    """Return what is told of an incident, from its anomalies, at least one; `fleet` metrics in all.

    `least` is how many metrics it has at the least, where the anomalies are not all that there are.
    What nobody wants to hear of counts only where there is nothing else.
    """
    heard = _heard(members)
    metrics = max(sum(one.metrics for one in shares_of(heard)), least or 1)
    return Account(
        severity=severity_of(heard, metrics, fleet),
        metrics=metrics,
        down=places_down(heard),
        started=min(one.started for one in members),
        leading=max(heard, key=weight),
        first=min(heard, key=lambda one: (one.started, one.anomaly)),
        title=title_of(heard, least=least),
    )


def sentence_of(
    members: Sequence[Member], account: Account, explanation: str, *, offset: int
) -> str:
    """Return the sentence for the whole; `explanation` is the leading anomaly's own.

    `offset` is local time less UTC (s).
    """
    told = [one for one in _heard(members) if one.kind != "resumed"]
    if account.metrics == 1 or len({one.series for one in told}) <= 1:
        return explanation
    leading = account.leading
    head = f"{account.title}, from {moment(account.started, offset)}."
    begun, is_first = _first(told, account.first), leading.series == account.first.series
    if leading.kind == "stopped":  # that names what stopped
        return (
            f"{head} {explanation}" if is_first or not begun else f"{head} {begun}. {explanation}"
        )
    if begun and is_first:
        return f"{head} {begun}: {explanation}"
    return f"{head}{begun and f' {begun}.'} Oddest {leading.metric}: {explanation}"


def _first(told: Sequence[Member], first: Member) -> str:
    """Say what was odd first, and how long before the others; "" where all began at once."""
    others = [one for one in told if one.series != first.series]
    lead_s = min(one.started for one in others) - first.started
    if lead_s > 0:  # of a stop of several none is before the others
        before = f", {span(lead_s)} before the others" if first.stands_for == 1 else ""
        return f"First {first.metric}{before}"
    with_it = {one.series for one in others if one.started == first.started}
    if len(with_it) == len({one.series for one in others}):
        return ""
    return f"First {first.metric} and {len(with_it):,} more"


def _heard(members: Sequence[Member]) -> list[Member]:
    return [one for one in members if not one.silent] or list(members)
