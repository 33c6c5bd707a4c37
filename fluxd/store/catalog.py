"""Every series by name, in memory: what an element's name means to the key that sent it."""

from collections.abc import Iterable, Mapping

import apsw

from fluxd.core.keys import Key
from fluxd.core.names import MAX_SENT, stored_name


class Catalog:
    """Names and ids of all series; the writer alone changes it, after each commit.

    Readers take no lock: a name is added to the maps only when all else about it is in place, and
    to `_ids` before the views, so that a view made meanwhile has it too.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._long: dict[str, int] = {}  # the same of names that nobody may send as they are stored
        self._names: list[str] = [""]  # by id; ids begin at 1
        self._owned: dict[int, int] = {}
        self._views: dict[str, dict[str, int]] = {}

    def load(self, connection: apsw.Connection) -> None:
        """Take all series from the table."""
        for series, name, key in connection.execute("SELECT id, name, key FROM series ORDER BY id"):
            self._names.extend([""] * (series - len(self._names)))
            self._names.append(name)
            self._by_length(name)[name] = series
            self._owned[key] = self._owned.get(key, 0) + 1

    def known(self, key: Key) -> Mapping[str, int]:
        """Return ids by the names that a sender with this key uses."""
        if key.prefix is None:
            return self._ids
        view = self._views.get(key.prefix)
        if view is None:
            view = self._views[key.prefix] = {}
            for name, series in [*self._ids.items(), *self._long.items()]:
                _add_to_view(view, key.prefix, name, series)
        return view

    def id_of(self, name: str) -> int | None:
        """Return the id of the series stored under `name`."""
        return self._by_length(name).get(name)

    def name_of(self, series: int) -> str:
        """Return the name under which a series is stored."""
        return self._names[series]

    def owned(self, key_id: int) -> int:
        """Return how many metrics a key has created: what counts against its quota."""
        return self._owned.get(key_id, 0)

    @property
    def next_id(self) -> int:
        """The id that the next new series gets."""
        return len(self._names)

    def __len__(self) -> int:
        return len(self._ids) + len(self._long)

    def add(self, created: Iterable[tuple[int, str, int, int]]) -> None:
        """Add committed series: (id, stored name, key id, time), ids ascending from `next_id`."""
        for series, name, key, _ in created:
            self._names.append(name)
            self._owned[key] = self._owned.get(key, 0) + 1
            self._by_length(name)[name] = series
            for prefix, view in list(self._views.items()):
                _add_to_view(view, prefix, name, series)

    def _by_length(self, name: str) -> dict[str, int]:
        return self._ids if len(name) <= MAX_SENT else self._long


def _add_to_view(view: dict[str, int], prefix: str, name: str, series: int) -> None:
    """Add a series under each name that a sender with `prefix` may use for it."""
    short = name.removeprefix(f"{prefix}.")
    for sent in {name, short}:
        if len(sent) <= MAX_SENT and stored_name(prefix, sent) == name:
            view[sent] = series
