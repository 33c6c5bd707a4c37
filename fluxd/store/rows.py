"""The statements that write datapoints into the recent tier."""

import functools

import apsw

# A thousand rows a statement are no faster than 512; powers of two bound the prepared statements
# to ten. One statement for many rows matters: executemany takes and gives the GIL at every row.
LARGEST = 512


@functools.cache
def _insert(rows: int) -> str:
    values = ",".join(f"(?{2 * row + 3},?{2 * row + 4},?1,?2)" for row in range(rows))
    return (
        f"INSERT INTO recent (place, value, seq, history) VALUES {values}"
        " ON CONFLICT (place) DO UPDATE SET value = excluded.value"
    )


def write_rows(
    connection: apsw.Connection, flat: list[float], *, seq: int, history: bool = False
) -> None:
    """Write datapoints given flat (place, value, …); of the same place the last one stands."""
    head: list[float] = [seq, int(history)]
    start, size = 0, LARGEST
    while start < len(flat):
        while size > (len(flat) - start) // 2:
            size //= 2
        stop = start + 2 * size
        connection.execute(_insert(size), head + flat[start:stop])
        start = stop
