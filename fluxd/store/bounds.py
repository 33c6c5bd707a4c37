"""How large the store is, how large it may become, and when to warn or to refuse."""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fluxd.store.places import RECENT_TABLES, SERIES_BITS
from fluxd.store.store import Store

# From this share of a limit on the health check warns.
NEAR = 0.9

# Less free on the file system is told, whatever the limits: others fail there too.
DISK_SHARE = 0.05
DISK_BYTES = 10**9

# The log keeps its size on disk when it begins anew, up to this share of the limit.
LOG_SHARE = 16
LOG_BYTES = 64 << 20

# Hours that the rate of growth is taken from: a week, in which every kind of block is merged once,
# and at least a quarter of a day.
MOST_HOURS = 170
LEAST_HOURS = 6

HOUR_S = 3_600

DELETE = "delete metrics (`fluxd metric delete NAME`)"


@dataclass(frozen=True, slots=True)
class Usage:
    """The store's size, in bytes: `used` are its pages in use and its log, `free` its other pages.

    `oldest` is the beginning of the oldest block, or the oldest unsealed second (Unix s), None
    without datapoints.
    """

    used: int
    free: int
    oldest: int | None
    disk_free: int
    disk_size: int


class Growth:
    """How fast the store grows, from the least that it used in each hour.

    The least, because the recent tier fills up and is emptied every hour.
    """

    def __init__(self) -> None:
        self._hours: deque[tuple[int, int]] = deque(maxlen=MOST_HOURS)

    def add(self, now: int, used: int) -> None:
        """Take in what is used (bytes) at `now` (Unix s)."""
        hour = now // HOUR_S
        if self._hours and hour <= self._hours[-1][0]:  # or the clock was set back
            last, least = self._hours[-1]
            self._hours[-1] = (last, min(least, used))
        else:
            self._hours.append((hour, used))

    def full_in(self, left: int) -> int | None:
        """Return the seconds until `left` bytes are used up, None while that isn't foreseeable."""
        if len(self._hours) < LEAST_HOURS + 2:
            return None
        (began, first), (ended, last) = self._hours[1], self._hours[-2]  # those seen in full
        if last <= first:
            return None
        return max(0, left) * (ended - began) * HOUR_S // (last - first)


