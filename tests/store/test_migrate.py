import shutil
import sqlite3
from pathlib import Path

import pytest
from store.killing import killed_before_each
from store.posting import NOW, Stored, opened, post, stored

import fluxd
from fluxd.core.errors import StoreError
from fluxd.daemon.offline import open_offline
from fluxd.store import copying, migrate, open_store
from fluxd.store.connection import FILE_NAME, open_writer, transaction
from fluxd.store.keys import list_keys

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


def oldest_store(path: Path, rows: int = 500) -> Stored:
    """Make a store of schema 1, as kill -9 leaves one; return its datapoints."""
    connection = open_writer(path, create=True)
    with transaction(connection):
        connection.execute(STEPS[1])
        connection.pragma("user_version", 1)
        connection.execute("INSERT INTO meta VALUES ('written_by', '0.1.0')")
        connection.execute("INSERT INTO keys VALUES (1, 'k', 's', NULL, NULL, 'ingest', 1, NULL)")
        for series, name in enumerate("ab", start=1):
            connection.execute("INSERT INTO series VALUES (?, ?, 1, 1)", (series, name))
        places = [(NOW + 60 * n) << 29 | 1 + n % 2 for n in range(rows)]
        connection.executemany(
            "INSERT INTO recent VALUES (?, ?, ?, 0)",
            [(place, n / 7, n // 9) for n, place in enumerate(places)],
        )
        connection.execute("UPDATE recent SET value = -1 WHERE place = ?", (places[5],))
    files = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    connection.close()
    for name, content in files.items():
        if not name.endswith("-shm"):
            (path.parent / name).write_bytes(content)
    return {("ab"[n % 2], NOW + 60 * n): -1.0 if n == 5 else n / 7 for n in range(rows)}


def test_every_datapoint_of_the_first_schema_is_kept(folder: Path) -> None:
    path = folder / FILE_NAME
    expected = oldest_store(path)
    with opened(path) as store:
        assert stored(store) == expected
        with store.read() as reader:
            view = reader.execute("SELECT metric, timestamp, value FROM datapoints").fetchall()
            first = reader.execute("SELECT value, seq FROM overwritten").fetchall()
    assert {(name, timestamp): value for name, timestamp, value in view} == expected
    assert first == [(5 / 7, 0)]
    copy = folder / f"{FILE_NAME}.before-{NEWEST}"
    assert version_of(copy) == 1
    assert copy.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM recent").fetchone() == (len(expected),)
    connection.close()
    with opened(copy) as store:
        assert stored(store) == expected


def test_anomalies_of_the_second_schema_are_kept_as_normal_ones(folder: Path) -> None:
    path = folder / FILE_NAME
    connection = open_writer(path, create=True)
    with transaction(connection):
        for number in (1, 2):
            connection.execute(STEPS[number]).fetchall()
        connection.pragma("user_version", 2)
        connection.execute("INSERT INTO keys VALUES (1, 'k', 's', NULL, NULL, 'ingest', 1, NULL)")
        connection.execute("INSERT INTO series (id, name, key, created) VALUES (1, 'a', 1, 1)")
        connection.executemany(
            "INSERT INTO stretches VALUES"
            " (?, 1, ?, NULL, 5, 9.5, 1.0, 0.5, 1.5, 0.4, 'up', 'spike', 'why', '{}', 0)",
            [(7, NOW), (9, NOW + 60)],
        )
    connection.close()
    with opened(path) as store, store.read() as reader:
        rows = reader.execute("SELECT * FROM anomalies ORDER BY id").fetchall()
        plan = reader.execute("PRAGMA index_list(stretches)").fetchall()
    told = (None, 5, 9.5, 1.0, 0.5, 1.5, 0.4, "up", "spike", "why", "normal")
    assert rows == [(7, "a", NOW, *told), (9, "a", NOW + 60, *told)]
    names = {row[1] for row in plan}
    assert {"stretches_by_time", "stretches_by_series", "stretches_without_before"} <= names


def test_incidents_of_the_fifth_schema_keep_their_anomalies(folder: Path) -> None:
    path = folder / FILE_NAME
    connection = open_writer(path, create=True)
    with transaction(connection):
        for number in range(1, 6):
            connection.execute(STEPS[number]).fetchall()
        connection.pragma("user_version", 5)
        connection.execute(
            "INSERT INTO keys (id, name, secret, scope, created) VALUES (1, 'k', 's', 'ingest', 1)"
        )
        connection.execute("INSERT INTO series (id, name, key, created) VALUES (1, 'a', 1, 1)")
        connection.execute(
            "INSERT INTO stretches VALUES"
            " (7, 1, 5, 6, 5, 1, 1, 1, 1, .5, 'up', 'spike', '', '{}', 0, 'normal', NULL)"
        )
        connection.execute("INSERT INTO incident_members VALUES (7, 3, 1, 'muted')")
    connection.close()
    with opened(path) as store:
        with store.read() as reader:
            members = reader.execute("SELECT * FROM incident_members").fetchall()
            queued = reader.execute("SELECT anomaly, went_on FROM incident_queue").fetchall()
        assert members == [(7, 3, 1, "muted", None, None)]
        assert queued == [(7, None)]
        store.writer.run(lambda writer: writer.execute("DELETE FROM stretches"))
        with store.read() as reader:
            assert reader.execute("SELECT * FROM incident_members").fetchall() == []
            rest = reader.execute("SELECT anomaly, incident FROM incident_queue").fetchall()
        assert rest == [(7, None), (7, 3)]


def test_after_the_migration_the_last_write_stands(folder: Path) -> None:
    path = folder / FILE_NAME
    expected = oldest_store(path)
    with opened(path) as store:
        post(store, [("a", NOW, 9.0), ("c", NOW, 1.0)])
        assert stored(store) == expected | {("a", NOW): 9.0, ("c", NOW): 1.0}


def test_an_older_store_is_left_to_the_daemon(folder: Path) -> None:
    oldest_store(folder / FILE_NAME)
    told = pytest.raises(StoreError, match=r"has schema 1, written by fluxd 0\.1\.0: start this")
    with told, open_offline(folder, write=True):
        pass
    with open_offline(folder) as reader:
        assert len(list_keys(reader)) == 1


def test_killed_at_any_moment_the_store_opens_and_migrates(folder: Path, tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.mkdir()
    expected = oldest_store(original / FILE_NAME, rows=40)
    copy = folder / f"{FILE_NAME}.before-{NEWEST}"
    shutil.copytree(original, folder, dirs_exist_ok=True)
    kept = 0
    for _ in killed_before_each(lambda: open_store(folder / FILE_NAME).close()):
        if copy.exists():
            kept += 1
            assert version_of(copy) == 1
        with opened(folder / FILE_NAME) as store:
            assert stored(store) == expected
        with opened(copy) as store:
            assert stored(store) == expected
        assert not list(folder.glob("*.partial"))
        shutil.rmtree(folder)
        shutil.copytree(original, folder)
    assert kept > 10


def test_a_copy_is_made_anew_only_if_the_store_was_written_since(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that fails at every start is started every five seconds."""
    path, copy = folder / FILE_NAME, folder / f"{FILE_NAME}.before-{NEWEST + 1}"
    with opened(path) as store:
        post(store, [("a", NOW, 1.0)])
    broken = STEPS | {NEWEST + 1: "SELECT * FROM absent"}
    monkeypatch.setattr(migrate, "migrations", lambda: broken)
    inodes = []
    for value in (1.0, 1.0, 2.0, 2.0):
        with monkeypatch.context() as patch:
            patch.setattr(migrate, "migrations", lambda: STEPS)
            if value == 2.0 and len(inodes) == 2:
                with opened(path) as store:
                    post(store, [("a", NOW, value)])
        with pytest.raises(StoreError, match="no such table"):
            open_store(path)
        inodes.append(copy.stat().st_ino)
        monkeypatch.setattr(migrate, "migrations", lambda: broken)
    assert inodes[0] == inodes[1]
    assert inodes[2] == inodes[3]
    monkeypatch.setattr(migrate, "migrations", lambda: STEPS)
    with opened(copy) as store:
        assert stored(store) == {("a", NOW): 2.0}


def test_a_copy_of_the_store_before_a_migration_that_was_cut_short_stays(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / FILE_NAME
    with opened(path):
        pass
    steps = STEPS | {NEWEST + 1: "CREATE TABLE more (x)", NEWEST + 2: "SELECT * FROM absent"}
    monkeypatch.setattr(migrate, "migrations", lambda: steps)
    for _ in range(2):
        with pytest.raises(StoreError, match="no such table"):
            open_store(path)
    copy = folder / f"{FILE_NAME}.before-{NEWEST + 2}"
    assert version_of(copy) == NEWEST
    assert version_of(copy.with_name(f"{copy.name}-from-{NEWEST + 1}")) == NEWEST + 1
    (folder / f"{FILE_NAME}.before-{NEWEST + 2}").write_bytes(b"what a bad disk made of it" * 99)
    with pytest.raises(StoreError, match="no such table"):
        open_store(path)
    assert version_of(copy) == NEWEST + 1


def test_without_room_for_the_copy_nothing_is_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / FILE_NAME
    expected = oldest_store(path)
    with monkeypatch.context() as patch:
        patch.setattr(copying, "SPARE_BYTES", 1 << 60)
        with pytest.raises(StoreError, match=r"a copy before the migration needs .* free"):
            open_store(path)
    assert version_of(path) == 1
    assert [file.name for file in folder.glob("*before*")] == []
    with opened(path) as store:
        assert stored(store) == expected


def test_without_room_for_the_change_the_store_stays_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / FILE_NAME
    expected = oldest_store(path)
    large = "CREATE TABLE large (x); INSERT INTO large VALUES (zeroblob(1000000))"
    step = f"{STEPS[2]}; PRAGMA max_page_count = 1; {large}"
    monkeypatch.setattr(migrate, "migrations", lambda: STEPS | {2: step})
    with pytest.raises(StoreError, match=r"the disk is full: bringing .* to schema 2"):
        open_store(path)
    monkeypatch.undo()
    assert version_of(path) == 1
    with opened(path) as store:
        assert stored(store) == expected
