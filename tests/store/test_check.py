"""`fluxd check`'s questions: a sound store has no problems, and each kind of damage is told."""

import json
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import apsw
import numpy as np
import pytest
from store.posting import AGENT, NOW, batch_of, opened, post

from fluxd.core.bands import Band
from fluxd.core.retention import Retention
from fluxd.jobs.sealing import Sealer
from fluxd.store import check_rows
from fluxd.store import problems as problems_module
from fluxd.store.bands import pack, write_bands
from fluxd.store.check import check_store
from fluxd.store.check_rows import knows
from fluxd.store.connection import FILE_NAME, open_reader, open_writer, transaction
from fluxd.store.history import write_history
from fluxd.store.places import DAY_S, HOUR_S, WEEK_S, place_of
from fluxd.store.problems import Problem

WEEK = NOW // WEEK_S * WEEK_S - 4 * WEEK_S


@pytest.fixture
def path(folder: Path) -> Path:
    """Make a store with something in every part: blocks of three lengths, rollups, bands."""
    path = folder / FILE_NAME
    with opened(path) as store:
        post(store, [(name, NOW - 60 * n, n / 7) for n in range(200) for name in ("a", "b")])

        def more(connection: apsw.Connection) -> None:
            rng = np.random.default_rng(1)
            for series, step in ((1, 60), (2, 300)):
                seconds = np.arange(WEEK, WEEK + WEEK_S + 2 * DAY_S, step)
                write(connection, series, seconds, rng.normal(0, 9, len(seconds)).round(3))
            seconds = WEEK + 2 * WEEK_S + 7 * np.arange(50) ** 2
            write_history(
                connection, 1, seconds, np.arange(50.0), now=int(seconds[-1]) + 1, levels=(HOUR_S,)
            )
            times = np.arange(NOW - 600, NOW, 60)
            band = Band(times, *(np.arange(10.0) + n for n in (1, 0, 2)), np.full(10, 0.25))
            write_bands(connection, pack([(1, band), (2, band)]), now=NOW)

        store.writer.run(more)
    return path


def write(
    connection: apsw.Connection, series: int, seconds: np.ndarray, values: np.ndarray
) -> None:
    """Write the first week as a week's block, and the rest as days' and hours'."""
    for start, stop, now in (
        (WEEK, WEEK + WEEK_S, WEEK + 2 * WEEK_S),
        (WEEK + WEEK_S, WEEK + WEEK_S + DAY_S, WEEK + WEEK_S + 3 * DAY_S),
        (WEEK + WEEK_S + DAY_S, WEEK + 2 * WEEK_S, WEEK + WEEK_S + DAY_S),
    ):
        first, last = np.searchsorted(seconds, [start, stop])
        write_history(connection, series, seconds[first:last], values[first:last], now=now)


def problems(path: Path) -> dict[str, list[Problem]]:
    reader = open_reader(path)
    try:
        found: dict[str, list[Problem]] = {}
        for part, problem in check_store(reader):
            assert problem.mend
            found.setdefault(part, []).append(problem)
        return found
    finally:
        reader.close()


def change(path: Path, sql: str, *bindings: object) -> None:
    writer = open_writer(path)
    writer.pragma("foreign_keys", 0)
    with transaction(writer):
        writer.execute(sql, bindings)
        assert writer.changes()
    writer.close()


def told(path: Path, part: str) -> str:
    """Return what is told of a part, which is the only one with problems."""
    found = problems(path)
    assert list(found) == [part]
    return "\n".join(problem.what for problem in found[part])


