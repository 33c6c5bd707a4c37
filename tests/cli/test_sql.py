"""`fluxd sql` as a user runs it: it answers, and it can't write."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import fluxd, until
from store.posting import NOW, opened, post

from fluxd.cli import main, sql
from fluxd.core.errors import StoreError
from fluxd.daemon.offline import connect_offline
from fluxd.store import shell
from fluxd.store.connection import FILE_NAME, open_writer
from fluxd.store.query import results

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data")
    with opened(path / FILE_NAME) as store:
        post(store, [("a", NOW, 0.5), ("b.c", NOW, 2.0), ("a", NOW + 60, -1e100)])
    return path


def ask(capsys: pytest.CaptureFixture[str], data: Path, query: str, *options: str) -> str:
    assert main(["sql", query, *options, "--data", str(data)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def test_an_answer_is_a_table(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = "SELECT * FROM datapoints WHERE metric LIKE 'a' ORDER BY timestamp; SELECT 1 AS x"
    assert ask(capsys, data, query).splitlines() == [
        "metric  timestamp   value",
        "------  ----------  -------",
        f"a       {NOW}  0.5",
        f"a       {NOW + 60}  -1e+100",
        "x",
        "-",
        "1",
    ]


def test_the_first_rows_decide_how_wide_a_table_is(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "HELD_ROWS", 2)
    monkeypatch.setattr(sql, "MAX_WIDTH", 4)
    said = ask(capsys, data, "VALUES ('1', 2), ('much too wide', 3), ('later', 4), ('x', 5)")
    assert said.splitlines() == [
        "column1  column2",
        "----  ----",
        "1     2",
        "much too wide  3",
        "later  4",
        "x     5",
    ]


def test_csv_and_json_come_back_as_they_were(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = (
        "SELECT metric, value, NULL AS absent, x'00ff' AS bytes, 'a,\"b\n' AS text FROM datapoints"
    )
    rows = list(
        csv.DictReader(ask(capsys, data, query, "--format", "csv").splitlines(keepends=True))
    )
    assert {row["metric"] for row in rows} == {"a", "b.c"}
    assert {(row["absent"], row["bytes"], row["text"]) for row in rows} == {("", "00ff", 'a,"b\n')}
    assert {float(row["value"]) for row in rows} == {0.5, 2.0, -1e100}
    objects = json.loads(ask(capsys, data, query, "--format", "json"))
    assert {one["value"] for one in objects} == {0.5, 2.0, -1e100}
    expected = {"metric": "a", "value": 0.5, "absent": None, "bytes": "00ff", "text": 'a,"b\n'}
    assert expected in objects
    assert all(list(one) == list(expected) for one in objects)
    assert json.loads(ask(capsys, data, "SELECT 9e999 AS x", "--format", "json")) == [{"x": None}]


@pytest.mark.parametrize(
    ("format_", "empty"), [("table", "x\n-\n"), ("csv", "x\n"), ("json", "[]\n")]
)
def test_an_answer_without_rows_has_its_columns(
    data: Path, capsys: pytest.CaptureFixture[str], format_: str, empty: str
) -> None:
    assert ask(capsys, data, "SELECT 1 AS x WHERE 0", "--format", format_) == empty
    assert ask(capsys, data, " -- nothing", "--format", format_) == ""


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM meta",
        "CREATE TEMP TABLE x (y)",
        "ATTACH '{}/other.db' AS other",
        "ATTACH 'file:{}/other.db?mode=rwc' AS other",
        "VACUUM INTO '{}/other.db'",
        "PRAGMA query_only = 0",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA locking_mode = EXCLUSIVE",
        "SELECT load_extension('x')",
        "REINDEX",
    ],
)
def test_nothing_can_be_written(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], query: str
) -> None:
    assert main(["sql", query.format(tmp_path), "--data", str(data)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("fluxd: ")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_sql_is_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for query, told in (("selec 1", 'near "selec"'), ("select x", "no such column: x")):
        assert main(["sql", query, "--data", str(data)]) == 1
        assert told in capsys.readouterr().err


def test_a_damaged_row_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path / FILE_NAME) as store:
        post(store, [("a", NOW, 0.5)])
    writer = open_writer(tmp_path / FILE_NAME)
    writer.execute("INSERT INTO blocks VALUES (1, 3600, 0, 1, 1, 5, 0, x'00')")
    writer.close()
    assert main(["sql", "SELECT * FROM datapoints", "--data", str(tmp_path)]) == 1
    assert "see `fluxd check`" in capsys.readouterr().err


def test_a_reader_that_has_enough_ends_it(data: Path) -> None:
    query = ENDLESS.format("i")
    command = f"{sys.executable} -m fluxd sql '{query}' --data {data} | head -n 3"
    outcome = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert outcome.stdout.splitlines() == ["i", "-----", "1"]
    assert outcome.stderr == ""


# What a terminal starts heeds SIGINT; what a shell has started in the background ignores it, and so
# do its children, these tests' included.
HEEDING = (
    "import signal, sys; from fluxd.cli import main;"
    " signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
)


def test_ctrl_c_ends_a_long_statement(data: Path) -> None:
    command = [sys.executable, "-c", HEEDING, "sql", ENDLESS.format("count(*)"), "--data", data]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until(lambda: FILE_NAME in " ".join(open_files(process.pid)))
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
        finally:
            process.kill()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def open_files(process: int) -> Iterator[str]:
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        if descriptor.is_symlink():
            yield str(descriptor.readlink())


def test_statements_come_from_a_pipe_too(data: Path) -> None:
    outcome = fluxd("sql", "--data", str(data), input="select 1;\nselect\n2;")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "1\n2\n", "")
    outcome = fluxd("sql", "--data", str(data), input="delete from meta;\nselect 2;")
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert "attempt to write a readonly database" in outcome.stderr


def test_a_person_gets_a_prompt(data: Path, tmp_path: Path) -> None:
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fluxd", "sql", "--data", data],
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env={**os.environ, "HOME": str(tmp_path), "TERM": "dumb"},
    )
    os.close(its_end)
    said = b""

    def read_on(wanted: bytes) -> bool:
        nonlocal said
        said += os.read(terminal, 10_000)
        return wanted in said

    until(lambda: read_on(b"fluxd> "))
    for line, answer in (
        (b"select 40 + 2;\n", b"42"),
        (b".open other.db\n", b"reads the store only"),
        (b"delete from meta;\n", b"readonly"),
    ):
        os.write(terminal, line)
        until(lambda answer=answer: read_on(answer))
    os.write(terminal, b".quit\n")
    assert process.wait(30) == 0
    os.close(terminal)
    assert b"Views: datapoints" in said


def test_what_is_typed_is_kept_only_where_this_user_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert shell._history_file() == str(tmp_path / ".sqlite_history")
    monkeypatch.setenv("HOME", str(tmp_path / "absent"))
    assert shell._history_file() == os.devnull


def test_a_query_outside_of_the_command_line(data: Path) -> None:
    with connect_offline(data) as connection:
        assert list(results(connection, "SELECT 1 AS x")) == [("x",), (1,)]
        with pytest.raises(StoreError, match="only reads"):
            list(results(connection, "DROP TABLE meta"))
