"""What nobody wants to hear of: mutes, expected windows, and a channel's quiet hours.

Nothing is hidden by any of them: what is muted or expected is stored, analysed and shown, and says
why it was not sent.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

from fluxd.core.detect import UTC, LocalTime
from fluxd.core.errors import BadRequestError

Scope: TypeAlias = Literal["metric", "glob", "sender"]

WEEK_S = 604_800
DAY_S = 86_400
MINUTES_A_DAY = 1_440
MOST_NAME = 512  # of a metric as it is stored

# Why what imported history has is not sent; it is no reason to hide it.
HISTORY = "it was over before it was found"

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mute:
    """Metrics that are not sent: one, all whose names match a glob, or all of a key's.

    From `since` until `until` (Unix s), None: for good.
    """

    id: int
    scope: Scope
    pattern: str
    since: int
    until: int | None
    reason: str

    def covers(self, metric: str, sender: str, at: int) -> bool:
        """Whether it holds at `at` (Unix s) for a metric that a key of that name has created."""
        if at < self.since or (self.until is not None and at >= self.until):
            return False
        if self.scope == "glob":
            return fnmatchcase(metric, self.pattern)
        return (metric if self.scope == "metric" else sender) == self.pattern

    @property
    def told(self) -> str:
        """Why, in half a sentence."""
        what = {"metric": "muted", "glob": f"muted by {self.pattern}"}
        text = what.get(self.scope, f"its sender {self.pattern} is muted")
        return f"{text} ({self.reason})" if self.reason else text


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which something is expected: a deploy, a backup; once, or every week.

    From `started` to `ended` (Unix s, both inclusive), of metrics whose names match one of
    `metrics` (globs, none: all). Weeks are those of the clock `local`: it begins at the same hour
    in summer and in winter.
    """

    id: int
    title: str
    started: int
    ended: int
    metrics: tuple[str, ...] = ()
    weekly: bool = False
    local: LocalTime = field(default=UTC, repr=False, compare=False)

    def covers(self, metric: str, at: int) -> bool:
        """Whether something of a metric at `at` (Unix s) is expected."""
        since = at - self.started
        if self.weekly and since >= 0:
            since = (since + self.local.offset(at) - self.local.offset(self.started)) % WEEK_S
        return 0 <= since <= self.ended - self.started and self.is_for(metric)

    def is_for(self, metric: str) -> bool:
        """Whether it is about a metric."""
        return matches(metric, self.metrics)

    def times(self, since: int, until: int, *, most: int) -> list[tuple[int, int]]:
        """Return when it begins and ends (Unix s) in [since, until], the first `most` times.

        >>> Window(1, "backup", 0, 60, weekly=True).times(100, 2 * WEEK_S, most=9)
        [(604800, 604860), (1209600, 1209660)]
        """
        length, week = self.ended - self.started, 0
        if self.weekly and since > self.ended:
            week = max(0, (since - self.ended) // WEEK_S - 1)
        found: list[tuple[int, int]] = []
        while len(found) < most and (begin := self._begin(week)) <= until:
            if begin + length >= since:
                found.append((begin, begin + length))
            if not self.weekly:
                break
            week += 1
        return found

    def _begin(self, week: int) -> int:
        """Return when it begins (Unix s) so many weeks after the first time."""
        begin = self.started + week * WEEK_S
        return begin + self.local.offset(self.started) - self.local.offset(begin)

    @property
    def told(self) -> str:
        """Why, in half a sentence."""
        return f"expected: {self.title}"


def matches(metric: str, globs: Sequence[str]) -> bool:
    """Whether a metric's name matches one of some globs; no globs at all are all metrics.

    >>> matches("web-1.cpu", ["web-*"]), matches("db.cpu", ["web-*"]), matches("db.cpu", [])
    (True, False, True)
    """
    return not globs or any(fnmatchcase(metric, one) for one in globs)


def reason_to_hush(
    metric: str, sender: str, at: int, mutes: Iterable[Mute], windows: Iterable[Window]
) -> str | None:
    """Return why an anomaly of a metric that began at `at` is not sent, None where it is."""
    for mute in mutes:
        if mute.covers(metric, sender, at):
            return mute.told
    for window in windows:
        if window.covers(metric, at):
            return window.told
    return None


def checked_window(
    title: str, started: int, ended: int, metrics: Sequence[str], *, weekly: bool
) -> Window:
    """Return a window with `id` 0. Raises BadRequestError that says what is wrong with it."""
    if not title.strip():
        raise BadRequestError('a title is missing: say what is expected, such as "deploy of web"')
    if ended < started:
        raise BadRequestError("it ends before it begins: exchange from and to")
    if weekly and ended - started >= WEEK_S:
        raise BadRequestError("a weekly window is shorter than a week")
    for one in metrics:
        if not one or len(one) > MOST_NAME:
            raise BadRequestError(f"a glob has 1 to {MOST_NAME} characters, such as web-*.cpu")
    return Window(0, title.strip(), started, ended, tuple(metrics), weekly)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of the local day in which messages wait, in minutes since midnight; may pass it."""

    begin: int
    end: int

    def left_s(self, at: int, offset: int) -> int:
        """Return how long (s) they last at `at` (Unix s), 0 outside; local is UTC plus `offset`.

        >>> QuietHours(22 * 60, 7 * 60).left_s(23 * 3600, 0), QuietHours(60, 120).left_s(0, 0)
        (28800, 0)
        """
        second = (at + offset) % DAY_S
        into = (second - 60 * self.begin) % DAY_S
        length = 60 * ((self.end - self.begin) % MINUTES_A_DAY)
        return length - into if into < length else 0


def read_quiet_hours(text: str) -> QuietHours | None:
    """Return quiet hours as people write them, None for "". Raises ValueError for anything else.

    >>> read_quiet_hours("22:00-07:00")
    QuietHours(begin=1320, end=420)
    """
    if not text:
        return None
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    first, first_minute, last, last_minute = (int(one) for one in found.groups())
    hours = QuietHours(60 * first + first_minute, 60 * last + last_minute)
    if hours.begin == hours.end:
        raise ValueError(text)
    return hours