def test_a_sound_store_has_no_problems(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = open_reader(path)
    lengths = {length for (length,) in reader.execute("SELECT length FROM blocks")}
    assert lengths == {HOUR_S, DAY_S, WEEK_S}
    reader.close()
    assert problems(path) == {}
    monkeypatch.setattr(problems_module, "ROWS", 3)
    assert problems(path) == {}


def test_an_empty_store_has_no_problems(folder: Path) -> None:
    with opened(folder / FILE_NAME):
        pass
    assert problems(folder / FILE_NAME) == {}


def test_progress_is_told_of_every_part(path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    reader = open_reader(path)
    assert list(check_store(reader, lambda *what: seen.append(what))) == []
    reader.close()
    assert {what for what, _, _ in seen} >= {"views", "blocks", "day rollups", "bands", "metrics"}
    assert all(0 <= done <= total for _, done, total in seen)


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ("body = x'00112233'", "can't be decoded"),
        ("body = substr(body, 1, length(body) / 2)", "can't be decoded"),
        ("count = count + 1", "datapoints, not"),
        ("size = size + 1", "bytes of JSON, not"),
        ("length = 5000", "no proper span"),
        ("length = 0", "no proper span"),
        ("start = start - 3600", "outside its span"),
        ("start = start + 700000", "outside its span"),
        ("step = 0", "don't ascend"),
        ("step = -step", "don't ascend"),
        ("body = '[]', size = 2, count = 0", "is empty"),
    ],
)
def test_a_block_that_is_not_what_it_says_is_told(path: Path, assignment: str, fault: str) -> None:
    place = place_of(WEEK, 1)
    assignment = assignment.replace("'[]'", "x'5b5d'")
    change(path, f"UPDATE blocks SET {assignment} WHERE place = ?", place)
    found = problems(path)
    (problem, *more) = found["blocks"]
    assert fault in problem.what
    assert "the block of a for" in problem.what
    assert f"DELETE FROM blocks WHERE place = {place}" in problem.mend
    assert all("another block" in other.what or "rollup" in other.what for other in more)


def test_a_block_that_does_not_begin_at_its_start_is_told(path: Path) -> None:
    body = zlib.compress(b'{"60":1,"120":2}')
    change(
        path,
        "UPDATE blocks SET body = ?, size = 16, count = 2, step = 1 WHERE place = ?",
        body,
        place_of(WEEK, 1),
    )
    assert "does not begin at its start" in told(path, "blocks")


@pytest.mark.parametrize("length", [HOUR_S, DAY_S])
def test_seconds_that_two_blocks_have_are_told(path: Path, length: int) -> None:
    label = WEEK + 3 * DAY_S
    change(
        path,
        "INSERT INTO blocks VALUES (?, ?, ?, 60, 1, 3, 0, CAST('[1]' AS BLOB))",
        place_of(label, 1),
        length,
        label,
    )
    assert "seconds that another block has too" in problems(path)["blocks"][0].what


def test_a_block_that_was_merged_while_it_was_looked_at_is_no_problem(path: Path) -> None:
    """A day's hours become one block with the label of the first; the later ones are gone then."""
    ends = check_rows.Ends()
    hour = check_rows.Block(place_of(WEEK + HOUR_S, 1), HOUR_S, WEEK + HOUR_S, 60, 1, 3, b"[1]")
    day = check_rows.Block(place_of(WEEK, 1), DAY_S, WEEK, 60, 1, 3, b"[1]")
    assert ends.add(day) == 0
    assert ends.add(hour) == WEEK + DAY_S
    reader = open_reader(path)
    assert check_rows._is_covered(reader, hour)
    reader.close()
    change(path, "DELETE FROM blocks WHERE place = ?", place_of(WEEK, 1))
    reader = open_reader(path)
    assert not check_rows._is_covered(reader, hour)
    reader.close()


@pytest.mark.parametrize("table", ["blocks", "day_rollups", "bands", "recent_late", "recent_2"])
def test_rows_of_no_metric_are_told(path: Path, table: str) -> None:
    change(path, "INSERT INTO series (id, name, key, created) VALUES (9, 'z', 1, 1)")
    change(path, f"UPDATE {table} SET place = place + 7 WHERE (place & 536870911) = 2")
    assert problems(path) == {}
    change(path, "DELETE FROM series WHERE id = 9")
    part = "recent datapoints" if "recent" in table else table.replace("day_", "")
    found = problems(path).get(part, [])
    assert any("no metric" in problem.what for problem in found), problems(path)