class Bounds:
    """The store's limits; `max_bytes` of 0 is none.

    `measure` is to be called every few seconds; all else is answered from what it found, from any
    thread. `disk(folder)` returns the free and the total bytes of a file system.
    """

    def __init__(
        self,
        store: Store,
        *,
        max_bytes: int = 0,
        max_metrics: int = 1_000_000,
        disk: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        self._store = store
        self.max_bytes = max_bytes
        self.max_metrics = max_metrics
        self._disk = disk or disk_space
        self._growth = Growth()
        self._log_limited = max_bytes == 0
        self.usage: Usage | None = None

    def measure(self, now: int) -> None:
        """Look how much is used; a handful of pages are read."""
        if not self._log_limited:
            limit = min(LOG_BYTES, self.max_bytes // LOG_SHARE)
            self._store.writer.run(lambda writer: writer.pragma("journal_size_limit", limit))
            self._log_limited = True
        with self._store.read() as reader:
            size, pages, free = (
                int(str(reader.pragma(name)))
                for name in ("page_size", "page_count", "freelist_count")
            )
            rows: list[Any] = reader.execute(_OLDEST).fetchall()
        used = (pages - free) * size + self._store.log_bytes
        self._growth.add(now, used)
        disk_free, disk_size = self._disk(self._store.path.parent)
        self.usage = Usage(used, free * size, rows[0][0], disk_free, disk_size)

    @property
    def refusing(self) -> str | None:
        """Why no datapoints are taken; None while there is room."""
        if not self.max_bytes or self.usage is None or self.usage.used < self.max_bytes:
            return None
        return (
            f"the store has reached store.max_bytes - it uses its {_size(self.max_bytes)}: "
            f"raise store.max_bytes, shorten retention.raw or retention.rollup, or {DELETE}"
        )

    @property
    def metrics_left(self) -> int:
        """How many new metrics are taken."""
        return max(0, self.max_metrics - len(self._store.catalog))

    @property
    def left(self) -> int:
        """How many bytes more the store may take: up to its limit, or what the disk has free."""
        if self.usage is None:
            return 0
        limit = self.max_bytes - self.usage.used if self.max_bytes else self.usage.disk_free
        return max(0, min(limit, self.usage.disk_free))

    @property
    def full_in(self) -> int | None:
        """In how many seconds those are used up, None while that isn't foreseeable."""
        return self._growth.full_in(self.left)

    def refuse_new(self, metrics: int) -> str | None:
        """Why there may not be as many as `metrics`; None where there may."""
        if metrics <= self.max_metrics:
            return None
        return (
            f"the store has reached store.max_metrics - it holds its {self.max_metrics:,} metrics, "
            f"datapoints of others are refused: raise store.max_metrics, or {DELETE}"
        )

    def warnings(self) -> list[str]:
        """Return what will fail before long, each with its mend; nothing when all is well."""
        told = []
        metrics = len(self._store.catalog)
        if metrics >= NEAR * self.max_metrics:
            at = "new ones" if self.metrics_left == 0 else "at the limit new ones"
            told.append(
                f"the store holds {metrics:,} of {self.max_metrics:,} metrics, {at} are refused: "
                f"raise store.max_metrics, or {DELETE}"
            )
        if self.usage is not None:
            told += self._of_bytes(self.usage)
            told += self._of_disk(self.usage)
        return told

    def _of_bytes(self, usage: Usage) -> list[str]:
        # At the limit itself the writer refuses, and that is a failure.
        if not NEAR * self.max_bytes <= usage.used < self.max_bytes:
            return []
        told = (
            f"the store uses {_size(usage.used)} of {_size(self.max_bytes)}"
            f"{self._when(self.max_bytes - usage.used)}, at the limit datapoints are refused: "
            f"raise store.max_bytes, shorten retention.raw or retention.rollup, or {DELETE}"
        )
        return [told]

    def _of_disk(self, usage: Usage) -> list[str]:
        if usage.disk_free >= max(DISK_BYTES, DISK_SHARE * usage.disk_size):
            return []
        told = (
            f"the file system of {self._store.path.parent} has {_size(usage.disk_free)} of "
            f"{_size(usage.disk_size)} free{self._when(usage.disk_free)}: free some space, or "
            "shorten retention.raw or retention.rollup"
        )
        return [told]

    def _when(self, left: int) -> str:
        seconds = self._growth.full_in(left)
        if seconds is None:
            return ""
        return f" (none left in about {_time(seconds)} at the present rate)"


_OLDEST = (
    f"SELECT min(place) >> {SERIES_BITS} FROM ("
    + " UNION ALL ".join(
        f"SELECT min(place) AS place FROM {table}" for table in ("blocks", *RECENT_TABLES)
    )
    + ")"
)


def disk_space(folder: Path) -> tuple[int, int]:
    """Return how many bytes of a folder's file system are free for fluxd, and how many it has."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize


def _size(count: int) -> str:
    """Write bytes for a person.

    >>> _size(20 * 10**9), _size(16 << 20)
    ('20.0 GB', '16.8 MB')
    """
    return f"{count / 10**9:,.1f} GB" if count >= 10**9 else f"{count / 10**6:.1f} MB"


def _time(seconds: int) -> str:
    """Write a time for a person.

    >>> _time(90_000), _time(3 * 86_400)
    ('25 hours', '3 days')
    """
    hours = round(seconds / HOUR_S)
    if hours < 48:  # noqa: PLR2004
        return f"{hours} hour{'' if hours == 1 else 's'}"
    return f"{round(hours / 24):,} days"
