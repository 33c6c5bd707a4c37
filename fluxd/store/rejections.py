"""The rejection ledger: the last refused requests of each key.

It makes a sender that repeats its mistake for ever visible.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import apsw

# One entry per key and kind of reason. The contract has about 20 kinds; 2,000 entries are 100 keys
# that each make every mistake, in about a megabyte.
MAX_ENTRIES = 2_000

# Longer texts (a name may have a megabyte) are cut; the sender got the whole one.
MAX_TEXT = 500


@dataclass(frozen=True, slots=True)
class Rejection:
    """Refused requests of one key for one reason.

    `time` and the rest are of the latest one, `count` is how many there were; `key` is the key's
    name, "" where none could be read; `index` and `element` are of the offending element.
    """

    time: int
    key: str
    reason: str
    message: str
    index: int | None
    element: str | None
    count: int


class RejectionLedger:
    """Counts refused requests in memory; a job writes them to the table every few seconds.

    A flood of bad requests therefore costs no writes, and the oldest entries give way.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, str], Rejection] = OrderedDict()
        self._changed = False

    def load(self, connection: apsw.Connection) -> None:
        """Take what an earlier run has written."""
        rows = connection.execute(
            "SELECT time, key, reason, message, position, element, count FROM rejections"
            " ORDER BY time"
        )
        for row in rows:
            entry = Rejection(*row)
            self._entries[entry.key, entry.reason] = entry

    def note(
        self,
        now: int,
        key: str | None,
        message: str,
        *,
        index: int | None = None,
        element: str | None = None,
    ) -> None:
        """Count a refused request."""
        name, reason = key or "", reason_of(message)
        with self._lock:
            earlier = self._entries.pop((name, reason), None)
            self._entries[name, reason] = Rejection(
                now,
                name,
                reason,
                message[:MAX_TEXT],
                index,
                element[:MAX_TEXT] if element is not None else None,
                (earlier.count if earlier else 0) + 1,
            )
            while len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
            self._changed = True

    def rows(self) -> list[Rejection]:
        """Return the entries, the latest first."""
        with self._lock:
            return list(reversed(self._entries.values()))

    def take_changes(self) -> list[Rejection] | None:
        """Return all entries if any changed since the last call, else None."""
        with self._lock:
            if not self._changed:
                return None
            self._changed = False
            return list(self._entries.values())

    def mark_changed(self) -> None:
        """Have the next `take_changes` return the entries again: they could not be written."""
        self._changed = True


def reason_of(message: str) -> str:
    """Return the kind of a message: without the name, value or timestamp that it shows.

    >>> reason_of("invalid timestamp - 12 - timestamp is not a valid current unix timestamp")
    'invalid timestamp - timestamp is not a valid current unix timestamp'
    >>> reason_of("invalid value - null")
    'invalid value'
    """
    parts = message.split(" - ")
    if len(parts) >= 3 and parts[0] in {"invalid metric", "invalid timestamp"}:  # noqa: PLR2004
        return f"{parts[0]} - {parts[-1]}"[:MAX_TEXT]
    return parts[0][:MAX_TEXT]


def write_rejections(connection: apsw.Connection, entries: list[Rejection]) -> None:
    """Make the table hold these entries and no others."""
    connection.execute("DELETE FROM rejections")
    connection.executemany(
        "INSERT INTO rejections (time, key, reason, message, position, element, count)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(e.time, e.key, e.reason, e.message, e.index, e.element, e.count) for e in entries],
    )
