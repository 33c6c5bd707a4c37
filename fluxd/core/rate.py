"""How fast a counter grows."""

from collections import deque

# A minute is what agents report in; samples come every few seconds.
WINDOW_S = 60


class Rate:
    """The growth of a counter per second, over the last minute."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        """Take in what a counter shows at `now` (s); a clock that was set back begins anew."""
        if self._samples and now < self._samples[-1][0]:
            self._samples.clear()
        self._samples.append((now, count))
        while len(self._samples) > 2 and self._samples[1][0] <= now - WINDOW_S:  # noqa: PLR2004
            self._samples.popleft()

    @property
    def per_second(self) -> float | None:
        """The rate, None before there are two samples.

        >>> rate = Rate()
        >>> for second in range(0, 121, 5):
        ...     rate.add(second, 10 * max(0, second - 60))
        >>> rate.per_second
        10.0
        """
        if len(self._samples) < 2:  # noqa: PLR2004
            return None
        (began, first), (ended, last) = self._samples[0], self._samples[-1]
        return (last - first) / (ended - began) if ended > began else None
