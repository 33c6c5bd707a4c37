"""The clock that daily and weekly patterns follow: a time zone as a table of its changes.

The table is made outside (time zones live in files); here it is only looked up.
"""

from dataclasses import dataclass, field

import numpy as np

from fluxd.core.detect.layout import Ints


@dataclass(frozen=True)
class LocalTime:
    """A time zone: from `changes[i]` (Unix s, ascending) on local time is UTC + `offsets[i + 1]` s.

    `offsets` has one entry more than `changes`: its first holds before the first change.

    >>> summer = LocalTime(np.array([1_000_000]), np.array([3600, 7200]))
    >>> summer.local(np.array([999_999, 1_000_000])).tolist()
    [1003599, 1007200]
    """

    changes: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    offsets: Ints = field(default_factory=lambda: np.zeros(1, np.int64))

    def __post_init__(self) -> None:
        if self.offsets.shape != (self.changes.size + 1,):
            raise ValueError("a time zone needs one offset more than it has changes")

    def local(self, timestamps: Ints) -> Ints:
        """Return local seconds (as if they were UTC) of Unix timestamps, same shape."""
        if not self.changes.size:
            shifted: Ints = timestamps + self.offsets[0]
            return shifted
        at = np.searchsorted(self.changes, timestamps, side="right")
        local: Ints = timestamps + self.offsets[at].astype(np.int64)
        return local

    def offset(self, timestamp: int) -> int:
        """Return how many seconds local time is ahead of UTC at one moment."""
        return int(self.offsets[np.searchsorted(self.changes, timestamp, side="right")])


UTC = LocalTime()
