"""`fluxd doctor` as a user runs it."""

from pathlib import Path

import pytest
from running import fluxd

from fluxd.cli import main
from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUXD_SERVER__LISTEN", "127.0.0.1:1")


def test_it_runs_without_a_store(tmp_path: Path) -> None:
    outcome = fluxd("doctor", "--data", str(tmp_path))
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "`fluxd serve` creates one" in outcome.stdout
    assert all(line[:5] in ("ok   ", "note ") for line in outcome.stdout.splitlines())


def test_it_fails_where_something_is_bad(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_store(tmp_path / FILE_NAME, create=True).close()
    tmp_path.chmod(0o700)
    assert main(["doctor", "--data", str(tmp_path)]) == 0
    config = tmp_path / "other.toml"
    config.write_text("[server]\nthreads = 1\n")
    capsys.readouterr()
    assert main(["doctor", "--data", str(tmp_path), "--config", str(config)]) == 1
    said = capsys.readouterr().out
    assert "BAD  the configuration is wrong: server.threads is 1 in" in said
