"""The catalog against a list of what is stored, looked through from end to end."""

from pathlib import Path

import apsw
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store.posting import NOW, fresh_store, new_key, opened, post, stored

from fluxd.core.errors import UnavailableError
from fluxd.core.keys import Key
from fluxd.core.names import name_fault, stored_name
from fluxd.store import Store
from fluxd.store import catalog as catalog_module
from fluxd.store.catalog import Arrivals, Catalog
from fluxd.store.connection import FILE_NAME, open_writer, transaction
from fluxd.store.series import create_series, delete_series, remove_series, retire_series

parts = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map(".".join)
names = parts | parts.map(lambda name: f"{name}.{'x' * 250}") | parts.map(lambda n: n + "y" * 253)
prefixes = st.none() | parts
picks = st.integers(0, 30)
steps = st.lists(
    st.tuples(st.just("add"), prefixes, names)
    | st.tuples(st.just("look"), prefixes, names)
    | st.tuples(st.sampled_from(["retire", "drop", "release"]), prefixes, picks),
    max_size=30,
)


def known_naively(live: dict[str, int], prefix: str | None) -> dict[str, int]:
    """Try every name that could be meant: each stored one, and each of its ends."""
    known = {}
    for name, series in live.items():
        for start in range(len(name)):
            sent = name[start:]
            if name_fault(sent, prefix) is None and stored_name(prefix, sent) == name:
                known[sent] = series
    return known


class Naive:
    """What the catalog should know."""

    def __init__(self) -> None:
        self.live: dict[str, int] = {}
        self.retired: dict[str, int] = {}
        self.deleted: list[int] = []
        self.free: set[int] = set()
        self.top = 0

    def next_id(self) -> int:
        return min(self.free, default=self.top + 1)

    def add(self, name: str) -> int:
        series = self.retired.pop(name, None) or self.next_id()
        self.free.discard(series)
        self.top = max(self.top, series)
        self.live[name] = series
        return series


@given(steps)
def test_a_key_knows_the_metrics_that_it_can_name(
    steps: list[tuple[str, str | None, str | int]],
) -> None:
    catalog, naive = Catalog(), Naive()
    for what, prefix, subject in steps:
        if isinstance(subject, int):
            change(catalog, naive, what, subject)
        elif what == "add" and name_fault(subject, prefix) is None:
            full = stored_name(prefix, subject)
            arrivals = Arrivals(catalog)
            series = arrivals.id_for(full, Key(1, "k"), NOW)
            if full not in naive.live:
                assert series == naive.add(full)
            assert series == naive.live[full]
            catalog.add(arrivals.rows())
        assert catalog.known(Key(1, "k", prefix)) == known_naively(naive.live, prefix)
    assert len(catalog) == len(naive.live) == catalog.owned(1)
    for name, series in {**naive.live, **naive.retired}.items():
        assert (catalog.id_of(name), catalog.name_of(series)) == (series, name)
        assert catalog.is_live(series) == (name in naive.live) != catalog.is_retired(series)
    assert sorted(catalog.retired_ids()) == sorted(naive.retired.values())
    assert not any(map(catalog.is_live, naive.deleted))
    assert (catalog.next_id, catalog.free_id()) == (naive.top + 1, naive.next_id())


def change(catalog: Catalog, naive: Naive, what: str, pick: int) -> None:
    """Have one of the series retired, deleted, or its id given back."""
    if what == "release":
        if naive.deleted:
            series = naive.deleted.pop(pick % len(naive.deleted))
            catalog.release([series])
            naive.free.add(series)
        return
    pool = {**naive.live, **(naive.retired if what == "drop" else {})}
    if pool:
        name = sorted(pool)[pick % len(pool)]
        (catalog.retire if what == "retire" else catalog.drop)([pool[name]])
        del (naive.live if name in naive.live else naive.retired)[name]
        if what == "retire":
            naive.retired[name] = pool[name]
        else:
            naive.deleted.append(pool[name])


def test_a_name_too_long_to_be_sent_is_not_known_by_it() -> None:
    catalog = Catalog()
    stored = stored_name("pre", "n" * 255)
    catalog.add([(1, stored, 1, 0)])
    assert catalog.id_of(stored) == 1
    assert catalog.known(Key(1, "k")) == {}
    assert catalog.known(Key(2, "p", "pre")) == {"n" * 255: 1}


def test_a_view_made_while_a_metric_leaves_does_not_have_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog = Catalog()
    catalog.add([(1, "p.a", 1, 0), (2, "p.b", 1, 0)])
    real = catalog_module._sent_names

    def leave_meanwhile(prefix: str, name: str) -> list[str]:
        monkeypatch.setattr(catalog_module, "_sent_names", real)
        catalog.retire([1])
        return real(prefix, name)

    monkeypatch.setattr(catalog_module, "_sent_names", leave_meanwhile)
    assert catalog.known(Key(1, "k", "p")) == {"b": 2, "p.b": 2}
    assert catalog.known(Key(1, "k", "p")) == {"b": 2, "p.b": 2}


