"""Committed datapoints on their way from the writer to the analysis."""

import threading
from collections import deque
from dataclasses import dataclass

from fluxd.store.handover import Part

# 2 million datapoints wait in about 60 MB. Beyond that they are read from the table again.
MAX_ROWS = 2_000_000


@dataclass(frozen=True, slots=True)
class Commit:
    """The datapoints of one commit, in the order in which they were written.

    `time` (Unix s) is when it was received.
    """

    seq: int
    time: int
    rows: int
    parts: list[Part]


class Feed:
    """A bounded queue of commits.

    When it is full it drops what comes until `restart`, which says up to which commit the table
    must be read; from there on the queue is complete again. A new feed begins in that state, so
    a start after a crash and an overrun are one case.
    """

    def __init__(self, last_seq: int, *, max_rows: int = MAX_ROWS) -> None:
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._commits: deque[Commit] = deque()
        self._rows = 0
        self._max_rows = max_rows
        self._broken = True
        self._last_seq = last_seq

    def put(self, commit: Commit) -> None:
        """Hand over a commit; the writer calls it in the order of commits."""
        with self._lock:
            self._last_seq = commit.seq
            if self._broken or self._rows + commit.rows > self._max_rows:
                self._broken = True
            else:
                self._commits.append(commit)
                self._rows += commit.rows
        self._ready.set()

    def take(self, max_rows: int) -> list[Commit]:
        """Return the next commits, oldest first: at least one if any waits, then up to max_rows."""
        taken: list[Commit] = []
        with self._lock:
            while self._commits and max_rows > 0:
                commit = self._commits.popleft()
                self._rows -= commit.rows
                max_rows -= commit.rows
                taken.append(commit)
        return taken

    def restart(self) -> int | None:
        """Return the number of the last commit that is not in the queue, or None if all are."""
        with self._lock:
            if not self._broken or self._commits:
                return None
            self._broken = False
            return self._last_seq

    def wait(self, timeout_s: float) -> None:
        """Return when something was put since the last call, or after `timeout_s`."""
        if self._ready.wait(timeout_s):
            self._ready.clear()

    def wake(self) -> None:
        """End a wait now."""
        self._ready.set()

    @property
    def oldest(self) -> int | None:
        """When the oldest commit in the queue was received (Unix s), None if it is empty."""
        try:
            return self._commits[0].time
        except IndexError:
            return None

    @property
    def waiting(self) -> int:
        """The number of datapoints in the queue."""
        return self._rows
