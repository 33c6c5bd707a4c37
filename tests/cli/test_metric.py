"""`fluxd metric` without a daemon, and beside one."""

import functools
from pathlib import Path

import pytest
from running import Daemon, fluxd, until
from store.posting import NOW, new_key, opened, post

from fluxd.cli import main
from fluxd.cli import metric as metric_module
from fluxd.store.connection import open_writer, transaction
from fluxd.store.hushes import add_mute, read_mutes, remove_mutes
from fluxd.store.metrics import Summary, write_summaries
from fluxd.store.rebuilds import request_rebuild
from fluxd.store.series import retire_series


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with opened(tmp_path / "fluxd.db") as store:
        post(store, [(name, NOW, 1.0) for name in ("web.a", "web.b", "db.c", "db.d")])
        summaries = [
            Summary(1, 60.0, 1234, NOW - 600, NOW, "analysed"),
            Summary(2, 0.5, 7, NOW - 60, NOW, "learning"),
            Summary(3, 60.0, 100, NOW - 60, NOW, "analysed"),
        ]
        store.writer.run(lambda connection: write_summaries(connection, summaries))
        store.writer.run(lambda connection: retire_series(connection, [3], now=NOW))
    return tmp_path


def listed(data: Path, *arguments: str) -> list[list[str]]:
    outcome = fluxd("metric", "list", *arguments, "--data", str(data))
    assert outcome.returncode == 0
    return [line.split() for line in outcome.stdout.splitlines()]


def test_metrics_are_listed_by_name(data: Path) -> None:
    minute = ["2023-11-14", "22:13"]
    rows = listed(data)
    assert rows[0] == ["STATE", "INTERVAL", "DATAPOINTS", "FIRST", "LAST", "MUTED", "NAME"]
    assert rows[1] == ["retired", "60", "s", "100", "2023-11-14", "22:12", *minute, "-", "db.c"]
    assert rows[2] == ["learning", "-", "1", *minute, *minute, "-", "db.d"]  # no summary yet
    assert rows[3][:4] == ["analysed", "60", "s", "1,234"]
    assert rows[4][:4] == ["learning", "0.5", "s", "7"]
    assert [row[-1] for row in rows[1:]] == ["db.c", "db.d", "web.a", "web.b"]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("web",), ["web.a", "web.b"]),
        (("*.[ac]",), ["db.c", "web.a"]),
        (("--state", "learning"), ["db.d", "web.b"]),
        (("db", "--state", "retired"), ["db.c"]),
    ],
)
def test_those_that_match_are_listed(
    data: Path, arguments: tuple[str, ...], names: list[str]
) -> None:
    assert [row[-1] for row in listed(data, *arguments)[1:]] == names


def test_nothing_is_said_to_be_nothing(data: Path, tmp_path: Path) -> None:
    assert listed(data, "nobody") == [["No", "metric", "is", "like", "that."]]
    with opened(tmp_path / "empty.db"):
        pass
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "empty.db").rename(empty / "fluxd.db")
    assert listed(empty) == [["There", "are", "no", "metrics", "yet."]]


