"""The store beside a daemon or without one: as whom, and not during a restore."""

import os
from pathlib import Path

import pytest

from fluxd.core.errors import StoreError
from fluxd.daemon import paths
from fluxd.daemon.lock import DataLock
from fluxd.daemon.offline import acting_as_owner, daemon_runs, open_offline, restoring
from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME


@pytest.fixture
def data(tmp_path: Path) -> Path:
    open_store(tmp_path / FILE_NAME, create=True).close()
    return tmp_path


def test_nobody_writes_during_a_restore_and_nobody_restores_beside_a_writer(data: Path) -> None:
    with restoring(data):
        told = pytest.raises(StoreError, match=r"a restore is under way in .*: wait")
        with told, open_offline(data, write=True):
            pass
        with open_offline(data) as reader:
            reader.execute("SELECT 1 FROM meta").fetchall()
    with open_offline(data, write=True):
        told = pytest.raises(StoreError, match="a command of fluxd's is writing")
        with told, restoring(data):
            pass
    with restoring(data):
        pass


def test_a_daemon_is_known_by_its_lock(data: Path) -> None:
    assert not daemon_runs(data)
    with DataLock(data):
        assert daemon_runs(data)
    assert not daemon_runs(data)


def test_root_is_root_again_after_acting_as_the_owner(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, object]] = []
    acting = [0]
    for name in ("setgroups", "setegid"):
        monkeypatch.setattr(os, name, lambda given, name=name: calls.append((name, given)))

    def become(user: int) -> None:
        calls.append(("seteuid", user))
        acting[0] = user

    monkeypatch.setattr(os, "seteuid", become)
    monkeypatch.setattr(os, "geteuid", lambda: acting[0])
    monkeypatch.setattr(os, "getegid", lambda: 0)
    monkeypatch.setattr(os, "getgroups", lambda: [0, 4])
    owned = os.stat_result((0o100600, 0, 0, 1, 998, 997, 0, 0, 0, 0))
    monkeypatch.setattr(paths.Path, "stat", lambda _self: owned)
    with acting_as_owner(data / FILE_NAME):
        assert calls == [("setgroups", [997]), ("setegid", 997), ("seteuid", 998)]
        calls.clear()
    # The user first: only root may change the other two.
    assert calls == [("seteuid", 0), ("setegid", 0), ("setgroups", [0, 4])]
