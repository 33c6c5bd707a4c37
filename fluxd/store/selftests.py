"""The nightly self-test: which metrics it takes, their recent history, and what it has found."""

import dataclasses
import json
import random
from typing import Any

import apsw

from fluxd.core.selftest import MOST_LEARNT, MOST_TRIED, Outcome
from fluxd.store import blocks
from fluxd.store.blocks import Floats, Ints
from fluxd.store.datapoints import read_datapoints
from fluxd.store.metrics import read_summary
from fluxd.store.places import DAY_S, LATEST
from fluxd.store.series import top_id

METRICS = 50  # that are tested
KEPT = 30  # results
SERIES_ROWS = MOST_LEARNT + MOST_TRIED
HISTORY_S = 8 * DAY_S  # what is further back is not recent
LEAST_INTERVAL_S = 1.0

# Metrics that are looked at, for each that is wanted: some have little history, or are constant.
CANDIDATES = 4

_LIVE = "FROM series WHERE retired IS NULL AND deleted IS NULL"


def sample_series(reader: apsw.Connection, day: int, count: int) -> list[tuple[int, str]]:
    """Return (id, name) of CANDIDATES * `count` live series at most, others on another day."""
    chance = random.Random(f"self-test {day}")  # noqa: S311  # no secret
    wanted = CANDIDATES * count
    rows: list[Any] = reader.execute(
        f"SELECT id, name {_LIVE} ORDER BY id LIMIT ?", (wanted + 1,)
    ).fetchall()
    if len(rows) <= wanted:
        chance.shuffle(rows)
        return rows
    top, drawn = top_id(reader), {}
    for _ in range(2 * wanted):
        row: Any = reader.execute(
            f"SELECT id, name {_LIVE} AND id >= ? ORDER BY id LIMIT 1", (chance.randint(1, top),)
        ).fetchone()
        if row is not None:
            drawn[row[0]] = row[1]
        if len(drawn) == wanted:
            break
    return list(drawn.items())


def read_recent(reader: apsw.Connection, series: int, day: int) -> tuple[Ints, Floats]:
    """Return the last datapoints of a series, SERIES_ROWS of HISTORY_S at most.

    None of one that fell silent: that had no datapoint since the day before `day` began.
    """
    summary = read_summary(reader, series)
    if summary is None or summary.last < (day - 1) * DAY_S:
        return blocks.NOTHING
    interval = max(summary.interval or LEAST_INTERVAL_S, LEAST_INTERVAL_S)
    since = summary.last - min(HISTORY_S, round(SERIES_ROWS * interval))
    timestamps, values = read_datapoints(reader, series, since, LATEST, 2 * SERIES_ROWS)
    return timestamps[-SERIES_ROWS:], values[-SERIES_ROWS:]


def write_outcome(connection: apsw.Connection, outcome: Outcome) -> None:
    """Store what a self-test has found, in place of its day's earlier one; keep the last ones."""
    connection.execute(
        "INSERT OR REPLACE INTO selftests (day, outcome) VALUES (?, ?)",
        (outcome.day, json.dumps(dataclasses.asdict(outcome))),
    )
    connection.execute(
        "DELETE FROM selftests WHERE day NOT IN"
        " (SELECT day FROM selftests ORDER BY day DESC LIMIT ?)",
        (KEPT,),
    )


def read_outcomes(reader: apsw.Connection) -> list[dict[str, Any]]:
    """Return what the self-tests have found, the latest first."""
    rows: list[Any] = reader.execute("SELECT outcome FROM selftests ORDER BY day DESC").fetchall()
    return [json.loads(text) for (text,) in rows]
