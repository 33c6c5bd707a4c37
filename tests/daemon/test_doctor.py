"""The doctor's judgements, and what it finds out by itself."""

import dataclasses
import os
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
from running import Daemon
from store.posting import NOW, opened, post

from fluxd.daemon import (
    doctor,
    doctor_files,
    doctor_machine,
    doctor_service,
    doctor_store,
    findings,
)
from fluxd.daemon.addresses import Address
from fluxd.daemon.doctor import examine
from fluxd.daemon.doctor_files import Entry
from fluxd.daemon.findings import Finding, run_program
from fluxd.daemon.lock import DataLock
from fluxd.store.connection import FILE_NAME, open_writer
from fluxd.store.facts import Facts, Refusals
from fluxd.store.migrate import migrations

UNIT = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "UnitFileState": "enabled",
    "FragmentPath": "/etc/systemd/system/fluxd.service",
    "NeedDaemonReload": "no",
}


def nothing(_command: Sequence[str]) -> None:
    """Be a machine without other programs."""


def levels(found: Iterable[Finding]) -> list[str]:
    found = list(found)
    assert all(bool(one.mend) is (one.level != "ok") for one in found)
    return [one.level for one in found]


def texts(found: Iterable[Finding]) -> str:
    return "\n".join(map(str, found))


# ---- machine


def test_programs() -> None:
    shell = doctor_machine.stock_shell
    assert shell("3.40.1 2022-12-28 14:03:47 abc", "[1]\n").level == "ok"
    assert "apt-get install sqlite3" in shell(None, None).mend
    for version, unpacked in (("3.34.1 2021", "[1]"), ("3.40.1 2022", None), ("odd", "[1]")):
        assert "fluxd sql" in shell(version, unpacked).mend
    assert levels(doctor_machine.versions(nothing)) == ["ok", "ok", "note"]
    assert levels(doctor_machine.versions(run_program)) == ["ok", "ok", "ok"]


def test_an_old_sqlite_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_machine, "sqlite_versions", lambda: ("3.40.0", "3.40.0", False))
    assert levels(doctor_machine.versions(nothing)) == ["ok", "BAD", "note"]


@pytest.mark.parametrize(
    ("now", "latest", "synchronised", "expected"),
    [
        (1_800_000_000, None, "yes\n", ["ok", "ok"]),
        (1_800_000_000, 1_800_000_060, "no\n", ["ok", "note"]),
        (1_800_000_000, 1_800_000_061, None, ["BAD"]),
        (3_600, None, None, ["BAD"]),
        (5_000_000_000, None, None, ["BAD"]),
    ],
)
def test_the_clock(
    now: int, latest: int | None, synchronised: str | None, expected: list[str]
) -> None:
    assert levels(doctor_machine.clock(now, latest, lambda _: synchronised)) == expected


# ---- files


def entry(name: str, mode: int = 0o600, owner: int = 998, size: int = 1, links: int = 1) -> Entry:
    return Entry(Path("/data") / name, mode, owner, size, links)


HOME = Entry(Path("/data"), 0o700, 998, 1, 2)
OPEN_HOME = Entry(Path("/data"), 0o755, 998, 1, 2)


def test_rights() -> None:
    mine = [entry(FILE_NAME), entry(f"{FILE_NAME}-wal")]
    assert levels(doctor_files.rights(HOME, mine)) == ["ok"]
    assert levels(doctor_files.rights(HOME, [entry(FILE_NAME, mode=0o644)])) == ["ok"]
    assert levels(doctor_files.rights(OPEN_HOME, mine)) == ["note"]
    (found,) = doctor_files.rights(OPEN_HOME, [*mine, entry(f"{FILE_NAME}-shm", mode=0o644)])
    assert str(found).startswith("BAD  other users may read /data/fluxd.db-shm")
    (found,) = doctor_files.rights(HOME, [*mine, entry(f"{FILE_NAME}-shm", owner=0)])
    assert found.mend == "`sudo chown --reference=/data /data/fluxd.db-shm`"


def test_leftovers() -> None:
    assert levels(doctor_files.leftovers([entry(FILE_NAME), entry("fluxd.toml")])) == []
    copies = [
        entry(f"{FILE_NAME}.before-2", size=5_000_000),
        entry(f"{FILE_NAME}.before-restore-2"),
    ]
    (found,) = doctor_files.leftovers([entry(FILE_NAME), *copies])
    assert found.text == "earlier stores take 5 MB"
    (found,) = doctor_files.leftovers([entry(FILE_NAME, links=2), *copies])
    assert "it is no copy" in found.mend
    (found,) = doctor_files.leftovers([entry(f"{FILE_NAME}.partial")])
    assert "sudo rm /data/fluxd.db.partial" in found.mend


def test_a_large_log_is_told() -> None:
    log = f"{FILE_NAME}-wal"
    assert levels(doctor_files.log_size([entry(FILE_NAME, size=1 << 40), entry(log)])) == []
    (found,) = doctor_files.log_size([entry(log, size=300 << 20)])
    assert "fuser" in found.mend