def test_a_long_list_comes_in_pages(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(metric_module, "PAGE", 2)
    assert main(["metric", "list", "--data", str(data)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["db.c", "db.d", "web.a", "web.b"]


def test_what_was_imported_counts_at_once_and_is_learning(data: Path) -> None:
    connection = open_writer(data / "fluxd.db")
    with transaction(connection):
        request_rebuild(connection, 1, 1000, at=NOW)
        request_rebuild(connection, 3, 5, at=NOW)
    connection.close()
    rows = listed(data)
    assert [(row[0], row[3]) for row in rows[1:] if row[-1] in ("web.a", "db.c")] == [
        ("learning", "105"),
        ("learning", "2,234"),
    ]


def told(data: Path, *arguments: str) -> str:
    outcome = fluxd("metric", *arguments, "--data", str(data))
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout.strip()


def test_a_metric_is_muted_and_unmuted(data: Path) -> None:
    muted, heard = "web.a is muted: stored and analysed, never notified.", "web.a is heard again."
    for action, says, shown in (
        ("mute", muted, "yes"),
        ("mute", muted, "yes"),
        ("unmute", heard, "-"),
        ("unmute", "web.a was not muted.", "-"),
    ):
        assert told(data, action, "web.a") == says
        assert listed(data, "web.a")[1][-2] == shown


def test_metrics_are_muted_by_a_glob(data: Path) -> None:
    says = "what matches web.* is muted (2 metrics now): stored and analysed, never notified."
    for _ in range(2):
        assert told(data, "mute", "web.*") == says
    assert [row[-2] for row in listed(data)[1:]] == ["-", "-", "yes", "yes"]
    assert told(data, "unmute", "web.a") == (
        "web.a is silent still: muted by web.*. `fluxd metric unmute 'web.*'` ends that."
    )
    with opened(data / "fluxd.db") as store, store.read() as reader:
        (mute,) = read_mutes(reader, NOW)
        assert (mute.scope, mute.pattern, mute.until) == ("glob", "web.*", None)
    assert "is heard again" in told(data, "unmute", "web.*")
    assert [row[-2] for row in listed(data)[1:]] == ["-"] * 4
    outcome = fluxd("metric", "unmute", "web.*", "--data", str(data))
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "web.* is not muted: the page Settings, Silence lists" in outcome.stderr


def test_a_mute_of_the_pages_is_known_here_too(data: Path) -> None:
    with opened(data / "fluxd.db") as store:
        for scope, pattern in (("metric", "web.a"), ("sender", "agent")):
            add = functools.partial(
                add_mute, scope=scope, pattern=pattern, until=None, reason="noisy", now=NOW
            )
            store.writer.run(add)
    assert [row[-2] for row in listed(data)[1:]] == ["yes"] * 4
    assert told(data, "unmute", "web.a") == (
        "web.a is silent still: its sender agent is muted (noisy). The page Settings, Silence ends "
        "that."
    )
    with opened(data / "fluxd.db") as store:
        store.writer.run(lambda connection: remove_mutes(connection, "sender", "agent", now=NOW))
    assert told(data, "unmute", "web.a") == "web.a was not muted."


def test_metrics_are_not_deleted_by_a_glob(data: Path) -> None:
    outcome = fluxd("metric", "delete", "web.*", "--data", str(data))
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "`fluxd metric list 'web.*'` shows which those are" in outcome.stderr
    assert len(listed(data)) == 5


@pytest.mark.parametrize("action", ["mute", "unmute", "delete"])
def test_an_unknown_name_is_told_with_its_mend(data: Path, action: str) -> None:
    for name in ("nobody", "#1"):
        outcome = fluxd("metric", action, name, "--data", str(data))
        assert outcome.returncode == 1
        assert f"there is no metric {name!r}: `fluxd metric list` shows them" in outcome.stderr


def test_a_deleted_metric_is_gone_and_its_name_free(data: Path) -> None:
    outcome = fluxd("metric", "delete", "web.a", "--data", str(data))
    assert outcome.returncode == 0
    assert "web.a is deleted." in outcome.stdout
    assert [row[-1] for row in listed(data)[1:]] == ["db.c", "db.d", "web.b"]
    assert fluxd("metric", "delete", "web.a", "--data", str(data)).returncode == 1
    with opened(data / "fluxd.db") as store:
        key = new_key(store, "other", quota=1)
        assert post(store, [("web.a", NOW, 1.0)], key=key) == []
        assert store.catalog.id_of("web.a") == 5


def test_a_running_daemon_notices(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    try:
        sent = [{"metric": "a", "timestamp": NOW, "value": 1.0, "fill": True}]
        assert daemon.post({"metrics": sent}).status == 204
        assert daemon.get("/api/v1/metrics/a").status == 200
        outcome = fluxd("metric", "delete", "a", "--data", str(daemon.data))
        assert outcome.returncode == 0
        until(lambda: daemon.get("/api/v1/metrics/a").status == 404)
        assert daemon.get("/api/v1/metrics").body["metrics"] == []
        assert daemon.post({"metrics": sent}).status == 204
        assert daemon.get("/api/v1/metrics/a").status == 200
    finally:
        daemon.kill()
