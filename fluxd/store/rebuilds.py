"""Imported history: on its way into the store, and on the list of what the detector is to relearn.

A row of `rebuilds` says that a series has datapoints which its detector has not seen, or not in
the order of time. It is written with the datapoints, and deleted with the state that has learnt
them, each in one transaction; so whatever is cut short is done again, and nothing counts twice.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import apsw
import numpy as np

from fluxd.core.anomalies import Anomaly, Lasting
from fluxd.core.errors import StoreError
from fluxd.core.retention import LEVELS
from fluxd.store.anomalies import write_anomalies
from fluxd.store.blocks import Floats, Ints
from fluxd.store.history import MAX_VALUES, write_history
from fluxd.store.places import HOUR_S, LATEST
from fluxd.store.series import create_series, find_series
from fluxd.store.states import finish_round, states_seq

# While an import is under way its series wait for so long to be learnt: once, not after each part.
# After that an import is taken for one that was cut short.
PATIENCE_S = 30


# In place of the second from which a series may be learnt: it is being learnt. Another import
# writes a second again, and so shows.
_TAKEN = 0
_AT_ONCE = 1


@dataclass(frozen=True, slots=True)
class Rebuild:
    """A series to be learnt anew, and how many datapoints were stored uncounted."""

    series: int
    added: int


@dataclass(slots=True)
class History:
    """One metric's imported datapoints: `timestamps` (s) ascend strictly, `values` are finite.

    `levels` are the lengths of blocks (s) that there may be. `written` of the datapoints are in the
    store by now, of which `added` were not there before.
    """

    name: str
    timestamps: Ints
    values: Floats
    levels: Sequence[int] = LEVELS
    written: int = field(default=0, init=False)
    added: int = field(default=0, init=False)
    _series: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.levels = fitting_levels(self.timestamps, self.levels)

    def write_some(
        self, connection: apsw.Connection, *, now: int, more: Callable[[], bool]
    ) -> None:
        """Store what comes next, while `more()` says that there is time; at least a block of it.

        In a transaction of the caller's. The first part creates the metric where there is none.
        """
        series = self._find_series(connection, now)
        span, added = max(self.levels), 0
        while True:
            edge = (int(self.timestamps[self.written]) // span + 1) * span
            stop = int(np.searchsorted(self.timestamps, edge))
            part = slice(self.written, stop)
            added += write_history(
                connection,
                series,
                self.timestamps[part],
                self.values[part],
                now=now,
                levels=self.levels,
            )
            self.written = stop
            if self.complete or not more():
                break
        self.added += added
        request_rebuild(connection, series, added, at=now if self.complete else now + PATIENCE_S)

    @property
    def complete(self) -> bool:
        """Whether all is stored."""
        return self.written == len(self.timestamps)

    def _find_series(self, connection: apsw.Connection, now: int) -> int:
        series = find_series(connection, self.name)
        if self._series is None:
            self._series = (
                create_series(connection, self.name, now=now) if series is None else series
            )
        elif series != self._series:
            raise StoreError(f"{self.name} was deleted during its import: import it again")
        return self._series


def fitting_levels(timestamps: Ints, levels: Sequence[int]) -> tuple[int, ...]:
    """Return those lengths (s) of blocks that have room for the densest stretch; hours always do.

    >>> fitting_levels(np.arange(0, 1_000_000, 10), (3600, 86400, 604800))
    (3600, 86400)
    """
    return tuple(
        length
        for length in levels
        if length == HOUR_S
        or int(np.unique(timestamps // length, return_counts=True)[1].max(initial=0)) <= MAX_VALUES
    )


def request_rebuild(connection: apsw.Connection, series: int, added: int, *, at: int) -> None:
    """Have a series learnt anew from `at` (Unix s) on; `added` datapoints are stored uncounted."""
    connection.execute(
        "INSERT INTO rebuilds (series, requested, added) VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET requested = excluded.requested, added = added + excluded.added",
        (series, at, added),
    )


def relearn_outdated(connection: apsw.Connection, *, version: int, seq: int) -> bool:
    """Have all metrics learnt anew if only other versions of the detector have saved their states.

    Returns whether that is so. `seq` is the last commit's number: what was stored up to it is
    learnt from the store, what comes later as it comes. Anomalies that were told stay; of one that
    lasts it shows once its metric is learnt whether it still does.
    """
    if states_seq(connection, version):
        return False
    found: Any = connection.execute(
        "SELECT count(*) FILTER (WHERE version = ?1), count(*) FROM states", (version,)
    ).fetchone()
    if found[0] or not found[1]:
        return False
    connection.execute(
        "INSERT OR IGNORE INTO rebuilds (series, requested, added)"
        " SELECT id, ?, 0 FROM series WHERE deleted IS NULL AND retired IS NULL",
        (_AT_ONCE,),
    )
    connection.execute(
        "UPDATE stretches SET ended = peak WHERE ended IS NULL"
        " AND kind NOT IN ('stopped', 'resumed') AND series NOT IN (SELECT series FROM rebuilds)"
    )
    finish_round(connection, seq, version)
    return True


def waiting_rebuilds(
    reader: apsw.Connection, now: int, limit: int, besides: Collection[int] = ()
) -> list[Rebuild]:
    """Return series that are to be learnt anew by now, but those of `besides`, by their ids."""
    rows: list[Any] = reader.execute(
        # Far ahead is a second only where the clock was set back.
        "SELECT rebuilds.series, added FROM rebuilds JOIN series ON series.id = series"
        " WHERE NOT requested BETWEEN ?1 + 1 AND ?1 + ?2 AND deleted IS NULL"
        " ORDER BY rebuilds.series LIMIT ?3",
        (now, PATIENCE_S, limit + len(besides)),
    ).fetchall()
    return [Rebuild(*row) for row in rows if row[0] not in besides][:limit]


def take_rebuilds(connection: apsw.Connection, ids: Iterable[int]) -> list[Rebuild]:
    """Note that series are being learnt, and return what is to be learnt of them."""
    taken: list[Rebuild] = []
    for series in ids:
        row = connection.execute(
            "UPDATE rebuilds SET requested = ? WHERE series = ? RETURNING series, added",
            (_TAKEN, series),
        ).fetchone()
        taken += [Rebuild(*row)] if row else []
    return taken


def finish_rebuild(connection: apsw.Connection, done: Rebuild) -> bool:
    """Take a series off the list; return whether it was there, and without a later import."""
    connection.execute(
        "DELETE FROM rebuilds WHERE series = ? AND requested = ?", (done.series, _TAKEN)
    )
    return bool(connection.changes())


def write_rebuilt_anomalies(connection: apsw.Connection, anomalies: Iterable[Anomaly]) -> int:
    """Store anomalies that history has brought to light; return how many.

    Those stay that were told already: what overlaps one of the same metric is left out.
    """
    fresh = [
        found
        for found in anomalies
        if connection.execute(
            "SELECT 1 FROM stretches WHERE series = ?1 AND started <= ?3"
            " AND (ended IS NULL OR ended >= ?2) AND kind NOT IN ('stopped', 'resumed')",
            (found.slot, found.started, LATEST if found.ended is None else found.ended),
        ).fetchone()
        is None
    ]
    write_anomalies(connection, fresh)
    return len(fresh)


def read_lasting(reader: apsw.Connection, series: int) -> Lasting | None:
    """Return the anomaly of a series that lasts by what is stored, None where none does."""
    row: Any = reader.execute(
        "SELECT started, history, went_on FROM stretches WHERE series = ? AND ended IS NULL"
        " AND kind NOT IN ('stopped', 'resumed') ORDER BY started DESC",
        (series,),
    ).fetchone()
    return None if row is None else Lasting(row[0], bool(row[1]), row[2])


def end_lasting(connection: apsw.Connection, series: int, ended: int) -> None:
    """End what lasts of a series by what is stored at `ended` (Unix s)."""
    connection.execute(
        "UPDATE stretches SET ended = max(started, ?2) WHERE series = ?1 AND ended IS NULL"
        " AND kind NOT IN ('stopped', 'resumed')",
        (series, ended),
    )
