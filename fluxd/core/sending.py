"""When messages go out: tries and their distance, the cap of a day, and when a digest is due."""

import re
from typing import Literal, TypeAlias, get_args

from fluxd.core.message import Severity, rank

DAY_S = 86_400

# What a channel may be called, in the file and on the page.
CHANNEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)

# Tries follow each other after 5 s, 10, 20 and so on, up to a quarter of an hour; after a day a
# message is given up. Each wait is up to a third shorter, so that all don't come back at once.
FIRST_WAIT_S, LONGEST_WAIT_S, GIVE_UP_S = 5.0, 900.0, DAY_S
JITTER = 1 / 3

# Messages a channel and day. The last quarter is kept for what is high or critical.
DAILY_CAP = 20
KEPT_SHARE = 0.25

# A daily digest: none but of what was over the cap, one beside the messages, or one in their place.
Digest: TypeAlias = Literal["off", "also", "only"]
DIGESTS: tuple[Digest, ...] = get_args(Digest)

DIGEST_HOUR = 8


def wait_s(attempts: int, luck: float, asked_s: float | None = None) -> float:
    """Return how long (s) to wait after so many failed tries, at least one.

    `luck` in [0, 1) draws the jitter; `asked_s` is what the other side asked for (Retry-After).

    >>> wait_s(1, 0.0), wait_s(3, 0.0), wait_s(99, 0.0), wait_s(1, 0.0, asked_s=60.0)
    (5.0, 20.0, 900.0, 60.0)
    """
    doubled = FIRST_WAIT_S * 2.0 ** min(attempts - 1, 30)
    waited = min(doubled, LONGEST_WAIT_S) * (1.0 - JITTER * luck)
    return max(waited, min(asked_s, float(DAY_S))) if asked_s is not None else waited


def within_cap(sent: int, cap: int, severity: Severity) -> bool:
    """Whether a message of that severity may go out as number `sent` + 1 of the day; 0: no cap.

    >>> within_cap(14, 20, "normal"), within_cap(15, 20, "normal"), within_cap(15, 20, "high")
    (True, False, True)
    """
    if cap == 0:
        return True
    kept = int(KEPT_SHARE * cap)
    return sent < (cap if rank(severity) >= rank("high") else cap - kept)


def day_began(now: int, offset: int) -> int:
    """Return when the local day began (Unix s).

    >>> day_began(90_000, 3_600)
    82800
    """
    return (now + offset) // DAY_S * DAY_S - offset


def digest_due(now: int, offset: int, *, hour: int = DIGEST_HOUR) -> int:
    """Return the last time up to `now` (Unix s) at which a digest was due, by the local clock.

    >>> digest_due(9 * 3600, 0), digest_due(86_400 + 7 * 3600, 0)
    (28800, 28800)
    """
    due = day_began(now, offset) + 3_600 * hour
    return due if due <= now else due - DAY_S
