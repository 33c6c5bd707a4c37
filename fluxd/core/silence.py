"""When silence is a stop, and which metrics stopped together.

A metric is stale once it has been silent for longer than its usual gaps allow. That is told as a
stop of its sender: metrics of one key whose last datapoints came together are one event, however
many they are. Times are Unix seconds, lengths seconds of `Listening`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fluxd.core.wording import span

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

# A late datapoint or two are no news, and nobody wants to be told of a restart.
INTERVALS, GAPS, LEAST_S = 5, 2, 120

# What reports when something happens is silent most of the time.
IRREGULAR_GAPS, IRREGULAR_LEAST_S = 10, 86_400

# Before a stop is told, a metric must have shown its habits: so many datapoints, and for so long.
LEAST_DATAPOINTS, LEAST_GAPS_SEEN, LEAST_SEEN_S = 20, 10, 600

# After so long, arrivals have shown a weekend.
WATCHED_S = 8 * 86_400

# After a start or a sleep, senders get as long as a metric's silence may last, or this.
LONGEST_GRACE_S = 3_600

# An event is over when so many of its metrics are back: a machine seldom comes back with all.
BACK_SHARE = 0.8

# How far apart the last datapoints of one sender's metrics may have come, at least.
LEAST_WINDOW_S = 30

# Machines named in a sentence.
HOSTS_NAMED = 3


def usual_gap_s(arrival_gap: float, history_gap: float, watched_s: float) -> float:
    """Return the longest usual gap (s) of a metric whose arrivals were watched for so long.

    The gaps between its timestamps tell the habits of weeks that were imported; once arrivals tell
    them, an outage in the history counts no more.
    """
    return max(arrival_gap, history_gap) if watched_s < WATCHED_S else arrival_gap


def limit_s(interval: float, gap: float, *, irregular: bool = False) -> float:
    """Return for how long (s) a metric may be silent, by its interval and longest usual gap.

    >>> limit_s(60.0, 61.0), limit_s(60.0, 600.0), limit_s(10.0, 10.0)
    (300.0, 1200.0, 120.0)
    """
    if irregular:
        return max(IRREGULAR_GAPS * gap, float(IRREGULAR_LEAST_S))
    return max(INTERVALS * interval, GAPS * gap, float(LEAST_S))


def overdue(seen: Ints, usual: npt.NDArray[np.float32], told: Bools, look: Ints, now: int) -> Ints:
    """Return the slots that may be silent for too long and are not told, by array operations only.

    `seen` is when something last came of each (0: never), `usual` its longest usual gap, `look`
    from when on it is worth a look. That nothing could be received is not considered here.
    """
    silent = now - seen
    slots = np.flatnonzero((silent > LEAST_S) & (look <= now) & (seen > 0) & ~told)
    found: Ints = slots[silent[slots] > GAPS * usual[slots]]
    return found


def has_habits(datapoints: int, seen_s: float, gap: float) -> bool:
    """Whether enough is known of a metric, seen for `seen_s`, to tell that it has stopped.

    `gap` is the longest between arrivals; 0: none was seen yet.
    """
    if gap <= 0.0:
        return False
    return datapoints >= LEAST_DATAPOINTS and seen_s >= max(LEAST_GAPS_SEEN * gap, LEAST_SEEN_S)


def stopped_within_s(interval: float) -> int:
    """Return how long (s) after a metric's last datapoint its sender has stopped at the latest."""
    return max(int(2 * interval), LEAST_WINDOW_S)


@dataclass(slots=True)
class Window:
    """When the metrics of an event may have stopped: all of them in [since, until]."""

    key: int
    since: int
    until: int

    def takes(self, key: int, since: int, until: int) -> bool:
        """Take a metric in that stopped in [since, until], if it may have done so with them."""
        if key != self.key or since > self.until or until < self.since:
            return False
        self.since, self.until = max(self.since, since), min(self.until, until)
        return True


def join(windows: list[Window], keys: Ints, since: Ints, until: Ints) -> Ints:
    """Return for each metric the number of its window; new ones are appended to `windows`.

    Metrics that are alike (same key, same times) are looked at once.
    """
    if not len(keys):
        return np.zeros(0, np.int64)
    kinds, at = np.unique(np.stack([keys, since, until], axis=1), axis=0, return_inverse=True)
    numbers = np.zeros(len(kinds), np.int64)
    for number, (key, first, last) in enumerate(kinds.tolist()):
        for place, window in enumerate(windows):
            if window.takes(key, first, last):
                numbers[number] = place
                break
        else:
            numbers[number] = len(windows)
            windows.append(Window(key, first, last))
    found: Ints = numbers[at.reshape(-1)]
    return found


# ---- words


def common_name(names: Sequence[str], key: str, *, whole: bool) -> str:
    """Return what metrics have in common: a beginning of their names, or up to three, or the key.

    `whole` says that the key has no others.

    >>> common_name(["web-1.cpu", "web-1.mem.free"], "fleet", whole=False)
    'web-1'
    >>> common_name(["web-1.cpu", "web-2.cpu"], "fleet", whole=False)
    'web-1, web-2'
    >>> common_name(["web-1.cpu", "web-2.cpu"], "fleet", whole=True)
    'fleet'
    """
    prefix = common_prefix(names)
    if prefix or whole:
        return prefix or key
    hosts = sorted({name.rpartition(".")[0].split(".")[0] for name in names})
    return ", ".join(hosts) if all(hosts) and len(hosts) <= HOSTS_NAMED else key


def common_prefix(names: Sequence[str]) -> str:
    """Return the dotted parts that all names begin with; never a whole name.

    >>> common_prefix(["web-1.cpu", "web-1.mem.free"]), common_prefix(["web-1.cpu"])
    ('web-1', 'web-1')
    """
    first, last = min(names).split(".")[:-1], max(names).split(".")
    same = 0
    while same < min(len(first), len(last) - 1) and first[same] == last[same]:
        same += 1
    return ".".join(first[:same])


def every(interval: float) -> str:
    """Write an interval.

    >>> every(60.0), every(0.5), every(300.0), every(86400.0)
    ('every 60 s', 'every 0.5 s', 'every 5 minutes', 'every 24 hours')
    """
    return f"every {interval:.3g} s" if interval < LEAST_S else f"every {span(interval)}"


def stopped_text(sender: str, first: str, *, count: int, of: int, at: str, interval: float) -> str:
    """Say that `count` of a sender's metrics stopped, `first` the first of them.

    >>> print(stopped_text("web-1", "web-1.cpu", count=12, of=200,
    ...                    at="14:05 UTC on 2026-11-03", interval=60.0))
    web-1: 12 of 200 metrics stopped at 14:05 UTC on 2026-11-03, first web-1.cpu; they reported \
every 60 s.
    """
    if count == 1:
        return f"{first} stopped at {at}; it reported {every(interval)}."
    many = f"{count:,} of {of:,}" if of > count else f"all {count:,}"
    return (
        f"{sender}: {many} metrics stopped at {at}, first {first}; they reported {every(interval)}."
    )


def resumed_text(sender: str, first: str, *, back: int, count: int, at: str, after: int) -> str:
    """Say that metrics report again after so many seconds.

    >>> resumed_text("web-1", "web-1.cpu", back=200, count=200, at="14:30 UTC", after=1500)
    'web-1: all 200 metrics are back at 14:30 UTC, after 25 minutes.'
    """
    if count == 1:
        return f"{first} is back at {at}, after {span(after)}."
    many = f"{back:,} of {count:,}" if back < count else f"all {count:,}"
    return f"{sender}: {many} metrics are back at {at}, after {span(after)}."
