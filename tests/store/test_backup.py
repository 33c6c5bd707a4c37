"""A copy taken while others write: whole, alone, its owner's, and never in another file's place."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from store.killing import killed_before_each, make_store, marks
from store.test_faults import fill_up, mounted

from fluxd.core.errors import StoreError
from fluxd.store import copying, open_store
from fluxd.store.backup import back_up, finish, open_backup, read_contents
from fluxd.store.connection import open_reader, open_writer, transaction
from fluxd.store.copying import Partial

NOW = 1_700_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_store(tmp_path / "data", "here")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[apsw.Connection]:
    with contextlib.closing(open_reader(path)) as reader, transaction(reader, "DEFERRED"):
        yield reader


def copy(path: Path, target: Path) -> None:
    with Partial(target) as partial:
        with reading(path) as source:
            back_up(source, partial)
        finish(partial, now=NOW)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_a_backup_is_one_file_for_its_owner_with_all_that_the_log_has(
    path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    target = tmp_path / "link" / "copy.db"
    copy(path, target)
    assert names(folder) == {target.name}
    assert target.stat().st_mode & 0o777 == 0o600
    connection = apsw.Connection(str(target))
    assert connection.pragma("journal_mode") == "delete"
    assert connection.pragma("auto_vacuum") == 2
    connection.close()
    assert marks(target) == ["here", "here"]
    assert names(folder) == {target.name}


def test_it_says_what_it_holds(path: Path, tmp_path: Path) -> None:
    writer = open_writer(path)
    writer.execute("INSERT INTO keys (name, secret, scope, created) VALUES ('k', 's', 'ingest', 1)")
    for name in "ab":
        writer.execute("INSERT INTO series (name, key, created) VALUES (?, 1, 1)", (name,))
    writer.execute("INSERT INTO summaries VALUES (1, 60, 10, 100, 700, 'learning')")
    writer.close()
    copy(path, tmp_path / "copy.db")
    with open_backup(tmp_path / "copy.db") as backup:
        found = read_contents(backup)
    assert (found.metrics, found.datapoints, found.first, found.last) == (2, 10, 100, 700)
    assert found.backed_up == NOW
    with reading(path) as source:
        assert read_contents(source).backed_up is None


@pytest.mark.parametrize("held", [True, False])
def test_a_copy_begins_anew_at_each_write_unless_it_is_taken_in_a_transaction(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, held: bool
) -> None:
    """What the whole backup rests on; and that what is copied is one state."""
    monkeypatch.setattr(copying, "PAGES_A_STEP", 4)
    writer = open_writer(path)
    writer.execute("CREATE TABLE ballast (n INTEGER PRIMARY KEY, body BLOB)")
    write = "INSERT INTO ballast (body) VALUES (randomblob(4000))"
    for _ in range(100):
        writer.execute(write)
    shares: list[int] = []

    def write_more(what: str, done: int, _total: int) -> None:
        assert what == "copying"
        shares.append(done)
        if len(shares) < 60:
            writer.execute(write)

    source = open_reader(path)
    with Partial(tmp_path / "copy.db") as partial:
        if held:
            source.execute("BEGIN")
            back_up(source, partial, write_more)
            partial.publish()
        else:
            partial.fill(source, write_more)
    source.close()
    assert (shares == sorted(set(shares))) is held
    if held:
        copied = apsw.Connection(str(tmp_path / "copy.db"))
        assert copied.execute("SELECT count(*) FROM ballast").fetchall() == [(100,)]
        copied.close()
    assert len(shares) > 20
    writer.close()


def test_an_existing_file_is_never_overwritten(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(StoreError, match=r"copy\.db exists and is not overwritten"):
        copy(path, target)

    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(StoreError, match=r"copy\.db exists and is not overwritten"):
        copy(path, target)
    assert target.read_text() == "precious"
    target.unlink()
    copy(path, target)
    assert marks(target) == ["here", "here"]
    assert names(tmp_path) == {"data", "copy.db"}


def test_killed_at_any_moment_there_is_a_whole_backup_or_none(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    outcomes = set()
    folder.mkdir()
    for _ in killed_before_each(lambda: copy(path, folder / "copy.db"), sqlite=False):
        outcomes.add(frozenset(names(folder)))
        if (folder / "copy.db").exists():
            assert marks(folder / "copy.db") == ["here", "here"]
            with pytest.raises(StoreError, match="not overwritten"):
                copy(path, folder / "copy.db")
            assert marks(folder / "copy.db") == ["here", "here"]
        else:
            copy(path, folder / "copy.db")
        assert names(folder) == {"copy.db"}
        shutil.rmtree(folder)
        folder.mkdir()
        assert marks(path) == ["here", "here"]
    assert {"copy.db.partial"} in outcomes
    assert {"copy.db", "copy.db.partial"} in outcomes


def test_a_backup_under_way_is_left_alone(path: Path, tmp_path: Path) -> None:
    with Partial(tmp_path / "copy.db") as partial:
        with pytest.raises(StoreError, match=r"another process is writing .*copy\.db\.partial"):
            copy(path, tmp_path / "copy.db")
        with reading(path) as source:
            back_up(source, partial)
        finish(partial, now=NOW)
    assert marks(tmp_path / "copy.db") == ["here", "here"]


def test_without_locks_a_backup_goes_on(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    copy(path, tmp_path / "copy.db")
    assert marks(tmp_path / "copy.db") == ["here", "here"]


def test_a_name_that_changes_hands_while_it_is_claimed_is_opened_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, partial = copying.try_lock, tmp_path / "copy.db.partial"
    moves = [partial.unlink, lambda: (partial.unlink(), partial.touch())]

    def slow_lock(descriptor: int, kind: int) -> bool:
        if moves:
            moves.pop()()
        return lock(descriptor, kind)

    monkeypatch.setattr(copying, "try_lock", slow_lock)
    copy(path, tmp_path / "copy.db")
    assert not moves
    assert marks(tmp_path / "copy.db") == ["here", "here"]


def test_what_others_have_put_there_is_not_used(path: Path, tmp_path: Path) -> None:
    partial = tmp_path / "copy.db.partial"
    partial.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="can't be created"):
        copy(path, tmp_path / "copy.db")
    partial.unlink()
    os.mkfifo(partial)
    with pytest.raises(StoreError, match="belongs to somebody else"):
        copy(path, tmp_path / "copy.db")
    partial.unlink()
    partial.mkdir()
    with pytest.raises(StoreError, match="can't be created"):
        copy(path, tmp_path / "copy.db")


def test_a_full_disk_leaves_nothing_behind(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    with mounted(folder, "size=3m"):
        with pytest.raises(StoreError, match=r"the backup needs 6\d MB in .*small, where 3 MB"):
            copy(path, folder / "copy.db")
        fill_up(folder)
        with Partial(folder / "copy.db") as partial, reading(path) as source:
            source.execute("SELECT 1 FROM meta").fetchall()
            with pytest.raises(StoreError, match=r"copy\.db\.partial failed"):
                partial.fill(source)
        assert names(folder) == {"filler"}


def test_a_damaged_store_makes_no_backup(path: Path, tmp_path: Path) -> None:
    open_store(path).close()
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(bytes(4096))
    with pytest.raises(StoreError, match=r"the store is damaged.*fluxd restore"):
        copy(path, tmp_path / "copy.db")
    assert names(tmp_path) == {"data"}


def test_a_check_tells_its_progress(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "STEPS_A_CALL", 1)
    told: list[tuple[str, int, int]] = []
    with reading(path) as reader:
        assert copying.run_check(reader, "quick_check", lambda *what: told.append(what)) == []
    assert told
    assert all(what == "checking" and 0 <= done <= total for what, done, total in told)
