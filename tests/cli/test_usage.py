"""A command line that is wrong is told with the usage of its command."""

from pathlib import Path

import pytest
from running import fluxd

from fluxd.store import open_store


@pytest.mark.parametrize(
    ("command", "usage"),
    [
        ("metric list --wrong", "usage: fluxd metric list [-h]"),
        ("metric --wrong list", "usage: fluxd metric list [-h]"),
        ("explain 1 --wrong", "usage: fluxd explain [-h]"),
        ("replay a.csv b.csv", "usage: fluxd replay [-h]"),
        ("--wrong check", "usage: fluxd check [-h]"),
        ("--wrong", "usage: fluxd [-h]"),
    ],
)
def test_an_unknown_option_shows_the_usage_of_its_command(command: str, usage: str) -> None:
    outcome = fluxd(*command.split())
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(usage)


def test_a_query_of_nothing_is_told(tmp_path: Path) -> None:
    open_store(tmp_path / "fluxd.db", create=True).close()
    for nothing in ("", " \n"):
        outcome = fluxd("sql", nothing, "--data", str(tmp_path))
        assert (outcome.returncode, outcome.stdout) == (1, "")
        assert "there is nothing to ask: `fluxd sql" in outcome.stderr


@pytest.mark.parametrize(
    "command", ["metric list", "metric mute", "metric delete", "key revoke", "sql", "replay"]
)
def test_bytes_that_are_no_text_are_told(tmp_path: Path, command: str) -> None:
    open_store(tmp_path / "fluxd.db", create=True).close()
    outcome = fluxd(*command.split(), "a\udcff", "--data", str(tmp_path))
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "is no text in UTF-8" in outcome.stderr
