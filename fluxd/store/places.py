"""A datapoint's place: one integer that orders by time, then by series; and its table."""

SERIES_BITS = 29
SERIES_MASK = (1 << SERIES_BITS) - 1
MAX_SERIES = SERIES_MASK  # 536,870,911 ids; with 10-digit seconds a place needs 63 bits

LATEST = 9_999_999_999  # the last second of 10 digits; no datapoint is later

HOUR_S, DAY_S, WEEK_S = 3_600, 86_400, 604_800

# An hour's table takes datapoints until this long after the hour: later ones, which are few, are
# sealed one by one. Agents that report once a minute or every five are in time.
LATE_S = 300

# Tables of the recent tier: one for each hour (modulo), and one for what comes after its hour.
HOUR_TABLES = ("recent_0", "recent_1", "recent_2", "recent_3")
LATE_TABLE = "recent_late"
RECENT_TABLES = (*HOUR_TABLES, LATE_TABLE)

LATE = -1  # in place of an hour's number


def place_of(timestamp: int, series: int) -> int:
    """Return the place of `series` at `timestamp` (s)."""
    return timestamp << SERIES_BITS | series


def open_hour(now: int) -> int:
    """Return the oldest hour (since 1970) whose table still takes datapoints at `now` (s)."""
    return (now - LATE_S) // HOUR_S


def hour_of(timestamp: int, oldest_open: int) -> int:
    """Return the hour whose table takes a datapoint of `timestamp` (s), LATE where none does."""
    hour = timestamp // HOUR_S
    return hour if hour >= oldest_open else LATE


def table_of(hour: int) -> str:
    """Return the table for the datapoints of an hour.

    >>> table_of(472_223), table_of(LATE)
    ('recent_3', 'recent_late')
    """
    return LATE_TABLE if hour == LATE else HOUR_TABLES[hour % len(HOUR_TABLES)]