@pytest.mark.parametrize(
    ("free", "daily", "level"),
    [
        (100_000_000, 0, "BAD"),
        (1_000_000_000, 0, "ok"),
        (1_000_000_000, 144_000_000, "note"),
        (100_000_000_000, 144_000_000, "ok"),
    ],
)
def test_free_space(free: int, daily: float, level: str) -> None:
    found = doctor_files.free_space(Path("/data"), free, daily)
    assert found.level == level
    assert ("come in a day" in found.text) is bool(daily)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ext4", ["ok"]), ("nfs4", ["BAD"]), ("tmpfs", ["note"]), ("overlay", ["note"]), ("", [])],
)
def test_file_systems(kind: str, expected: list[str]) -> None:
    assert levels(doctor_files.file_system(Path("/data"), kind)) == expected


def test_the_file_system_of_a_path_is_that_of_the_longest_mount() -> None:
    mounts = r"""1 0 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
2 1 0:5 / /var/lib\040x rw - xfs /dev/sdb rw
3 1 0:6 / /var rw - btrfs /dev/sdc rw
4 3 0:7 / /var rw - nfs4 server:/var rw
odd
"""
    of = doctor_files.file_system_of
    assert of(Path("/home"), mounts) == "ext4"
    assert of(Path("/var/lib x/fluxd"), mounts) == "xfs"
    assert of(Path("/var/lib/fluxd"), mounts) == "nfs4"
    assert of(Path("/various"), mounts) == "ext4"
    assert of(Path("/"), "") == ""


# ---- store


def facts(**changes: Any) -> Facts:
    usual = Facts(2, 2, "0.2.0", keys=2, metrics=7, latest=None, daily=0.0, refused=[])
    return dataclasses.replace(usual, **changes)


def test_contents() -> None:
    path = Path("/data") / FILE_NAME
    assert levels(doctor_store.contents(path, facts())) == ["ok", "ok"]
    assert levels(doctor_store.contents(path, facts(keys=0))) == ["ok", "note"]
    assert levels(doctor_store.contents(path, facts(schema=1))) == ["note", "ok"]
    assert levels(doctor_store.contents(path, facts(schema=3, written_by="9.9"))) == ["BAD", "ok"]
    refused = [Refusals("agent", "invalid key", 12, NOW), Refusals("", "no JSON", 1, NOW)]
    told = texts(doctor_store.contents(path, facts(refused=refused)))
    assert '12 requests of the key agent were refused, last at 2023-11-14 22:13Z, with "inv' in told
    assert "1 requests without a key" in told


# ---- service


def test_the_unit() -> None:
    def judge(
        installed: str | None = "unit", packaged: str | None = "unit", **changes: str
    ) -> list[str]:
        return levels(doctor_service.unit(UNIT | changes, installed, packaged, ours=True))

    assert judge() == ["ok"]
    assert judge(LoadState="not-found", ActiveState="inactive") == ["note"]
    assert judge(ActiveState="failed") == ["BAD"]
    assert judge(ActiveState="inactive", UnitFileState="disabled") == ["note", "note"]
    assert judge(NeedDaemonReload="yes") == ["ok", "note"]
    assert judge(installed="older") == ["ok", "note"]
    assert judge(installed="older", packaged=None) == ["ok"]
    assert (
        levels(doctor_service.unit(UNIT | {"ActiveState": "inactive"}, None, None, ours=False))
        == []
    )


def test_what_systemd_says_is_read(tmp_path: Path) -> None:
    unit = tmp_path / "fluxd.service"
    shown = "".join(f"{name}={value}\n" for name, value in UNIT.items())
    shown = shown.replace(UNIT["FragmentPath"], str(unit))
    assert levels(doctor_service.service(tmp_path, lambda _: shown)) == ["ok"]
    unit.write_text(doctor_service.packaged_unit() or "")
    assert levels(doctor_service.service(tmp_path, lambda _: shown)) == ["ok"]
    unit.write_text("[Unit]")
    assert levels(doctor_service.service(tmp_path, lambda _: shown)) == ["ok", "note"]
    assert levels(doctor_service.service(tmp_path, nothing)) == []


def test_the_unit_of_this_version_is_found() -> None:
    assert "ExecStart=" in (doctor_service.packaged_unit() or "")


