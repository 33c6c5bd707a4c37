"""How long a metric was off to one side, which is what "high for 20 minutes" claims."""

from dataclasses import dataclass


@dataclass(slots=True)
class Beyond:
    """Datapoints beyond the band on one side: how many, the first and the last (Unix s).

    Those after an anomaly's last datapoint wait: they belong to it only if another one follows.

    >>> high = Beyond()
    >>> for timestamp, anomalous in ((60, True), (120, False), (180, True), (240, False)):
    ...     high.take(timestamp)
    ...     if anomalous:
    ...         high.settle()
    >>> high.rows, high.first, high.last
    (3, 60, 180)
    """

    rows: int = 0
    first: int = 0
    last: int = 0
    waiting: int = 0
    waiting_first: int = 0
    waiting_last: int = 0

    def take(self, timestamp: int) -> None:
        """Count a datapoint that is beyond."""
        if not self.waiting:
            self.waiting_first = timestamp
        self.waiting, self.waiting_last = self.waiting + 1, timestamp

    def settle(self) -> None:
        """Make those that wait part of the anomaly."""
        if not self.waiting:
            return
        if not self.rows:
            self.first = self.waiting_first
        self.rows, self.last, self.waiting = self.rows + self.waiting, self.waiting_last, 0

    @property
    def length(self) -> int:
        """From the first to the last, in seconds."""
        return self.last - self.first
