"""Every series by name, in memory: what an element's name means to the key that sent it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apsw
import numpy as np
import numpy.typing as npt

from fluxd.core.errors import UnavailableError
from fluxd.core.keys import Key
from fluxd.core.names import MAX_SENT, stored_name
from fluxd.store.places import MAX_SERIES
from fluxd.store.series import Arrival, deleted_ids, series_version, top_id, write_arrivals

_NONE, _LIVE, _RETIRED = 0, 1, 2


class Catalog:
    """Names and ids of all series; the writer's thread alone changes it.

    A live series is known to those who send. A retired one keeps its name and id, but whoever sends
    it again needs a place in a quota. A deleted one is gone; `release` gives its id back.

    Readers take no lock: a name is added to the maps only when all else about it is in place, and
    to `_ids` before the views, so that a view made meanwhile has it too; it leaves in that order.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._long: dict[str, int] = {}  # the same of names that nobody may send as they are stored
        self._retired: dict[str, int] = {}
        self._names: list[str] = [""]  # by id; ids begin at 1
        self._keys: list[int] = [0]  # by id
        self._fates = bytearray(1)  # by id
        self._owned: dict[int, int] = {}
        self._free: list[int] = []  # descending: the smallest is taken first
        self._views: dict[str, dict[str, int]] = {}
        self._removals = 0
        self._version = ""

    def load(self, connection: apsw.Connection) -> None:
        """Take all series from the table."""
        self._version = series_version(connection)
        self._extend(top_id(connection) + 1)
        self._take_from(connection, 1)
        self._drop_deleted(connection)
        taken = self._fates
        gone = deleted_ids(connection)
        self._free = [
            series
            for series in range(self.next_id - 1, 0, -1)
            if taken[series] == _NONE and series not in gone
        ]

    def refresh(self, connection: apsw.Connection) -> None:
        """Take over what other processes have changed: they create and delete series."""
        version = series_version(connection)
        if version == self._version:
            return
        first = self.next_id
        self._drop_deleted(connection)  # first: the name of one may be another's by now
        self._take_from(connection, first)
        self._version = version

    def _take_from(self, connection: apsw.Connection, first: int) -> None:
        rows = connection.execute(
            "SELECT id, name, key, retired FROM series WHERE id >= ? AND deleted IS NULL", (first,)
        )
        retired: list[Arrival] = []
        self.add(_live(rows, retired))
        for series, name, key, _ in retired:
            self._extend(series + 1)
            self._names[series], self._keys[series] = name, key
            self._fates[series] = _RETIRED
            self._retired[name] = series

    def _drop_deleted(self, connection: apsw.Connection) -> None:
        gone = deleted_ids(connection)
        self._extend(max(gone, default=0) + 1)
        self.drop(gone)

    # ---- what senders and readers ask

    def known(self, key: Key) -> Mapping[str, int]:
        """Return ids by the names that a sender with this key uses."""
        if key.prefix is None:
            return self._ids
        view = self._views.get(key.prefix)
        return self._make_view(key.prefix) if view is None else view

    def _make_view(self, prefix: str) -> dict[str, int]:
        while True:
            removals = self._removals
            view = self._views[prefix] = {}
            for name, series in [*self._ids.items(), *self._long.items()]:
                for sent in _sent_names(prefix, name):
                    view[sent] = series
            if removals == self._removals:  # else one that has left meanwhile may be in it
                return view

    def id_of(self, name: str) -> int | None:
        """Return the id of the series stored under `name`, live or retired."""
        found = self._by_length(name).get(name)
        return self._retired.get(name) if found is None else found

    def name_of(self, series: int) -> str:
        """Return the name under which a series is stored."""
        return self._names[series]

    def is_known(self, name: str) -> bool:
        """Whether a live series is stored under `name`."""
        return name in self._by_length(name)

    def is_live(self, series: int) -> bool:
        """Whether a series is neither retired nor deleted; any number may be asked for."""
        return series < len(self._fates) and self._fates[series] == _LIVE

    def is_retired(self, series: int) -> bool:
        """Whether a series is retired."""
        return series < len(self._fates) and self._fates[series] == _RETIRED

    def key_of(self, series: int) -> int:
        """Return the id of the key that created a series, or brought it back."""
        return self._keys[series]

    def live_ids(self, key_id: int) -> npt.NDArray[np.int64]:
        """Return the ids of the live series that belong to a key; 50 ms of a million series."""
        keys = np.array(self._keys, np.int64)
        fates = self._fates_now()[: len(keys)]
        return np.flatnonzero((fates == _LIVE) & (keys[: len(fates)] == key_id))

    def live_among(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Say of each id whether it is that of a live series."""
        fates = self._fates_now()
        live: npt.NDArray[np.bool_] = fates[np.minimum(ids, len(fates) - 1)] == _LIVE
        return live & (ids < len(fates))

    def _fates_now(self) -> npt.NDArray[np.uint8]:
        return np.frombuffer(
            bytes(self._fates), np.uint8
        )  # a copy: a view would keep it from growing

    def retired_ids(self) -> list[int]:
        """Return the ids of the retired series."""
        return list(self._retired.values())

    def owned(self, key_id: int) -> int:
        """Return how many metrics count against a key's quota: the live ones that it created."""
        return self._owned.get(key_id, 0)

    @property
    def next_id(self) -> int:
        """The id that the next new series gets when no free one is left; all ids are smaller."""
        return len(self._names)

    def __len__(self) -> int:
        return len(self._ids) + len(self._long)

    # ---- changes; each is to be told once it is in the table

    def add(self, arrivals: Iterable[Arrival]) -> None:
        """Add series that were created or came back: (id, stored name, key id, time)."""
        for series, name, key, _ in arrivals:
            if series >= len(self._names):
                self._extend(series + 1)
            if self._free and self._free[-1] == series:
                self._free.pop()
            self._names[series] = name
            self._keys[series] = key
            self._fates[series] = _LIVE
            self._owned[key] = self._owned.get(key, 0) + 1
            self._by_length(name)[name] = series
            if self._retired:
                self._retired.pop(name, None)
            if self._views:
                for prefix, view in list(self._views.items()):
                    for sent in _sent_names(prefix, name):
                        view[sent] = series

    def retire(self, ids: Iterable[int]) -> None:
        """Take live series out of what senders know, and free their places in the quota."""
        for series in ids:
            if self.is_live(series):
                self._retired[self._names[series]] = series
                self._fates[series] = _RETIRED
                self._remove(series)

    def drop(self, ids: Iterable[int]) -> None:
        """Forget the names of deleted series."""
        for series in ids:
            if self.is_live(series):
                self._remove(series)
            self._retired.pop(self._names[series], None)
            self._fates[series] = _NONE
            self._names[series] = ""

    def release(self, ids: Iterable[int]) -> None:
        """Give ids back, of which the store has nothing any more."""
        self._free = sorted({*self._free, *ids}, reverse=True)

    def free_id(self, ahead: int = 0) -> int:
        """Return the id that a new series gets when `ahead` others have got theirs before it."""
        free = len(self._free) - ahead
        return self._free[free - 1] if free > 0 else self.next_id - free

    def _remove(self, series: int) -> None:
        name = self._names[series]
        del self._by_length(name)[name]
        self._owned[self._keys[series]] -= 1
        self._removals += 1
        for prefix, view in list(self._views.items()):
            for sent in _sent_names(prefix, name):
                view.pop(sent, None)

    def _extend(self, count: int) -> None:
        missing = count - len(self._names)
        if missing > 0:
            self._keys.extend([0] * missing)
            self._fates.extend(bytes(missing))
            self._names.extend([""] * missing)

    def _by_length(self, name: str) -> dict[str, int]:
        return self._ids if len(name) <= MAX_SENT else self._long


class Arrivals:
    """The metrics that one commit creates or brings back; the catalog gets them once it is made."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rows: dict[str, Arrival] = {}
        self._owned: Counter[int] = Counter()
        self._new = 0  # of them were not retired

    def __len__(self) -> int:
        return len(self._rows)

    def wanted(self, names: Iterable[str], key: Key) -> int:
        """Return how many more there would be with these stored names, as far as the quota goes."""
        new = {
            name for name in names if name not in self._rows and not self._catalog.is_known(name)
        }
        if key.quota is None:
            return len(new)
        return max(0, min(len(new), key.quota - self._held(key)))

    def id_for(self, name: str, key: Key, now: int) -> int | None:
        """Return the id for a stored name, a new one if need be, None where the quota is full.

        Raises UnavailableError where there are no more ids.
        """
        if name in self._rows:
            return self._rows[name][0]
        series = self._catalog.id_of(name)
        if self._catalog.is_known(name):
            return series
        if key.quota is not None and self._held(key) >= key.quota:
            return None
        if series is None:
            series = self._catalog.free_id(self._new)
            if series > MAX_SERIES:
                raise UnavailableError(f"the store holds its {MAX_SERIES:,} metrics")
            self._new += 1
        self._rows[name] = (series, name, key.id, now)
        self._owned[key.id] += 1
        return series

    def _held(self, key: Key) -> int:
        return self._catalog.owned(key.id) + self._owned[key.id]

    def write(self, connection: apsw.Connection) -> None:
        """Write them to the table, in the commit's transaction."""
        write_arrivals(connection, self._rows.values())

    def rows(self) -> list[Arrival]:
        """Return them for `Catalog.add`."""
        return list(self._rows.values())


def _live(rows: Iterable[Any], retired: list[Arrival]) -> Iterator[Arrival]:
    """Yield the live ones of the table's rows, and put the others into `retired`."""
    for series, name, key, since in rows:
        if since is None:
            yield series, name, key, 0
        else:
            retired.append((series, name, key, 0))


def _sent_names(prefix: str, name: str) -> list[str]:
    """Return the names that a sender with `prefix` may use for the series stored as `name`."""
    short = name.removeprefix(f"{prefix}.")
    return [
        sent
        for sent in {name, short}
        if len(sent) <= MAX_SENT and stored_name(prefix, sent) == name
    ]