def test_those_that_arrive_together_share_the_quota() -> None:
    catalog = Catalog()
    catalog.add([(1, "gone", 1, 0), (2, "there", 1, 0)])
    catalog.retire([1])
    arrivals, key = Arrivals(catalog), Key(1, "k", quota=4)
    names = ["a", "a", "gone", "there", "b", "c"]
    assert arrivals.wanted(names, key) == 3
    assert arrivals.wanted(names, Key(1, "k")) == 4
    assert [arrivals.id_for(name, key, NOW) for name in names] == [3, 3, 1, 2, 4, None]
    assert (arrivals.wanted(names, key), arrivals.wanted(names, Key(1, "k"))) == (0, 1)
    assert arrivals.wanted(names, Key(1, "k", quota=0)) == 0
    assert [row[0] for row in arrivals.rows()] == [3, 1, 4]
    assert len(arrivals) == 3


def test_there_are_no_ids_beyond_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_module, "MAX_SERIES", 1)
    arrivals = Arrivals(Catalog())
    assert arrivals.id_for("a", Key(1, "k"), NOW) == 1
    with pytest.raises(UnavailableError):
        arrivals.id_for("b", Key(1, "k"), NOW)


def facts(catalog: Catalog) -> tuple[object, ...]:
    """Return all that a catalog says."""
    return (
        dict(catalog.known(Key(1, "agent"))),
        dict(catalog.known(Key(1, "agent", "p"))),
        {name: catalog.id_of(name) for name in ("a", "b", "c", "d", "p.e")},
        sorted(catalog.retired_ids()),
        [catalog.owned(key) for key in range(4)],
        catalog.next_id,
        [catalog.free_id(ahead) for ahead in range(3)],
        len(catalog),
    )


actions = st.lists(
    st.tuples(
        st.sampled_from(["create", "delete", "retire", "revive", "purge"]),
        st.sampled_from(["a", "b", "c", "d", "p.e"]),
    ),
    max_size=12,
)


@given(actions, st.integers(1, 4))
@settings(max_examples=60, deadline=None)
@example([("create", "a"), ("delete", "a"), ("create", "a")], 2)
def test_a_catalog_that_follows_is_the_one_that_is_loaded(
    actions: list[tuple[str, str]], every: int
) -> None:
    with fresh_store() as store:
        connection = store.writer._connection
        for number, (what, name) in enumerate(actions):
            act(store, connection, what, name)
            if number % every == 0:
                store.catalog.refresh(connection)
        store.catalog.refresh(connection)
        loaded = Catalog()
        loaded.load(connection)
        assert facts(loaded) == facts(store.catalog)


def act(store: Store, connection: apsw.Connection, what: str, name: str) -> None:
    """Do what another process (create, delete) or the daemon (the others) does."""
    series = store.catalog.id_of(name)
    there = connection.execute(
        "SELECT id FROM series WHERE name = ? AND deleted IS NULL", (name,)
    ).fetchone()
    with transaction(connection):
        if what == "create" and not there:
            create_series(connection, name, now=NOW)
        elif what == "delete" and there:
            delete_series(connection, name, now=NOW)
        elif what == "purge":
            gone = [row[0] for row in connection.execute("SELECT id FROM series WHERE name < '$'")]
            store.catalog.refresh(connection)
            remove_series(connection, gone)
            store.catalog.release(gone)
        elif series is not None and there and what == "retire":
            retire_series(connection, [series], now=NOW)
            store.catalog.retire([series])
        elif series is not None and there and what == "revive":
            arrivals = Arrivals(store.catalog)
            arrivals.id_for(name, Key(1, "agent"), NOW)
            arrivals.write(connection)
            store.catalog.add(arrivals.rows())


def test_another_process_is_followed_by_the_writer(folder: Path) -> None:
    with opened(folder / FILE_NAME) as store:
        post(store, [("a", NOW, 1.0)])
        other = open_writer(folder / FILE_NAME)
        with transaction(other):
            delete_series(other, "a", now=NOW)
            assert create_series(other, "b", now=NOW) == 2
        other.close()
        assert post(store, [("b", NOW, 2.0), ("c", NOW, 3.0)]) == []
        assert stored(store) == {("b", NOW): 2.0, ("c", NOW): 3.0}
        assert store.catalog.id_of("a") is None
        assert (store.catalog.id_of("b"), store.catalog.id_of("c")) == (2, 3)


def test_a_retired_metric_comes_back_under_its_id_if_there_is_room(store: Store) -> None:
    small = new_key(store, "small", quota=1)
    post(store, [("a", NOW, 1.0), ("b", NOW, 1.0)])

    def retire(connection: apsw.Connection) -> None:
        retire_series(connection, [1], now=NOW)
        store.catalog.retire([1])

    store.writer.run(retire)
    assert store.catalog.owned(1) == 1
    assert post(store, [("c", NOW, 1.0), ("a", NOW + 60, 2.0)], key=small) == [1]
    assert store.catalog.is_retired(1)
    assert post(store, [("a", NOW + 60, 2.0)]) == []
    assert store.catalog.id_of("a") == 1
    with store.read() as reader:
        row = reader.execute("SELECT retired, key FROM series WHERE id = 1").fetchone()
    assert row == (None, 1)
