"""What the endpoints are given; the daemon puts it together."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fluxd.core.detect import LocalTime
from fluxd.core.knowledge import Knowledge
from fluxd.core.reports import JobReport
from fluxd.store import Store
from fluxd.store.bounds import Bounds
from fluxd.store.channels import StoredChannel

WRONG_KEY_LOG_S = 60


class RequestCounts:
    """Requests to the ingestion endpoint by their answer's status, and elements by their fate."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.statuses: Counter[int] = Counter()
        self.accepted = 0
        self.over_quota = 0
        self._told_of_wrong_key = float("-inf")

    def may_tell_of_wrong_key(self, now: float) -> bool:
        """Whether a wrong key may be logged now: once a minute, a fleet must not fill the log."""
        if now - self._told_of_wrong_key < WRONG_KEY_LOG_S:
            return False
        self._told_of_wrong_key = now
        return True

    def count(self, status: int, *, accepted: int = 0, over_quota: int = 0) -> None:
        """Count an answered request."""
        with self._lock:
            self.statuses[status] += 1
            self.accepted += accepted
            self.over_quota += over_quota


def _send_nothing(channel: StoredChannel) -> tuple[bool, str]:
    """Say that nothing can be sent here."""
    return False, f"nothing sends messages here: {channel.name} was not tried"


@dataclass(frozen=True, slots=True)
class Services:
    """The daemon's parts as the endpoints see them.

    `clock` gives Unix seconds; `lag_s(now)` how long ago the oldest datapoint not yet analysed was
    received; `last_tick()` when the scheduler last ended a turn; `reports` are its jobs' by name;
    `sealed()` and `merged()` how many datapoints were sealed and how many blocks merged into longer
    ones since the start; `selftest()` what the last nightly self-test found, None before the first;
    `states()` how many metrics are in each state; `hosts` the names beside loopback's under which
    pages are shown; `command(what)` how a command is typed into a shell here; `rate()` the
    datapoints stored in a second, None at first; `send_test(channel)` sends a message now, and
    returns whether the other side took it, and its answer or why not.
    """

    store: Store
    knowledge: Knowledge
    clock: Callable[[], float]
    lag_s: Callable[[float], float]
    last_tick: Callable[[], float]
    reports: Mapping[str, JobReport]
    bounds: Bounds
    sealed: Callable[[], int]
    merged: Callable[[], int]
    max_age: int = 3600
    max_inflated_bytes: int = 8 << 20
    allow_get: bool = False
    hosts: tuple[str, ...] = ()
    command: Callable[[str], str] = "fluxd {}".format
    selftest: Callable[[], Mapping[str, Any] | None] = lambda: None
    states: Callable[[], Mapping[str, int]] = dict
    rate: Callable[[], float | None] = lambda: None
    send_test: Callable[[StoredChannel], tuple[bool, str]] = _send_nothing
    counts: RequestCounts = field(default_factory=RequestCounts)

    @property
    def local(self) -> LocalTime:
        """The clock of daily and weekly patterns, and of texts."""
        return self.knowledge.bank.local
