"""A metric that goes to another level and stays: told once, however long the detector minds it.

    watched     from the first datapoint that was off, while all that follow are, to the same side
    stands      once SHIFT_ROWS in a row were, and they stay where they are: what fills up goes on
    over        once one was not; nothing comes of it any more
    returned    it stood, and BACK_ROWS in a row are near the old level again within the day

While it stands and for a day (SETTLE_INTERVALS where that is longer), what is remarkable only
because the metric is near its new level, or back at the old one, is explained by it.
"""

from dataclasses import dataclass

SHIFT_ROWS = 30  # datapoints in a row on one side make it a level shift
SHIFT_SHARE = 1 / 3  # of the way from the expected value to the first anomalous one
BACK_ROWS = 5

# Rows that still climb are on their way: the last third of SHIFT_ROWS lies beyond the first third
# by more than noise does (by 0.6 mean distances) and by some of the shift's size.
DRIFT_SPREADS, DRIFT_SHARE = 2.0, 0.1
SETTLE_S, SETTLE_INTERVALS = 86_400, 48

# The new level is followed, for a metric has a course of its day there too.
FOLLOW_ROWS = 30
NEAR_SPREADS = 6.0  # mean distances from the level: 4.8 sigma of bell-shaped noise
NEAR_SHARE = 0.1  # of the shift's size; for a metric that has no noise
STRAY_SPREADS = 3.0  # one datapoint counts for at most so much in the level


@dataclass(slots=True)
class Shift:
    """One metric's way from `old`, its expected value, to a level beyond `turn`."""

    old: float
    turn: float
    upward: bool
    rows: int = 0  # in a row that were off
    drifts: int = 0  # how many SHIFT_ROWS were on their way
    over: bool = False
    new: float | None = None  # the level when it stood first
    until: int = 0  # Unix s until which it explains what comes
    level: float = 0.0  # now
    spread: float = 0.0  # mean distance from it
    early: float = 0.0  # mean of the first third of the rows, until it stands
    late: float = 0.0  # of the last third
    last: int = 0  # timestamp of the last row away from the old level
    home: int = 0  # rows in a row near it
    back_at: int | None = None  # timestamp of the first of them
    returned: int | None = None

    @classmethod
    def watch(cls, value: float, expected: float) -> "Shift":
        """Begin with the first anomalous value, which is to be taken next."""
        turn = expected + SHIFT_SHARE * (value - expected)
        return cls(expected, turn, upward=value > expected)

    @property
    def stands(self) -> bool:
        """Whether it is a level shift."""
        return self.new is not None

    @property
    def watched(self) -> bool:
        """Whether it may become one."""
        return self.new is None and not self.over

    def take(self, timestamp: int, value: float, interval: float) -> bool:
        """Take the next datapoint; whether it stands, or has returned, since this one."""
        if self.over:
            return False
        if self.stands:
            return self._go_on(timestamp, value)
        if (value <= self.turn) if self.upward else (value >= self.turn):
            self.over = True
            return False
        self.rows, self.last = self.rows + 1, timestamp
        self.level += (value - self.level) / self.rows
        # The first rows may still be on their way.
        self.spread += (abs(value - self.level) - self.spread) / self.rows
        third = SHIFT_ROWS // 3
        self.early += value / third if self.rows <= third else 0.0
        self.late += value / third if self.rows > SHIFT_ROWS - third else 0.0
        if self.rows < SHIFT_ROWS:
            return False
        if self._drifts():
            self.rows, self.level, self.spread, self.early, self.late = 0, 0.0, 0.0, 0.0, 0.0
            self.drifts += 1
            return False
        self.new = self.level
        self.until = timestamp + int(max(SETTLE_S, SETTLE_INTERVALS * interval))
        return True

    def _drifts(self) -> bool:
        drift = abs(self.late - self.early)
        # What climbs steadily is ever farther from where it began: it has not arrived for that.
        least = DRIFT_SHARE * self._size / (1 + self.drifts)
        return drift > DRIFT_SPREADS * self.spread and drift > least

    def _go_on(self, timestamp: int, value: float) -> bool:
        if timestamp > self.until:
            self.over = True
            return False
        if self._near_old(value) and not self._near_new(value):
            if not self.home:
                self.back_at = timestamp
            self.home += 1
            if self.home == BACK_ROWS and self.returned is None:
                self.returned, self.level = self.back_at, value
                return True
            return False
        self.home, self.last = 0, timestamp if self.returned is None else self.last
        off = abs(value - self.level)
        most = STRAY_SPREADS * self.spread + NEAR_SHARE * self._size / FOLLOW_ROWS
        step = min(off, most) / FOLLOW_ROWS
        self.level += step if value > self.level else -step
        self.spread += (min(off, most) - self.spread) / FOLLOW_ROWS
        return False

    def explains(self, timestamp: int, value: float) -> bool:
        """Whether a remarkable datapoint is so only because of this shift."""
        if self.over or not self.stands or timestamp > self.until:
            return False
        return self._near_new(value) or (self.returned is None and self._near_old(value))

    @property
    def _size(self) -> float:
        return abs((self.level if self.new is None else self.new) - self.old)

    def _reach(self) -> float:
        return NEAR_SPREADS * self.spread + NEAR_SHARE * self._size

    def _near_new(self, value: float) -> bool:
        return abs(value - self.level) <= self._reach()

    def _near_old(self, value: float) -> bool:
        return abs(value - self.old) <= max(SHIFT_SHARE * self._size, self._reach())
