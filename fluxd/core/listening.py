"""The clock that silence is measured by: it stands still while nothing could be received.

A stopped daemon, a machine that slept and a disk that was full make every metric silent, and say
nothing about any of them. So does a clock that jumps.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Span = tuple[int, int]  # from, until (Unix s)

# Spans that are remembered: what is older than the oldest of them counts as listened to.
KEPT = 64


class Listening:
    """The spans in which nothing could be received: ascending, none touches the next.

    >>> listening = Listening([(100, 200)])
    >>> listening.heard(np.array([50, 150, 300]), 350).tolist()
    [200, 150, 50]
    """

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        self._index()
        for since, until in spans:
            self.miss(since, until)

    @property
    def spans(self) -> list[Span]:
        """What is to be given to another one to know the same."""
        return list(self._spans)

    def miss(self, since: int, until: int) -> None:
        """Note that nothing was received from `since` to `until`; not before an earlier note."""
        if self._spans:
            last_since, last_until = self._spans[-1]
            since = max(since, last_since)
            if since <= last_until:
                since = last_since
                until = max(until, last_until)
                self._spans.pop()
        if until > since:
            self._spans = [*self._spans, (since, until)][-KEPT:]
        self._index()

    def turn_back(self, now: int) -> None:
        """Forget what is later than `now`: the clock was set back."""
        self._spans = [(since, min(until, now)) for since, until in self._spans if since < now]
        self._index()

    def heard(self, since: Ints, until: int) -> Ints:
        """Return for how many seconds of [since, until] datapoints could be received."""
        starts, ends, totals = self._table
        if not len(ends) or not len(since) or int(since.min()) >= ends[-1]:
            return until - since

        def missed(times: Ints) -> Ints:
            at = np.searchsorted(starts, times, side="right")
            inside = np.maximum(ends.take(np.maximum(at - 1, 0)) - times, 0)
            before: Ints = totals.take(at) - np.where(at > 0, inside, 0)
            return before

        return until - since - missed(np.array([until])) + missed(since)

    def heard_of(self, since: int, until: int) -> int:
        """Return the same for one time."""
        return int(self.heard(np.array([since]), until)[0])

    def _index(self) -> None:
        starts = np.array([since for since, _ in self._spans], np.int64)
        ends = np.array([until for _, until in self._spans], np.int64)
        # At once, for others read it meanwhile.
        self._table = starts, ends, np.concatenate([[0], np.cumsum(ends - starts)])
