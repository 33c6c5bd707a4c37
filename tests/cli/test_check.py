"""`fluxd check` as a user runs it."""

from pathlib import Path

import apsw
import pytest
from running import fluxd

from fluxd.cli import check, main
from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME, open_writer


@pytest.fixture
def data(tmp_path: Path) -> Path:
    open_store(tmp_path / FILE_NAME, create=True).close()
    return tmp_path


def test_a_sound_store_is_said_to_be_sound(data: Path) -> None:
    outcome = fluxd("check", "--data", str(data))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout == f"{data / FILE_NAME} is sound.\n"


def test_every_problem_comes_with_its_mend_and_too_many_are_counted(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "SHOWN", 2)
    writer = open_writer(data / FILE_NAME)
    writer.executemany(
        "INSERT INTO blocks VALUES (?, 3600, 0, 1, 1, 5, 0, x'00')", [(n,) for n in range(1, 6)]
    )
    writer.close()
    assert main(["check", "--data", str(data)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("BAD the block of series") for line in said) == 2
    assert sum(line.startswith("    mend: ") for line in said) >= 2
    assert "problems of the blocks" in "".join(said)
    assert said[-1].startswith(f"{data / FILE_NAME} has ")


@pytest.mark.parametrize("content", [None, b"", b"no database" * 1000])
def test_what_is_no_store_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_bytes(content)
    outcome = fluxd("check", "--data", str(tmp_path))
    assert outcome.returncode == 1
    assert "Traceback" not in outcome.stderr
    assert outcome.stdout + outcome.stderr


def test_it_changes_nothing(data: Path) -> None:
    before = (data / FILE_NAME).read_bytes()
    assert main(["check", "--data", str(data)]) == 0
    assert (data / FILE_NAME).read_bytes() == before
    connection = apsw.Connection(str(data / FILE_NAME))
    assert connection.pragma("integrity_check") == "ok"
    connection.close()
