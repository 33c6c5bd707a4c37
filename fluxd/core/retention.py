"""How long what is kept, and what follows from it: what may go at a time, how blocks are merged."""

from dataclasses import dataclass

HOUR_S = 3_600
DAY_S = 86_400
WEEK_S = 604_800

# Spans of a block (s), the next one merged from blocks of the one before.
LEVELS = (HOUR_S, DAY_S, WEEK_S)

# A block is pruned as a whole, so its oldest datapoints stay up to its length longer than asked
# for: by a quarter at the most.
BLOCKS_PER_RETENTION = 4


@dataclass(frozen=True, slots=True)
class Retention:
    """How long raw datapoints, hourly rollups and bands are kept, in seconds.

    What is older than `…_before(now)` may be deleted; what is as old or newer may not. `now` and
    the answers are Unix seconds.

    >>> Retention().raw_before(1_700_000_000)
    1697408000
    """

    raw_s: int = 30 * DAY_S
    rollup_s: int = 730 * DAY_S
    band_s: int = 14 * DAY_S

    def raw_before(self, now: int) -> int:
        """Return the second before which raw datapoints need not be kept."""
        return max(0, now - self.raw_s)

    def rollup_before(self, now: int) -> int:
        """Return the second before which rollups need not be kept; raw ones always have theirs."""
        return max(0, now - max(self.rollup_s, self.raw_s))

    def band_before(self, now: int) -> int:
        """Return the second before which bands need not be kept."""
        return max(0, now - self.band_s)

    def levels(self) -> tuple[int, ...]:
        """Return the lengths (s) that blocks are merged to, ascending; the hour always.

        >>> Retention().levels()
        (3600, 86400, 604800)
        >>> Retention(raw_s=7 * DAY_S).levels()
        (3600, 86400)
        """
        longer = (length for length in LEVELS[1:] if BLOCKS_PER_RETENTION * length <= self.raw_s)
        return (LEVELS[0], *longer)
