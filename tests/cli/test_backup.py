"""`fluxd backup` and `fluxd restore` as a user runs them."""

import itertools
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from running import Daemon, fluxd, until
from store.killing import make_store, marks

from fluxd.cli import main
from fluxd.store.connection import FILE_NAME, open_reader

NOBODY = 65_534


@pytest.fixture
def data(tmp_path: Path) -> Path:
    make_store(tmp_path / "data", "here")
    return tmp_path / "data"


def told(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a command that is refused; return why."""
    assert main([str(argument) for argument in arguments]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_there_and_back(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "copy.db"
    assert main(["backup", str(file), "--data", str(data)]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{file} (1 MB) has 0 metrics, 0 datapoints (schema ")
    assert said.err == ""
    assert main(["restore", str(file), "--data", str(data)]) == 0
    said = capsys.readouterr()
    assert f"is now the backup {file}, of 20" in said.out
    assert f"{data / FILE_NAME}.before-restore: delete it" in said.out
    assert "fluxd key list" in said.out
    assert marks(data / FILE_NAME) == ["here", "here"]


def test_imported_datapoints_count_before_they_are_learnt(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "history.csv"
    history.write_text("".join(f"{1_700_000_000 + 60 * n},{n}\n" for n in range(500)))
    assert main(["import", "a.metric", str(history), "--data", str(data)]) == 0
    assert main(["import", "gone", str(history), "--data", str(data)]) == 0
    assert main(["metric", "delete", "gone", "--data", str(data)]) == 0
    capsys.readouterr()
    assert main(["backup", str(tmp_path / "copy.db"), "--data", str(data)]) == 0
    assert " has 1 metric, 500 datapoints (schema " in capsys.readouterr().out


def test_a_store_that_no_backup_made_can_be_restored_too(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    assert main(["restore", str(data / FILE_NAME), "--data", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert f"is now the backup {data / FILE_NAME} with 0 metrics" in said
    assert "before-restore" not in said
    assert marks(tmp_path / "new" / FILE_NAME) == ["here", "here"]


def test_what_can_not_be_backed_up_to_is_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def why(file: Path, *, of: Path = data) -> str:
        return told(capsys, "backup", file, "--data", of)

    assert "is a directory: name a file in it" in why(tmp_path)
    assert "no directory" in why(tmp_path / "absent" / "copy.db")
    assert "exists and is not overwritten" in why(data / FILE_NAME)
    assert "choose another name" in why(data / f"{FILE_NAME}-shm")
    assert "`fluxd serve` creates one" in why(tmp_path / "copy.db", of=tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"data"}


def test_what_can_not_be_restored_is_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def why(file: Path, *, to: Path = data) -> str:
        return told(capsys, "restore", file, "--data", to)

    assert "there is no file" in why(tmp_path / "absent")
    assert "is the present store itself" in why(data / FILE_NAME)
    assert "install -d -m 700" in why(data / FILE_NAME, to=tmp_path / "absent")
    assert marks(data / FILE_NAME) == ["here", "here"]


def test_an_error_of_the_systems_is_a_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    assert "Input/output error" in told(capsys, "backup", tmp_path / "copy.db", "--data", data)
    assert not (tmp_path / "copy.db").exists()


def test_a_running_daemon_is_copied_whole_and_keeps_restores_out(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "running")
    numbers, stop = itertools.count(1), threading.Event()

    def send() -> None:
        """Send POSTs of two datapoints each, which only ever come together."""
        while not stop.is_set():
            elements = [
                {"metric": name, "timestamp": int(time.time()) - 1800 + n, "value": n}
                for n in [next(numbers) % 1800]
                for name in ("left", "right")
            ]
            assert daemon.post({"metrics": elements}).status == 204

    sender = threading.Thread(target=send)
    sender.start()
    try:
        until(lambda: next(numbers) > 100)
        for n in range(3):
            file = tmp_path / f"copy-{n}.db"
            before = next(numbers)
            outcome = fluxd("backup", str(file), "--data", str(daemon.data))
            assert outcome.returncode == 0, outcome.stderr
            assert datapoints(file)["left"] == datapoints(file)["right"]
            assert len(datapoints(file)["left"]) > 0
            assert next(numbers) > before
        refused = fluxd("restore", str(file), "--data", str(daemon.data))
        assert refused.returncode == 1
        assert f"in use by process {daemon.process.pid}" in refused.stderr
        assert "stop it" in refused.stderr
    finally:
        stop.set()
        sender.join()
    copied = datapoints(file)
    daemon.kill()
    outcome = fluxd("restore", str(file), "--data", str(daemon.data))
    assert outcome.returncode == 0, outcome.stderr
    again = Daemon(daemon.data)
    assert datapoints(daemon.data / FILE_NAME) == copied
    again.kill()


def datapoints(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Return a store's datapoints by metric."""
    reader = open_reader(path)
    try:
        rows = reader.execute("SELECT * FROM datapoints_recent ORDER BY 1, 2").fetchall()
    finally:
        reader.close()
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    return {
        name: [(timestamp, value) for _, timestamp, value in group]
        for name, group in itertools.groupby(rows, lambda row: row[0])
    }


@pytest.fixture
def nobodys(data: Path) -> Iterator[Path]:
    """Make a store of nobody's, at a place that nobody can reach (unlike pytest's)."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    with TemporaryDirectory() as name:
        folder = Path(name) / "data"
        shutil.copytree(data, folder)
        for path in (Path(name), folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        yield folder


def test_root_backs_up_to_its_own_directory_and_restores_as_the_owner(
    nobodys: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    file = tmp_path / "copy.db"
    outcome = fluxd("backup", str(file), "--data", str(nobodys))
    assert outcome.returncode == 0, outcome.stderr
    assert file.stat().st_uid == 0
    assert marks(file) == ["here", "here"]
    outcome = fluxd("restore", str(file), "--data", str(nobodys))
    assert outcome.returncode == 0, outcome.stderr
    assert {path.stat().st_uid for path in nobodys.iterdir()} == {NOBODY}
    assert marks(nobodys / FILE_NAME) == ["here", "here"]
