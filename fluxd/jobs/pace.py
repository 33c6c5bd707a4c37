"""How long the analysis rests between its steps, so that it costs the senders little."""

import time
from collections.abc import Callable

# A step costs a few milliseconds however few datapoints it has: let them gather. Verdicts come
# within this time, and the thread is idle meanwhile.
GATHER_S = 0.2

# Above this rate of committed datapoints a second, storing goes first: nobody can wait for a 204
# as well as for a verdict. Analysis then takes a tenth of one core, lags, and catches up later
# (with a third of one core the rate of POSTs of 500 was a quarter lower).
FLOOD_PER_S = 100_000
FLOOD_REST = 10.0
LONGEST_REST_S = 2.0


class Pace:
    """Measures the rate of commits between its calls; `committed()` is a running total."""

    def __init__(
        self, committed: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._committed = committed
        self._clock = clock
        self._total = committed()
        self._at = clock()

    def rest_s(self, took_s: float) -> float:
        """Return how long to rest after a turn that took `took_s`, waiting included."""
        total, now = self._committed(), self._clock()
        elapsed = now - self._at
        flood = elapsed > 0 and (total - self._total) / elapsed > FLOOD_PER_S
        self._total, self._at = total, now
        return min(FLOOD_REST * took_s, LONGEST_REST_S) if flood else max(0.0, GATHER_S - took_s)
