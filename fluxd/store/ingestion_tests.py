"""What was sent in test mode: shown to the person who sets up an agent, kept out of the series."""

import json
import threading
from collections import deque
from dataclasses import dataclass

import apsw

KEEP_S = 24 * 3600  # the contract says at least an hour
MAX_PER_KEY = 100
MAX_TESTS = 2_000

# Names kept of one request, and of all: at their longest (255 characters) they take 40 MB.
MAX_NAMES = 5_000
MAX_ALL_NAMES = 100_000
MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class IngestionTest:
    """A request in test mode; `message` is why it was refused, None where it was not.

    `metrics` would have been accepted; `dropped` would have been over the key's quota.
    """

    time: int
    key: str
    metrics: list[str]
    dropped: list[str]
    message: str | None = None

    @property
    def names(self) -> int:
        """The number of names that it holds."""
        return len(self.metrics) + len(self.dropped)


class IngestionTests:
    """The latest test requests of each key, in memory; a job writes them to the table."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tests: deque[IngestionTest] = deque(maxlen=MAX_TESTS)
        self._changed = False

    def load(self, connection: apsw.Connection) -> None:
        """Take what an earlier run has written."""
        rows = connection.execute(
            "SELECT time, key, metrics, dropped, message FROM ingestion_tests ORDER BY id"
        )
        for time, key, metrics, dropped, message in rows:
            test = IngestionTest(time, key, json.loads(metrics), json.loads(dropped), message)
            self._tests.append(test)

    def note(self, test: IngestionTest) -> None:
        """Add a request."""
        cut = IngestionTest(
            test.time,
            test.key,
            test.metrics[:MAX_NAMES],
            test.dropped[:MAX_NAMES],
            test.message and test.message[:MAX_TEXT],
        )
        with self._lock:
            mine = [kept for kept in self._tests if kept.key == test.key]
            if len(mine) >= MAX_PER_KEY:  # one busy key must not push the others' tests out
                self._tests.remove(mine[0])
            self._tests.append(cut)
            names = sum(kept.names for kept in self._tests)
            while names > MAX_ALL_NAMES:
                names -= self._tests.popleft().names
            self._changed = True

    def rows(self, now: int) -> list[IngestionTest]:
        """Return the requests of the last day, newest first."""
        with self._lock:
            return [test for test in reversed(self._tests) if test.time > now - KEEP_S]

    def clear(self, key: str | None = None) -> None:
        """Forget the requests of a key, or all."""
        with self._lock:
            kept = [test for test in self._tests if key is not None and test.key != key]
            self._tests = deque(kept, maxlen=MAX_TESTS)
            self._changed = True

    def take_changes(self, now: int) -> list[IngestionTest] | None:
        """Return all requests, oldest first, if any changed since the last call, else None."""
        if not self._changed:
            return None
        self._changed = False
        return self.rows(now)[::-1]

    def mark_changed(self) -> None:
        """Have the next `take_changes` return the requests again: they could not be written."""
        self._changed = True


def write_ingestion_tests(connection: apsw.Connection, tests: list[IngestionTest]) -> None:
    """Make the table hold these requests and no others."""
    connection.execute("DELETE FROM ingestion_tests")
    connection.executemany(
        "INSERT INTO ingestion_tests (time, key, metrics, dropped, message) VALUES (?, ?, ?, ?, ?)",
        [(t.time, t.key, json.dumps(t.metrics), json.dumps(t.dropped), t.message) for t in tests],
    )
