"""`fluxd key` without a daemon."""

from pathlib import Path

import pytest
from running import fluxd

from fluxd.core.errors import StoreError
from fluxd.daemon.offline import open_offline
from fluxd.store import open_store
from fluxd.store.connection import open_writer, transaction
from fluxd.store.keys import add_key


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


@pytest.mark.parametrize("content", [b"", b"this is a text file, not a database\n" * 50])
def test_a_file_that_is_no_store_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fluxd.db").write_bytes(content)
    for action in (("list",), ("add", "a")):
        outcome = fluxd("key", *action, "--data", str(tmp_path))
        assert outcome.returncode == 1
        assert "no store of fluxd's" in outcome.stderr or "not a database" in outcome.stderr
        assert "Traceback" not in outcome.stderr


def test_a_held_store_is_said_to_be_held(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluxd.store.connection.BUSY_MS", 50)
    holder = open_writer(data / "fluxd.db")
    with (
        transaction(holder),
        pytest.raises(StoreError, match="write lock: end its transaction"),
        open_offline(data, write=True) as connection,
    ):
        add_key(connection, "late", now=1)
    holder.close()


def test_a_quota_has_an_upper_bound_too(data: Path) -> None:
    outcome = fluxd("key", "add", "a", "--quota", "9" * 25, "--data", str(data))
    assert outcome.returncode == 1
    assert "0 to 536870911" in outcome.stderr
