"""A backup in the place of a store: never a mix of both, and the earlier one is kept."""

import errno
import os
import shutil
from pathlib import Path

import apsw
import pytest
from store.killing import killed_before_each, make_store, marks

from fluxd.core.errors import StoreError
from fluxd.store import restore as module
from fluxd.store.backup import open_backup
from fluxd.store.connection import FILE_NAME, open_reader, open_writer
from fluxd.store.copying import Partial
from fluxd.store.restore import restore

OLD, NEW = ["old", "old"], ["new", "new"]


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Make a store to restore, as one file without a log."""
    path = make_store(tmp_path / "elsewhere", "new")
    with open_backup(path) as source, Partial(tmp_path / "backup.db") as partial:
        partial.fill(source)
        partial.publish()
    return tmp_path / "backup.db"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_store(tmp_path / "data", "old")
    return tmp_path / "data"


def put_back(backup: Path, data: Path) -> Path | None:
    with open_backup(backup) as source:
        return restore(source, data / FILE_NAME)


def names(data: Path) -> set[str]:
    return {file.name for file in data.iterdir()}


def test_the_earlier_store_is_kept_with_what_was_in_its_log(backup: Path, data: Path) -> None:
    kept = put_back(backup, data)
    assert kept == data / f"{FILE_NAME}.before-restore"
    assert names(data) == {FILE_NAME, kept.name}
    assert (marks(data / FILE_NAME), marks(kept)) == (NEW, OLD)
    assert (data / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_stores_kept_earlier_stay(backup: Path, data: Path) -> None:
    kept = [put_back(backup, data) for _ in range(3)]
    assert [path and path.name for path in kept] == [
        f"{FILE_NAME}.before-restore{number}" for number in ("", "-2", "-3")
    ]
    assert kept[0] is not None
    assert marks(kept[0]) == OLD


def test_an_empty_directory_can_be_restored_to(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / f"{FILE_NAME}-wal").write_bytes(b"of a store that is gone")
    assert put_back(backup, tmp_path / "empty") is None
    assert names(tmp_path / "empty") == {FILE_NAME}
    assert marks(tmp_path / "empty" / FILE_NAME) == NEW


def test_killed_at_any_moment_there_is_the_old_store_or_the_new_one(
    backup: Path, data: Path, tmp_path: Path
) -> None:
    original = tmp_path / "original"
    shutil.copytree(data, original)
    found = []
    for _ in killed_before_each(lambda: put_back(backup, data)):
        kept = data / f"{FILE_NAME}.before-restore"
        # Looked at in a copy: looking mends.
        looked = tmp_path / "looked"
        shutil.copytree(data, looked)
        found.append(marks(looked / FILE_NAME))
        if found[-1] == NEW:
            assert marks(looked / kept.name) == OLD
        again = put_back(backup, data)
        assert marks(data / FILE_NAME) == NEW
        assert marks(kept) == OLD
        assert again == (kept if found[-1] == OLD else data / f"{kept.name}-2")
        for folder in (looked, data):
            shutil.rmtree(folder)
        shutil.copytree(original, data)
    assert found.count(OLD) + found.count(NEW) == len(found)
    assert found.count(OLD) > 10
    assert NEW in found


@pytest.mark.parametrize("offset", [0, 100])
def test_a_store_that_is_damaged_is_kept_as_it_is(backup: Path, data: Path, offset: int) -> None:
    (data / f"{FILE_NAME}-wal").write_bytes(b"a log that SQLite would not take")
    with (data / FILE_NAME).open("r+b") as file:
        file.seek(offset)
        file.write(b"damaged" * 500)
    damaged = (data / FILE_NAME).read_bytes()
    kept = put_back(backup, data)
    assert kept is not None
    assert kept.read_bytes() == damaged
    assert marks(data / FILE_NAME) == NEW


def test_the_log_of_a_store_that_is_no_database_is_kept_too(
    backup: Path, data: Path, tmp_path: Path
) -> None:
    (data / FILE_NAME).write_bytes(b"no database" * 1000)
    log = (data / f"{FILE_NAME}-wal").read_bytes()
    original = tmp_path / "original"
    shutil.copytree(data, original)
    for _ in killed_before_each(lambda: put_back(backup, data)):
        kept = put_back(backup, data) or Path()
        assert marks(data / FILE_NAME) == NEW
        first = kept.with_name(f"{FILE_NAME}.before-restore")
        assert first.read_bytes() == b"no database" * 1000
        assert first.with_name(f"{first.name}-wal").read_bytes() == log
        shutil.rmtree(data)
        shutil.copytree(original, data)


def test_a_log_that_is_left_of_a_store_kept_earlier_is_not_mixed_in(
    backup: Path, data: Path
) -> None:
    (data / FILE_NAME).write_bytes(b"no database" * 1000)
    log = (data / f"{FILE_NAME}-wal").read_bytes()
    stale = data / f"{FILE_NAME}.before-restore-wal"
    stale.write_bytes(b"of a store that was deleted")
    assert put_back(backup, data) == data / f"{FILE_NAME}.before-restore"
    assert stale.read_bytes() == log


def test_a_store_that_can_not_even_be_opened_is_kept(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise apsw.CantOpenError("unable to open database file")

    monkeypatch.setattr(apsw, "Connection", refuse)
    with module._settled(data / FILE_NAME):
        kept = module._keep(data / FILE_NAME)
    assert kept.samefile(data / FILE_NAME)
    assert module._keep(data / FILE_NAME) == kept
    kept.unlink()
    kept.symlink_to(data / "nowhere")
    assert module._keep(data / FILE_NAME).name == f"{kept.name}-2"


def test_a_store_in_use_is_left_alone(
    backup: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_MS", 50)
    reader = open_reader(data / FILE_NAME)
    reader.execute("SELECT 1 FROM meta").fetchall()
    with pytest.raises(StoreError, match=r"another program has .* open.*fuser"):
        put_back(backup, data)
    assert marks(data / FILE_NAME) == OLD
    assert f"{FILE_NAME}.before-restore" not in names(data)
    reader.close()
    assert put_back(backup, data) is not None


def test_a_damaged_backup_is_refused_before_anything_changes(backup: Path, data: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[2 * 4096 : 3 * 4096] = bytes(4096)
    backup.write_bytes(content)
    before = names(data)
    with pytest.raises(StoreError, match="damaged"):
        put_back(backup, data)
    assert names(data) == before
    assert marks(data / FILE_NAME) == OLD


def test_a_file_system_without_links_gets_a_copy(
    backup: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    kept = put_back(backup, data)
    assert kept is not None
    assert (marks(data / FILE_NAME), marks(kept)) == (NEW, OLD)
    assert kept.stat().st_mode & 0o777 == 0o600

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(StoreError, match="No space left"):
        put_back(backup, data)
    assert names(data) == {FILE_NAME, kept.name}


def test_a_log_that_finds_no_room_in_the_store_is_told(
    backup: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def set_busy_timeout(self, _: int) -> None:
            raise apsw.FullError("database or disk is full")

        def close(self) -> None:
            pass

    with monkeypatch.context() as patch:
        patch.setattr(apsw, "Connection", Full)
        with pytest.raises(StoreError, match="disk is full"), module._settled(data / FILE_NAME):
            pass
    assert put_back(backup, data) is not None


def test_a_store_with_a_live_log_can_be_restored_from(data: Path, tmp_path: Path) -> None:
    path = make_store(tmp_path / "other", "new")
    writer = open_writer(path)
    assert put_back(path, data) is not None
    assert marks(data / FILE_NAME) == NEW
    writer.close()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no file"),
        (b"", "no store of fluxd's"),
        (b"no database" * 1000, "no store of fluxd's"),
    ],
)
def test_what_is_no_store_is_said_to_be_none(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    file = tmp_path / "file.db"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StoreError, match=told), open_backup(file):
        pass
    assert {path.name for path in tmp_path.iterdir()} <= {file.name}


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.db"
    connection = apsw.Connection(str(file))
    connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()
    with pytest.raises(StoreError, match="name a file that `fluxd backup` made"), open_backup(file):
        pass


def test_a_newer_store_is_refused_with_the_version_that_wrote_it(backup: Path) -> None:
    connection = apsw.Connection(str(backup))
    connection.execute("UPDATE meta SET value = '99.1.2' WHERE name = 'written_by'")
    connection.pragma("user_version", 99)
    connection.close()
    told = pytest.raises(StoreError, match=r"schema 99, written by fluxd 99\.1\.2")
    with told, open_backup(backup):
        pass