def test_the_daemons_answer() -> None:
    def judge(health: tuple[int, str] | None, *, runs: bool = True) -> list[str]:
        return levels(doctor_service.reached(Address("127.0.0.1", 3589), health, runs=runs))

    assert judge((200, '{"status": "ok", "reasons": []}')) == ["ok"]
    assert judge((200, '{"status": "ok", "reasons": [], "warnings": ["a: b", "c"]}')) == [
        *("ok", "note", "note")
    ]
    assert judge((503, '{"status": "failing", "reasons": ["full: free some"]}')) == ["BAD"]
    assert judge(None) == ["BAD"]
    assert judge(None, runs=False) == ["note"]
    assert judge((200, "{}"), runs=False) == ["note"]
    for odd in ("<html>", "[]", '{"status": 1}'):
        assert judge((200, odd)) == ["BAD"]
    assert levels(doctor_service.daemon(Address("127.0.0.1", 0), runs=True)) == ["note"]


def test_the_daemons_metrics() -> None:
    page = """# HELP fluxd_job_failures_total Runs of a background job that failed.
fluxd_job_failures_total{job="probe"} 0
fluxd_job_failures_total{job="save states"} 3
fluxd_analysis_lag_seconds 1234.5
fluxd_store_bytes 1e+20
"""
    told = texts(doctor_service.jobs(page))
    assert 'the job "save states" failed 3 times' in told
    assert "lags 1,23" in told
    assert len(told.splitlines()) == 2


def test_the_journal() -> None:
    lines = "2026-01-01 fluxd[1]: full\n2026-01-02 fluxd[1]: \x1b[2Jodd\n"
    told = list(doctor_service.log(lambda _: lines))
    assert levels(told) == ["note", "note"]
    assert "\x1b" not in texts(told)
    assert levels(doctor_service.log(nothing)) == []


def test_programs_that_are_absent_fail_or_hang_say_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_program((sys.executable, "-c", "print(1)")) == "1\n"
    assert run_program((sys.executable, "-c", "print(1); raise SystemExit(3)")) is None
    assert run_program(("no-such-program-anywhere",)) is None
    monkeypatch.setattr(findings, "PATIENCE_S", 0.0)
    assert run_program((sys.executable, "-c", "import time; time.sleep(60)")) is None


# ---- all of it


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    with opened(data / FILE_NAME) as store:
        post(store, [("a", NOW, 1.0)])
    return data


def examined(data: Path, *, environ: dict[str, str] | None = None) -> str:
    settings = {"FLUXD_SERVER__LISTEN": "127.0.0.1:1", **(environ or {})}
    return texts(examine(data, None, settings, nothing))


def test_a_sound_installation(data: Path) -> None:
    told = examined(data)
    assert "BAD" not in told
    assert f"has schema {max(migrations())}" in told
    assert "1 key, 1 metrics" in told
    assert "no daemon runs here" in told
    assert "are their owner's alone" in told


def test_without_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "`fluxd serve` creates one" in examined(tmp_path)
    assert "`fluxd serve` creates it" in examined(tmp_path / "absent")

    def hidden(*_: object, **__: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", hidden)
    assert levels([doctor._missing(tmp_path) or Finding("ok", "")]) == ["BAD"]


def test_what_can_not_be_looked_at_is_a_finding(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / FILE_NAME).write_bytes(b"no database" * 1000)
    (data / f"{FILE_NAME}-wal").unlink(missing_ok=True)

    def fail(_: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "statvfs", fail)
    told = examined(data, environ={"FLUXD_SERVER__LISTEN": "nowhere"})
    assert "BAD  the store can't be read" in told
    assert "BAD  the disk can't be looked at: [Errno 5] Input/output error" in told
    assert "BAD  the configuration is wrong: server.listen is 'nowhere'" in told


def test_datapoints_of_the_future_and_refusals_are_found(data: Path) -> None:
    now = int(time.time())
    writer = open_writer(data / FILE_NAME)
    summary = (1, 60.0, 9, now, now + 3600, "learning")
    writer.execute("INSERT OR REPLACE INTO summaries VALUES (?, ?, ?, ?, ?, ?)", summary)
    writer.execute("INSERT INTO rejections VALUES ('k', 'r', ?, 'bad value', 0, '', 4)", (now,))
    writer.close()
    told = examined(data)
    assert "BAD  the clock says" in told
    assert "4 requests of the key k were refused" in told
    assert "at most 1 MB come in a day" in told


def test_a_daemon_that_can_not_be_reached_is_bad(data: Path) -> None:
    with DataLock(data):
        assert "BAD  a daemon runs here, but none answers at http://127.0.0.1:1" in examined(data)


def test_a_running_daemon_is_asked(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "data")
    address = daemon.url.removeprefix("http://")
    try:
        told = examined(tmp_path / "data", environ={"FLUXD_SERVER__LISTEN": address})
        assert f"ok   the daemon answers at http://{address}" in told
        assert "BAD" not in told
        other = examined(tmp_path, environ={"FLUXD_SERVER__LISTEN": address})
        assert "another program, or a fluxd on another directory, answers" in other
    finally:
        daemon.kill()


def test_a_newer_store_is_bad(data: Path) -> None:
    connection = apsw.Connection(str(data / FILE_NAME))
    connection.pragma("user_version", 99)
    connection.close()
    assert "BAD" in examined(data)