def test_recent_datapoints_in_the_wrong_table_are_told(path: Path) -> None:
    change(path, "INSERT INTO recent_3 SELECT place + 1, value, seq, 0 FROM recent_2 LIMIT 1")
    found = problems(path)["recent datapoints"]
    assert any("hours of other tables" in problem.what for problem in found)


@pytest.mark.parametrize(
    "change_hour",
    [
        lambda hour: [hour[0], hour[1], hour[2], hour[3] - 1],
        lambda hour: [hour[0] + 1, hour[1], hour[1], hour[3]],
        lambda hour: [hour[0], hour[1], hour[2] + 1e-3, hour[3]],
        lambda hour: hour.clear(),
    ],
)
def test_a_rollup_that_knows_less_than_its_datapoints_is_told(
    path: Path, change_hour: Callable[[list[float]], list[float] | None]
) -> None:
    reader = open_reader(path)
    place = place_of(WEEK + DAY_S, 1)
    (hours,) = reader.execute(
        "SELECT json(sqlar_uncompress(body, size)) FROM day_rollups WHERE place = ?", (place,)
    ).fetchone()
    reader.close()
    rows = json.loads(hours)
    rows[5] = change_hour(rows[5])
    text = json.dumps(rows).encode()
    change(
        path,
        "UPDATE day_rollups SET size = ?, body = ? WHERE place = ?",
        len(text),
        zlib.compress(text),
        place,
    )
    assert "the rollup of a for the hour" in told(path, "blocks")


def test_a_rollup_may_know_more_and_may_be_gone(path: Path) -> None:
    change(path, "DELETE FROM day_rollups WHERE place = ?", place_of(WEEK, 1))
    assert problems(path) == {}
    assert knows((0.0, 9.0, 4.0, 8), (1.0, 5.0, 3.0, 3))
    assert not knows(None, (1.0, 5.0, 3.0, 3))


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ("body = x'00112233'", "can't be decoded"),
        ("size = size + 1", "bytes of JSON, not"),
        ("place = place + (60 << 29)", "no proper day"),
    ],
)
def test_a_damaged_rollup_is_told(path: Path, assignment: str, fault: str) -> None:
    change(path, f"UPDATE day_rollups SET {assignment} WHERE place = ?", place_of(WEEK, 1))
    found = problems(path)["rollups"]
    assert fault in found[0].what
    assert "DELETE FROM day_rollups" in found[0].mend


def test_a_rollup_out_of_order_is_told(path: Path) -> None:
    text = b"[[3,2,1,4]" + b",null" * 23 + b"]"
    change(
        path,
        "UPDATE day_rollups SET size = ?, body = ? WHERE place = ?",
        len(text),
        text,
        place_of(WEEK, 1),
    )
    assert "out of order" in problems(path)["rollups"][0].what


@pytest.mark.parametrize(
    "assignment",
    ["body = x'00'", "count = count + 1", "last = last + 60", "body = zeroblob(40)", "count = -1"],
)
def test_a_damaged_band_is_told(path: Path, assignment: str) -> None:
    change(path, f"UPDATE bands SET {assignment} WHERE (place & 536870911) = 1")
    assert "can't be decoded" in told(path, "bands")


def test_evidence_that_is_no_json_is_told(path: Path) -> None:
    stretch = "(1, 1, 5, 6, 5, 1, 1, 1, 1, .5, 'up', 'spike', '', '{', 0, 'normal', NULL, NULL)"
    change(path, f"INSERT INTO stretches VALUES {stretch}")
    assert "the evidence of anomaly 1 of a is no JSON" in told(path, "anomalies")


def test_an_incident_that_has_lost_an_anomaly_is_told(path: Path) -> None:
    stretch = "(1, 1, 5, 6, 5, 1, 1, 1, 1, .5, 'up', 'spike', '', '{}', 0, 'normal', NULL, NULL)"
    change(path, f"INSERT INTO stretches VALUES {stretch}")
    incident = "(1, 'open', 'low', 5, NULL, 5, 5, 1, 2, 1, 1, 't', 'e', NULL, 0, NULL, NULL, 5, 0)"
    change(path, f"INSERT INTO incident_rows VALUES {incident}")
    change(path, "INSERT INTO incident_members VALUES (1, 1, 1, NULL, NULL, NULL)")
    assert "incidents" not in problems(path)  # it waits to be grouped
    change(path, "DELETE FROM incident_queue")
    assert "incident 1 counts 2 anomalies and has 1" in told(path, "incidents")


