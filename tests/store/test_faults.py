"""Full, read-only, locked and failing: a 503 for the sender, nothing half-written, no restart."""

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from store.disk import Disk
from store.posting import NOW, TABLE, opened, post, stored

from fluxd.core.errors import StoreError, UnavailableError
from fluxd.store import Store, connection, open_store
from fluxd.store.connection import FILE_NAME

MANY = [("a", NOW + n, n / 3) for n in range(20_000)]


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """Mount a small disk in memory."""
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip("mounting a disk needs to be root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill_up(folder: Path) -> Path:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def test_a_full_disk_is_told_and_survived(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=3m"), opened(tmp_path / FILE_NAME) as store:
        post(store, [("a", NOW, 1.0)])
        filler = fill_up(tmp_path)
        for _ in range(3):
            with pytest.raises(UnavailableError, match="the disk is full"):
                post(store, [("a", NOW, 2.0), ("b", NOW, 1.0), *MANY])
        assert stored(store) == {("a", NOW): 1.0}
        assert store.catalog.id_of("b") is None
        filler.unlink()
        post(store, [("a", NOW, 2.0), ("b", NOW, 1.0)])
        assert stored(store) == {("a", NOW): 2.0, ("b", NOW): 1.0}
        assert store.writer.faults.present is None


def test_a_store_that_may_not_grow_is_told_and_survived(store: Store) -> None:
    def limit(pages: int) -> None:
        store.writer.run(lambda c: c.pragma("max_page_count", pages))

    post(store, [("a", NOW, 1.0)])
    limit(1)
    for _ in range(3):
        with pytest.raises(UnavailableError, match="the disk is full"):
            post(store, [("a", NOW, 2.0), ("b", NOW, 1.0), *MANY])
    assert stored(store) == {("a", NOW): 1.0}
    limit(1_000_000)
    post(store, [("a", NOW, 2.0), *MANY[1:]])
    assert len(stored(store)) == len(MANY)


def test_a_store_on_a_read_only_disk_does_not_open(tmp_path: Path) -> None:
    with mounted(tmp_path, "size=3m"):
        with opened(tmp_path / FILE_NAME) as store:
            post(store, [("a", NOW, 1.0)])
        subprocess.run(["mount", "-o", "remount,ro", tmp_path], check=True)
        with pytest.raises(StoreError, match="can't be"):
            open_store(tmp_path / FILE_NAME, create=True)


@contextlib.contextmanager
def as_ordinary_user(folder: Path) -> Iterator[None]:
    """Give up being root for a while: root may write whatever the mode says."""
    root, nobody = os.geteuid(), 65_534
    if root != 0:
        yield
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, nobody, nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(root)


@pytest.mark.parametrize("read_only", [".", FILE_NAME])
def test_a_store_that_may_not_be_written_does_not_open(folder: Path, read_only: str) -> None:
    with opened(folder / FILE_NAME) as store:
        post(store, [("a", NOW, 1.0)])
    (folder / read_only).chmod(0o500)
    try:
        with as_ordinary_user(folder), pytest.raises(StoreError, match="can't be"):
            open_store(folder / FILE_NAME, create=True)
    finally:
        (folder / read_only).chmod(0o700)


@pytest.mark.parametrize("content", [b"not a database" * 1000, b"SQLite format 3\0" * 1000])
def test_a_file_that_is_no_store_does_not_open(folder: Path, content: bytes) -> None:
    (folder / FILE_NAME).write_bytes(content)
    with pytest.raises(StoreError, match=r"fluxd\.db can't be"):
        open_store(folder / FILE_NAME, create=True)


def test_a_missing_store_is_not_created_by_the_way(folder: Path) -> None:
    with pytest.raises(StoreError, match="`fluxd serve` creates one"):
        open_store(folder / FILE_NAME)
    assert list(folder.iterdir()) == []


HOLD = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
other.execute("ROLLBACK")
other.close()
print("let go", flush=True)
sys.stdin.readline()
"""


def test_another_process_that_holds_the_lock_is_told_and_survived(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BUSY_MS", 50)
    with opened(folder / FILE_NAME) as store:
        post(store, [("a", NOW, 1.0)])
        with subprocess.Popen(
            [sys.executable, "-c", HOLD, store.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            for _ in range(3):
                with pytest.raises(UnavailableError, match="another process holds"):
                    post(store, [("a", NOW, 2.0), ("b", NOW, 1.0)])
            assert stored(store) == {("a", NOW): 1.0}
            store.checkpoint()
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline() == "let go\n"
            post(store, [("a", NOW, 2.0), ("b", NOW, 1.0)])
            other.stdin.write("\n")
        assert stored(store) == {("a", NOW): 2.0, ("b", NOW): 1.0}


class Flaky(Disk):
    """A disk of which a chosen change fails, and those after it as long as `error` is set."""

    error: type[apsw.Error] | None = None
    sound = 0

    def operate(self) -> None:
        if self.error is not None:
            self.sound -= 1
            if self.sound < 0:
                raise self.error("as the test wants it")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (apsw.IOError, "the disk failed"),
        (apsw.FullError, "the disk is full"),
        (apsw.ReadOnlyError, "read-only"),
    ],
)
def test_a_commit_that_fails_at_any_point_leaves_nothing(
    folder: Path, error: type[apsw.Error], reason: str
) -> None:
    before = {("a", NOW): 1.0}
    with Flaky(folder, random.Random(1), {}) as disk:
        with opened(folder / FILE_NAME, vfs=disk.name) as store:
            post(store, [("a", NOW, 1.0)])
            failures = 0
            while True:
                disk.sound, disk.error = failures, error
                try:
                    post(store, [("a", NOW, 2.0), ("b", NOW, 1.0)])
                except UnavailableError as refusal:
                    assert reason in str(refusal)  # noqa: PT017
                else:
                    break
                finally:
                    disk.error = None
                failures += 1
                assert stored(store) == before
                assert store.catalog.id_of("b") is None
                if failures % 2:
                    before["c", NOW + failures] = 0.5
                    post(store, [("c", NOW + failures, 0.5)])
                assert store.writer.run(lambda c: c.pragma("integrity_check")) == "ok"
            assert failures > 3
            after = before | {("a", NOW): 2.0, ("b", NOW): 1.0}
            assert stored(store) == after
        with opened(folder / FILE_NAME) as store:
            assert stored(store) == after


def test_a_store_that_can_not_be_read_is_unavailable(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise apsw.CantOpenError("too many open files")

    store._readers.clear()
    with monkeypatch.context() as patch:
        patch.setattr(apsw, "Connection", fail)
        with pytest.raises(UnavailableError, match="can't be read now"), store.read():
            pass
    with store.read() as reader, pytest.raises(apsw.ReadOnlyError):
        reader.execute(f"DELETE FROM {TABLE}")
    with pytest.raises(UnavailableError), store.read():
        raise apsw.IOError
    assert stored(store) == {}
