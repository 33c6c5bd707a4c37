"""Keeping the stored bands small: a finished day's rows become one per series, old ones go."""

import functools
import time
from collections.abc import Callable, Iterator

from fluxd.store import Store
from fluxd.store.bands import Row, Span, merge, prune_bands, read_unmerged, replace

# A call works for about so long before its transaction of at most 25 ms.
BUDGET_S = 0.04

# Series merged in one transaction: with 64, half as much again is written to disk (7 bytes a
# datapoint), since neighbours share pages.
SERIES = 256

# Rows pruned in one transaction: two merged ones are a page.
PRUNED_ROWS = 512


class BandKeeper:
    """The job. Bands are kept for `retention_s` seconds.

    What was merged is checked against the table again before it replaces anything, so whatever else
    writes there in between only has it done once more.
    """

    def __init__(
        self, store: Store, retention_s: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._retention_s = retention_s
        self._clock = clock
        self._span: Span | None = None
        self._merging: Iterator[Row] = iter(())
        self._days: list[Row] = []

    def run(self, now: int) -> bool:
        """Do one step; return whether more are waiting."""
        if self._span is None:
            prune = functools.partial(
                prune_bands, before=now - self._retention_s, limit=PRUNED_ROWS
            )
            if self._store.writer.run(prune) == PRUNED_ROWS:
                return True
            with self._store.read() as reader:
                self._span = read_unmerged(reader, before=now, series=SERIES)
            if self._span is None:
                return False
            self._merging, self._days = merge(self._span), []
        end = self._clock() + BUDGET_S
        for row in self._merging:
            self._days.append(row)
            if self._clock() >= end:
                return True
        span, self._span = self._span, None
        self._store.writer.run(lambda connection: replace(connection, span, self._days))
        return True
