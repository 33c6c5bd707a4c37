"""A time zone as the table of its changes that the detector looks things up in.

The machine's own zone is asked of the C library, which knows $TZ and /etc/localtime, and UTC
without any database. Names need the system's, /usr/share/zoneinfo: Debian's `tzdata`, which all but
the smallest containers have. PyPI's copy of it is no dependency: it would grow old in an
installation of years, where the system's is kept up to date.
"""

import functools
import time
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

from fluxd.core.detect import LocalTime

SYSTEM = "system"

# What is looked up lies within; before and after, the first and the last offset hold.
FIRST, LAST = 0, 4_102_444_800  # 1970 to 2100

# Two changes are never closer together, but for a few oddities before 1980.
STEP_S = 6 * 86_400


def zone_exists(name: str) -> bool:
    """Say whether this machine knows a time zone of that name, or it is the machine's own."""
    if name == SYSTEM:
        return True
    try:
        _offset_by_name(name)
    except (ValueError, OSError):  # among the former: no such zone
        return False
    return True


@functools.cache
def local_time(name: str = SYSTEM) -> LocalTime:
    """Return the table of a time zone, the machine's own by default; takes 20 ms.

    Raises ValueError for a name that this machine does not know.
    """
    try:
        offset = _offset_by_system() if name == SYSTEM else _offset_by_name(name)
    except OSError as error:
        raise ValueError(f"there is no time zone {name}") from error
    return _table(offset)


Offset = Callable[[int], int]


def _offset_by_system() -> Offset:
    time.tzset()
    return lambda second: time.localtime(second).tm_gmtoff


def _offset_by_name(name: str) -> Offset:
    try:
        zone = zoneinfo.ZoneInfo(name)
    except zoneinfo.ZoneInfoNotFoundError as error:
        if name == "UTC":  # known where there is no database, too
            return lambda _second: 0
        raise ValueError(f"there is no time zone {name}") from error

    def offset(second: int) -> int:
        ahead = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
        return int(ahead.total_seconds()) if ahead is not None else 0

    return offset


def _table(offset: Offset) -> LocalTime:
    changes: list[int] = []
    offsets = [offset(FIRST)]
    for second in range(FIRST, LAST, STEP_S):
        end = min(second + STEP_S, LAST)
        if offset(end) != offsets[-1]:
            changes.append(_first_after(offset, second, end))
            offsets.append(offset(end))
    return LocalTime(np.array(changes, np.int64), np.array(offsets, np.int64))


def _first_after(offset: Offset, before: int, after: int) -> int:
    """Return the first second that has the offset of `after`; `before` has another."""
    wanted = offset(after)
    while after - before > 1:
        middle = (before + after) // 2
        if offset(middle) == wanted:
            after = middle
        else:
            before = middle
    return after
