"""`fluxd key` without a daemon."""

from pathlib import Path

import pytest
from running import fluxd

from fluxd.store import open_store


@pytest.fixture
def data(tmp_path: Path) -> Path:
    open_store(tmp_path / "fluxd.db", create=True).close()
    return tmp_path


def test_the_key_stands_alone_on_the_last_line(data: Path) -> None:
    outcome = fluxd("key", "add", "web-1", "--quota", "5", "--data", str(data))
    assert outcome.returncode == 0
    secret = outcome.stdout.splitlines()[-1]
    assert len(secret) >= 24
    assert " " not in secret
    store = open_store(data / "fluxd.db")
    key = store.keys.find(secret)
    store.close()
    assert key is not None
    assert (key.name, key.quota, key.prefix, key.scope) == ("web-1", 5, None, "ingest")


def test_a_name_is_taken_until_it_is_revoked(data: Path) -> None:
    options = ("--data", str(data))
    assert fluxd("key", "add", "a", *options).returncode == 0
    again = fluxd("key", "add", "a", *options)
    assert (again.returncode, "already" in again.stderr) == (1, True)
    assert fluxd("key", "revoke", "a", *options).returncode == 0
    assert fluxd("key", "add", "a", *options).returncode == 0
    assert fluxd("key", "list", *options).stdout.count("\na ") == 2


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("add", "bad name"), "A-Z"),
        (("add", "a", "--prefix", "x..y"), "prefix"),
        (("add", "a", "--quota", "-1"), "quota"),
        (("revoke", "nobody"), "key list"),
    ],
)
def test_wrong_input_is_told_with_its_mend(
    data: Path, arguments: tuple[str, ...], part: str
) -> None:
    outcome = fluxd("key", *arguments, "--data", str(data))
    assert outcome.returncode == 1
    assert part in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_help_names_every_command() -> None:
    text = fluxd("--help").stdout
    for command in ("serve", "key", "replay"):
        assert command in text
        assert fluxd(command, "--help").returncode == 0
    assert fluxd("no-such-command").returncode == 2
