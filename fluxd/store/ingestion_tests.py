"""What was sent in test mode: shown to the person who sets up an agent, kept out of the series."""

import dataclasses
import json
import threading
from collections import deque
from dataclasses import dataclass

import apsw

KEEP_S = 24 * 3600  # the contract says at least an hour

# An hour of a sender's tests even at four seconds, and of all senders' together.
MAX_PER_KEY = 1_000
MAX_TESTS = 10_000

# Names kept of one request, and of all (the same list sent again counts once): 40 MB at the most.
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
    """The latest test requests of each key, in memory; a job writes the new ones to the table."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_key: dict[str, deque[IngestionTest]] = {}
        self._unwritten: list[IngestionTest] = []
        self._rewrite = False  # the table has to be written anew

    def load(self, connection: apsw.Connection) -> None:
        """Take what an earlier run has written."""
        rows = connection.execute(
            "SELECT time, key, metrics, dropped, message FROM ingestion_tests ORDER BY id"
        )
        for time, key, metrics, dropped, message in rows:
            self._add(IngestionTest(time, key, json.loads(metrics), json.loads(dropped), message))

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
            self._unwritten.append(self._add(cut))

    def _add(self, test: IngestionTest) -> IngestionTest:
        """Add a test and let the oldest give way; return it, sharing names with the one before."""
        mine = self._by_key.setdefault(test.key, deque(maxlen=MAX_PER_KEY))
        if mine and mine[-1].metrics == test.metrics:  # an agent sends the same names each time
            test = dataclasses.replace(test, metrics=mine[-1].metrics)
        mine.append(test)
        while self._is_full():
            oldest = min(self._by_key, key=lambda key: self._by_key[key][0].time)
            self._by_key[oldest].popleft()
            if not self._by_key[oldest]:
                del self._by_key[oldest]
        return test

    def _is_full(self) -> bool:
        tests = [test for kept in self._by_key.values() for test in kept]
        lists = {id(names): len(names) for test in tests for names in (test.metrics, test.dropped)}
        return len(tests) > MAX_TESTS or sum(lists.values()) > MAX_ALL_NAMES

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
            self._rewrite = True

    def take_changes(self, now: int) -> tuple[list[IngestionTest], bool] | None:
        """Return what to write, oldest first, and whether that is all there is; None for nothing.

        Only what is new since the last call, unless the table has to be written anew.
        """
        with self._lock:
            rewrite, new = self._rewrite, self._unwritten
            self._rewrite, self._unwritten = False, []
        if rewrite:
            return self.rows(now)[::-1], True
        return (new, False) if new else None

    def mark_changed(self) -> None:
        """Have the next `take_changes` return everything: something could not be written."""
        self._rewrite = True


def write_ingestion_tests(
    connection: apsw.Connection, tests: list[IngestionTest], *, now: int, rewrite: bool
) -> None:
    """Add requests to the table, or with `rewrite` make it hold these alone."""
    connection.execute(
        "DELETE FROM ingestion_tests WHERE ?1 OR time <= ?2"
        " OR id <= (SELECT max(id) FROM ingestion_tests) - ?3",
        (int(rewrite), now - KEEP_S, MAX_TESTS),
    )
    connection.executemany(
        "INSERT INTO ingestion_tests (time, key, metrics, dropped, message) VALUES (?, ?, ?, ?, ?)",
        [(t.time, t.key, json.dumps(t.metrics), json.dumps(t.dropped), t.message) for t in tests],
    )
