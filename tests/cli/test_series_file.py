"""One file gives `fluxd import` and `fluxd replay` the same datapoints, and the same complaints."""

import gzip
import time
from pathlib import Path

import pytest
from running import fluxd

NOW = int(time.time())


def stored(data: Path, metric: str) -> list[str]:
    sql = f"SELECT timestamp, value FROM datapoints WHERE metric = '{metric}' ORDER BY timestamp"
    return fluxd("sql", sql, "--format", "csv", "--data", str(data)).stdout.splitlines()[1:]


def test_the_same_datapoints_come_of_it(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    rows = [
        "value,host,timestamp",
        f"3,web,{NOW - 60}",
        f"1,web,{NOW - 180}",
        f"9,web,{NOW - 120}",
        f"2,web,{NOW - 120}",
        f"4,web,{NOW + 90_000}",
        f"5,db,{NOW - 30}",
        "6,web,0",
    ]
    file.write_bytes("\n".join(["\ufeff" + rows[0], *rows[1:]]).encode() + b"\n7,web,\xff\n")
    replayed = fluxd("replay", str(file), "--scores", "--data", str(data))
    imported = fluxd("import", "a", str(file), "--data", str(data))
    expected = [f"{NOW - 180},1.0", f"{NOW - 120},2.0", f"{NOW - 60},3.0"]
    assert stored(data, "a") == expected
    rows = [",".join(line.split(",")[:2]) for line in replayed.stdout.splitlines()[1:]]
    assert rows == expected
    assert imported.stderr == replayed.stderr
    for part in ("line 7 left out: it is of 'db'", "line 9", "in the future", "the same second"):
        assert part in imported.stderr


@pytest.mark.parametrize(
    ("content", "fix"),
    [
        (b"", "it is empty, and rows must be timestamp,value"),
        (b"timestamp,value\n", "nothing follows its header; rows must be timestamp,value"),
        (b'{"timestamp": 1700000000, "value": 1}\n', "it is JSON, and rows must be"),
        ("timestamp,value\n".encode("utf-16"), "`iconv -f UTF-16 -t UTF-8 FILE | COMMAND` reads"),
        (gzip.compress(b"1700000000,1", mtime=0), "it is compressed; `zcat FILE | COMMAND` reads"),
        (b"PK\x03\x04\x14\x00", "it is compressed; `unzip -p FILE | COMMAND` reads it"),
        (bytes(range(1, 256)) * 9, "it is no text in UTF-8, and rows must be"),
        (b"1700000000,1\0\n", "it is no text in UTF-8, and rows must be"),
        (b"1700000000;1,5\n", "put a comma in place of the semicolon, and a point in numbers"),
        (b"99999999999,7\n", "1 line left out: more than a minute in the future"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_its_mend(
    data: Path, tmp_path: Path, content: bytes, fix: str
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    for command in (["import", "a"], ["replay"]):
        for source in (str(file), "-"):
            with file.open("rb") as stdin:
                outcome = fluxd(*command, source, "--data", str(data), stdin=stdin)
            assert (outcome.returncode, outcome.stdout) == (1, "")
            (told,) = outcome.stderr.splitlines()
            again = f"fluxd {' '.join(command)} -"
            assert fix.replace("FILE", source).replace("COMMAND", again) in told
    assert stored(data, "a") == []
