"""A datapoint's place in the recent tier: one integer that orders by time, then by series."""

SERIES_BITS = 29
SERIES_MASK = (1 << SERIES_BITS) - 1
MAX_SERIES = SERIES_MASK  # 536,870,911 ids; with 10-digit seconds a place needs 63 bits

LATEST = 9_999_999_999  # the last second of 10 digits; no datapoint is later


def place_of(timestamp: int, series: int) -> int:
    """Return the place of `series` at `timestamp` (s)."""
    return timestamp << SERIES_BITS | series
