import sqlite3
from pathlib import Path

import pytest
from store.posting import NOW, opened, post, stored

import fluxd
from fluxd.core.errors import StoreError
from fluxd.store import migrate, open_store
from fluxd.store.connection import FILE_NAME

STEPS = migrate.migrations()
NEWEST = max(STEPS)


def version_of(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.close()
    return int(version)


def test_migrations_are_numbered_without_a_gap() -> None:
    assert list(STEPS) == list(range(1, NEWEST + 1))


def test_a_new_store_has_the_newest_schema_and_no_copy(folder: Path) -> None:
    for _ in range(2):
        with opened(folder / FILE_NAME) as store, store.read() as reader:
            assert reader.pragma("user_version") == NEWEST
            assert reader.pragma("journal_mode") == "wal"
            assert reader.pragma("auto_vacuum") == 2
    assert [file.name for file in folder.iterdir()] == [FILE_NAME]


def test_an_older_store_is_copied_and_brought_up_to_date(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / FILE_NAME
    with opened(path) as store:
        post(store, [("a", NOW, 1.0)])
    steps = STEPS | {
        NEWEST + 1: "CREATE TABLE more (x) STRICT".replace(" STRICT", ""),
        NEWEST + 2: "INSERT INTO more VALUES (1); INSERT INTO more VALUES (2)",
    }
    monkeypatch.setattr(migrate, "migrations", lambda: steps)
    with opened(path) as store, store.read() as reader:
        assert reader.pragma("user_version") == NEWEST + 2
        assert reader.execute("SELECT x FROM more").fetchall() == [(1,), (2,)]
        post(store, [("b", NOW, 2.0)])
        assert stored(store) == {("a", NOW): 1.0, ("b", NOW): 2.0}
    monkeypatch.undo()
    copy = folder / f"{FILE_NAME}.before-{NEWEST + 2}"
    assert version_of(copy) == NEWEST
    with opened(copy) as store:
        assert stored(store) == {("a", NOW): 1.0}


def test_a_step_that_fails_leaves_the_schema_before_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / FILE_NAME
    with opened(path) as store:
        post(store, [("a", NOW, 1.0)])
    steps = STEPS | {
        NEWEST + 1: "CREATE TABLE more (x)",
        NEWEST + 2: "CREATE TABLE yet_more (x); SELECT * FROM absent",
    }
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "migrations", lambda: steps)
        for _ in range(2):
            with pytest.raises(StoreError, match="no such table: absent"):
                open_store(path)
            assert version_of(path) == NEWEST + 1
        steps[NEWEST + 2] = "CREATE TABLE yet_more (x)"
        with opened(path) as store:
            assert stored(store) == {("a", NOW): 1.0}


def test_a_newer_store_is_refused_with_the_version_that_wrote_it(folder: Path) -> None:
    path = folder / FILE_NAME
    with opened(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
        connection.execute("UPDATE meta SET value = '99.1.2' WHERE name = 'written_by'")
    connection.close()
    with pytest.raises(StoreError, match=r"written by fluxd 99\.1\.2") as refusal:
        open_store(path)
    assert fluxd.__version__ in str(refusal.value)
    assert version_of(path) == NEWEST + 1
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE meta")
    connection.close()
    with pytest.raises(StoreError, match="unknown version"):
        open_store(path)
