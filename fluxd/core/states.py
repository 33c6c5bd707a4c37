"""What state a metric is in, and how far it is, in words.

learning    the first WARMUP datapoints
analysed    every datapoint gets a verdict
constant    analysed; it has never had another value, or not for long
counter     analysed; it only rises, so its rate is judged
irregular   analysed; it has no interval, so its silence says nothing
stale       silent for longer than its usual gaps allow
retired     silent until nothing was kept of it; the catalog knows that, not the detector
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

from fluxd.core.detect import WARMUP
from fluxd.core.detect.verdicts import Traits
from fluxd.core.silence import LEAST_DATAPOINTS, limit_s, usual_gap_s
from fluxd.core.wording import LAST_TIME, moment, span

State: TypeAlias = Literal[
    "learning", "analysed", "constant", "stale", "irregular", "counter", "retired"
]
STATES: tuple[State, ...] = get_args(State)

DAY_S = 86_400

# What the sentence adds about those that are no ordinary ones.
_NATURES: dict[State, str] = {
    "constant": "; its value has not changed, and a change will be told",
    "counter": "; a counter, of which the rate is judged",
    "irregular": "; it has no fixed interval, so its silence is not told",
}


@dataclass(frozen=True, slots=True)
class MetricStatus:
    """What is known of one metric; times in Unix seconds, None where not known yet.

    `ready_in` is the number of seconds until the first verdict may be expected (None: there is one
    already, or too little is known), `progress` the same as a sentence.
    """

    interval: float | None
    datapoints: int
    first: int | None
    last: int | None
    state: str
    ready_in: int | None
    progress: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a metric: how much the detector has learnt, and how long it is silent.

    `gap` is the longest time (s) between two datapoints that is usual, by their arrival, which has
    been watched for `watched_s`.
    """

    analysed: int
    last: int | None
    silent_s: float
    gap: float
    watched_s: float = 0.0


def state_of(traits: Traits, seen: Seen) -> State:
    """Return the state of a metric that is not retired."""
    if is_stale(traits, seen):
        return "stale"
    if seen.analysed < WARMUP:
        return "learning"
    if traits.irregular:
        return "irregular"
    if traits.constant:
        return "constant"
    return "counter" if traits.counter else "analysed"


def is_stale(traits: Traits, seen: Seen) -> bool:
    """Whether a metric is silent for longer than its usual gaps allow."""
    if traits.interval is None or seen.analysed < LEAST_DATAPOINTS:
        return False
    gap = usual_gap_s(seen.gap, traits.longest_gap, seen.watched_s)
    return seen.silent_s > limit_s(traits.interval, gap, irregular=traits.irregular)


def ready_in_s(traits: Traits, seen: Seen, now: int) -> int | None:
    """Return in how many seconds the first verdict may be expected, None where nobody knows."""
    if seen.analysed >= WARMUP or traits.interval is None or seen.last is None:
        return None
    # Relative to the last datapoint: the verdict comes with the hundredth.
    return max(0, round(seen.last + (WARMUP - seen.analysed) * traits.interval - now))


def progress_text(state: State, traits: Traits, seen: Seen, now: int) -> str:
    """Say how far a metric is.

    >>> traits = Traits(60.0, 60.0, False, False, False, 1793577600, 1794614400)
    >>> progress_text("learning", traits, Seen(7, 1_700_000_000, 0.0, 60.0), 1_700_000_000)
    '7/100 datapoints, first verdict about 23:46 UTC'
    >>> progress_text("analysed", traits, Seen(10080, 1793714700, 0.0, 60.0), 1793714700)
    '10,080 datapoints analysed; daily pattern since 2 Nov; weekly pattern from about 14 Nov'
    """
    if state == "stale":
        since = f", since {moment(seen.last)}" if seen.last else ""
        return f"silent for {span(seen.silent_s)}{since}; {_learnt(seen.analysed)}"
    if state != "learning":
        told = _learnt(seen.analysed) + _NATURES.get(state, "")
        patterns = (("daily", traits.daily_from), ("weekly", traits.weekly_from))
        return told + "".join(_pattern(name, since, now) for name, since in patterns)
    text = _learnt(seen.analysed)
    ready_in = ready_in_s(traits, seen, now)
    if ready_in is None:
        return text
    due = now + ready_in
    clock = f"{due // 3600 % 24:02}:{due // 60 % 60:02} UTC"
    if due // DAY_S != now // DAY_S:
        days = due // DAY_S - now // DAY_S
        clock += f" in {days} day{'s' if days > 1 else ''}"
    return f"{text}, first verdict about {clock}"


def waiting_text(count: int) -> str:
    """Say that so many datapoints are stored, of which the detector has not learnt yet.

    >>> waiting_text(1), waiting_text(4320)
    ('1/100 datapoints, being learnt now', '4,320 datapoints stored, being learnt now')
    """
    told = f"{count:,} datapoints stored" if count >= WARMUP else f"{count}/{WARMUP} datapoints"
    return f"{told}, being learnt now"


def _learnt(count: int) -> str:
    return f"{count:,} datapoints analysed" if count >= WARMUP else f"{count}/{WARMUP} datapoints"


def _pattern(name: str, since: int | None, now: int) -> str:
    """Say from when on a pattern is trusted; nothing of one that there is not."""
    if since is None or not 0 <= since <= LAST_TIME:
        return ""
    day = datetime.fromtimestamp(since, UTC)
    return f"; {name} pattern {'since' if since <= now else 'from about'} {day.day} {day:%b}"