def test_what_sqlite_finds_is_told(path: Path) -> None:
    change(path, "UPDATE series SET key = 77 WHERE id = 1")
    assert "foreign_key_check: series row 1 has no keys" in told(path, "file")


def test_a_damaged_page_is_told_and_the_rest_is_looked_at(path: Path) -> None:
    reader = open_reader(path)
    (page,) = reader.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'bands'").fetchone()
    reader.close()
    open_writer(path).close()  # nothing in the log any more
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    found = problems(path)
    assert "fluxd restore" in found["file"][0].mend
    assert "bands can't be read to the end" in found["bands"][0].what
    assert set(found) == {"file", "bands"}


def test_a_damaged_index_has_a_mend_of_its_own(path: Path) -> None:
    """An index that was away while a row came."""
    index = "FROM sqlite_schema WHERE name = 'stretches_by_time'"
    connection = apsw.Connection(str(path))
    entry = connection.execute(f"SELECT * {index}").fetchone()
    connection.execute(f"PRAGMA writable_schema = 1; DELETE {index}").fetchall()
    connection.close()
    connection = apsw.Connection(str(path))
    stretch = "(1, 1, 5, 6, 5, 1, 1, 1, 1, .5, 'up', 'spike', '', '{}', 0, 'normal', NULL, NULL)"
    connection.execute(f"INSERT INTO stretches VALUES {stretch}")
    connection.execute("PRAGMA writable_schema = 1").fetchall()
    connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", entry)
    connection.close()
    found = problems(path)["file"]
    assert "stretches_by_time" in found[0].what
    assert "REINDEX" in found[0].mend


def test_a_view_that_can_not_be_read_is_told(path: Path) -> None:
    writer = open_writer(path)
    writer.execute("DROP VIEW anomalies")
    writer.close()
    assert "the view anomalies can't be read" in told(path, "views")


def test_a_view_that_differs_from_the_api_is_told(path: Path) -> None:
    writer = open_writer(path)
    writer.execute("DROP VIEW datapoints")
    writer.execute("CREATE VIEW datapoints (metric, timestamp, value) AS SELECT 'a', 1, 2.0")
    writer.close()
    assert "a has in the view datapoints" in told(path, "metrics")


def test_only_the_file_of_another_schema_is_looked_at(path: Path) -> None:
    writer = open_writer(path)
    writer.pragma("user_version", 1)
    writer.close()
    assert "only the file is checked" in told(path, "schema")


def test_a_store_that_changes_meanwhile_has_no_problems(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two reads datapoints come, are sealed, merged and pruned."""
    monkeypatch.setattr(problems_module, "ROWS", 2)
    rng = random.Random(7)
    retention = Retention(raw_s=8 * DAY_S, rollup_s=8 * DAY_S)
    with opened(folder / FILE_NAME) as store:
        clock = [NOW]
        sealer = Sealer(store, lambda: store.writer.last_seq, retention, budget_s=0.0)

        def live_on(*_: object) -> None:
            clock[0] += rng.choice([60, 1800, 7200])
            rows = [
                (name, clock[0] - rng.randrange(10 * DAY_S), rng.random(), True) for name in "abc"
            ]
            store.writer.submit(batch_of(store, AGENT, rows, now=clock[0]))
            for _ in range(rng.randrange(40)):
                sealer.run(clock[0])

        for _ in range(120):
            live_on()
        lengths: set[int] = set()
        for _ in range(3):
            reader = open_reader(folder / FILE_NAME)
            assert list(check_store(reader, live_on)) == []
            rows = reader.execute("SELECT DISTINCT length FROM blocks").fetchall()
            lengths |= {length for (length,) in rows}
            reader.close()
        assert lengths == {HOUR_S, DAY_S}
        assert sealer.sealed
