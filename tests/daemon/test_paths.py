"""The data directory: where it is, its mode, and as whom root works in it."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxd.core.errors import StoreError
from fluxd.daemon import paths
from fluxd.daemon.paths import become_owner, create_data_directory, data_directory

NOBODY = 65_534


@pytest.fixture(autouse=True)
def _no_service_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "SYSTEM_DIRECTORY", tmp_path / "system")
    monkeypatch.setenv("HOME", "/home/ada")


def test_the_option_comes_first_then_the_variables_then_the_service_then_home(
    tmp_path: Path,
) -> None:
    environ = {"FLUXD_DATA": "/one", "STATE_DIRECTORY": "/two:/three"}
    assert data_directory(Path("/zero"), environ) == Path("/zero")
    assert data_directory(None, environ) == Path("/one")
    assert data_directory(None, environ | {"FLUXD_DATA": ""}) == Path("/two")
    assert data_directory(None, {}) == Path("/home/ada/.local/share/fluxd")
    (tmp_path / "system").mkdir()
    assert data_directory(None, {}) == tmp_path / "system"


def test_it_is_absolute_and_home_is_expanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_directory(Path("here"), {}) == tmp_path / "here"
    assert data_directory(None, {"FLUXD_DATA": "~/flux"}) == Path("/home/ada/flux")


def test_a_user_without_a_home_is_told_of_the_option() -> None:
    with pytest.raises(StoreError, match="--data"):
        data_directory(Path("~no-such-user/fluxd"), {})


def test_it_is_created_for_its_owner_only_and_left_alone_when_it_exists(tmp_path: Path) -> None:
    data = tmp_path / "state" / "fluxd"
    create_data_directory(data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    data.chmod(0o750)
    create_data_directory(data)
    assert stat.S_IMODE(data.stat().st_mode) == 0o750


def test_what_cannot_be_a_data_directory_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StoreError, match="is no directory"):
        create_data_directory(file)
    with pytest.raises(StoreError, match=r"can't be created: Not a directory.*--data"):
        create_data_directory(file / "fluxd")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StoreError, match="can't be written"):
        create_data_directory(tmp_path)


def test_only_root_becomes_the_owner_and_the_group_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, object]] = []
    for name in ("setgroups", "setegid", "seteuid"):
        monkeypatch.setattr(os, name, lambda given, name=name: calls.append((name, given)))
    store = tmp_path / "fluxd.db"
    store.touch()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    become_owner(store)
    assert calls == []

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    owned = os.stat_result((0o100600, 0, 0, 1, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda _self: owned)
    become_owner(store)
    assert calls == []

    owned = os.stat_result((0o100600, 0, 0, 1, 998, 997, 0, 0, 0, 0))
    become_owner(store)
    assert calls == [("setgroups", [997]), ("setegid", 997), ("seteuid", 998)]


def test_a_store_that_is_missing_or_hidden_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match=r"there is no store at .*fluxd serve"):
        become_owner(tmp_path / "fluxd.db")

    def hidden(path: Path) -> os.stat_result:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "stat", hidden)
    with pytest.raises(StoreError, match="belongs to another user: run this with sudo"):
        become_owner(tmp_path / "fluxd.db")


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """Make a directory of nobody's, at a place that nobody can reach (unlike pytest's)."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, NOBODY, NOBODY)
        yield Path(name)


def test_what_root_creates_after_that_belongs_to_the_owner(nobodys: Path) -> None:
    script = (
        "import pathlib, sys; from fluxd.daemon.paths import become_owner\n"
        "data = pathlib.Path(sys.argv[1]); become_owner(data); (data / 'new').touch()"
    )
    subprocess.run([sys.executable, "-c", script, str(nobodys)], check=True)
    status = (nobodys / "new").stat()
    assert (status.st_uid, status.st_gid) == (NOBODY, NOBODY)
