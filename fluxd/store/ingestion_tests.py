"""What was sent in test mode: shown to the person who sets up an agent, kept out of the series."""

import json
import threading
from collections import deque
from dataclasses import dataclass

import apsw

KEEP_S = 24 * 3600  # the contract says at least an hour
MAX_PER_KEY = 100
MAX_KEYS = 200

# Names shown of one request: a test with more has made its point.
MAX_NAMES = 1_000


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


class IngestionTests:
    """The latest test requests of each key, in memory; a job writes them to the table."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[str, deque[IngestionTest]] = {}
        self._changed = False

    def load(self, connection: apsw.Connection) -> None:
        """Take what an earlier run has written."""
        rows = connection.execute(
            "SELECT time, key, metrics, dropped, message FROM ingestion_tests ORDER BY id"
        )
        for time, key, metrics, dropped, message in rows:
            test = IngestionTest(time, key, json.loads(metrics), json.loads(dropped), message)
            self._of(key).append(test)

    def note(self, test: IngestionTest) -> None:
        """Add a request."""
        cut = IngestionTest(
            test.time,
            test.key,
            test.metrics[:MAX_NAMES],
            test.dropped[:MAX_NAMES],
            test.message and test.message[:MAX_NAMES],
        )
        with self._lock:
            self._of(test.key).append(cut)
            self._changed = True

    def _of(self, key: str) -> deque[IngestionTest]:
        if key not in self._by_key:
            while len(self._by_key) >= MAX_KEYS:
                del self._by_key[next(iter(self._by_key))]
            self._by_key[key] = deque(maxlen=MAX_PER_KEY)
        return self._by_key[key]

    def rows(self, now: int) -> list[IngestionTest]:
        """Return the requests of the last day, newest first."""
        with self._lock:
            tests = [test for kept in self._by_key.values() for test in reversed(kept)]
        recent = [test for test in tests if test.time > now - KEEP_S]
        return sorted(recent, key=lambda test: -test.time)

    def clear(self, key: str | None = None) -> None:
        """Forget the requests of a key, or all."""
        with self._lock:
            for name in [key] if key is not None else list(self._by_key):
                self._by_key.pop(name, None)
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
