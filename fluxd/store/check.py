"""`fluxd check`: whether a store is sound, part by part, while a daemon may write to it.

Each part is a generator of problems. SQLite's own check of the file is one statement, and so one
transaction; all that follows reads some hundred rows at a time, so that the log can be reset
meanwhile and the daemon may seal, merge and prune between two reads.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import apsw
import numpy as np

from fluxd.store.blocks import Floats, Ints
from fluxd.store.check_rows import check_bands, check_blocks, check_rollups
from fluxd.store.connection import transaction
from fluxd.store.copying import Progress, nothing_shown, run_check
from fluxd.store.datapoints import read_datapoints
from fluxd.store.migrate import migrations, schema_of
from fluxd.store.places import (
    HOUR_S,
    HOUR_TABLES,
    LATEST,
    RECENT_TABLES,
    SERIES_BITS,
    SERIES_MASK,
)
from fluxd.store.problems import RESTORE, Problem, exists

# Metrics of which the view is compared with what the API reads.
SAMPLE = 20

VIEWS = ("datapoints", "datapoints_recent", "metrics", "anomalies", "incidents", "rollups")


def check_store(
    reader: apsw.Connection, progress: Progress = nothing_shown
) -> Iterator[tuple[str, Problem]]:
    """Yield the name of a part and a problem of it; `reader` is in no transaction."""
    parts: dict[str, Callable[[apsw.Connection, Progress], Iterator[Problem]]]
    parts = {"file": check_file}
    schema, newest = schema_of(reader), max(migrations())
    if schema == newest:
        parts |= {
            "views": check_views,
            "recent datapoints": check_recent,
            "blocks": check_blocks,
            "rollups": check_rollups,
            "bands": check_bands,
            "anomalies": check_anomalies,
            "incidents": check_incidents,
            "metrics": check_sample,
        }
    else:
        yield (
            "schema",
            Problem(
                f"the schema is {schema}, this fluxd's is {newest}: only the file is checked",
                "start the daemon of the newer version once: it brings an older store up to date",
            ),
        )
    for name, part in parts.items():
        try:
            for problem in part(reader, progress):
                yield name, problem
        except (apsw.Error, zlib.error) as error:  # zlib's comes out of sqlar_uncompress
            yield name, Problem(f"{name} can't be read to the end: {error}", RESTORE)


# ---- the file, and what SQLite knows of it


def check_file(reader: apsw.Connection, progress: Progress) -> Iterator[Problem]:
    """Yield what SQLite's integrity check and foreign key check find."""
    for fault in run_check(reader, "integrity_check", progress):
        index = "index" in fault
        yield Problem(
            f"integrity_check: {fault}",
            "stop the daemon, then `sqlite3 fluxd.db REINDEX`" if index else RESTORE,
        )
    for table, row, parent, _ in reader.execute("PRAGMA foreign_key_check"):
        yield Problem(f"foreign_key_check: {table} row {row} has no {parent}", RESTORE)


def check_views(reader: apsw.Connection, progress: Progress) -> Iterator[Problem]:
    """Yield the views that can't be read."""
    for done, view in enumerate(VIEWS):
        progress("views", done, len(VIEWS))
        try:
            reader.execute(f"SELECT * FROM {view} LIMIT 100").fetchall()
        except (apsw.Error, zlib.error) as error:
            yield Problem(
                f"the view {view} can't be read: {error}",
                "see what is told of blocks and rollups; if nothing is, restore a backup",
            )


# ---- the recent tier


def check_recent(reader: apsw.Connection, progress: Progress) -> Iterator[Problem]:
    """Yield what is wrong with the recent tier: the wrong table, or no series."""
    for done, table in enumerate(RECENT_TABLES):
        progress("recent datapoints", done, len(RECENT_TABLES))
        if table in HOUR_TABLES:
            number = HOUR_TABLES.index(table)
            strays = _count(
                reader,
                f"{table} WHERE (place >> {SERIES_BITS}) / {HOUR_S} % {len(HOUR_TABLES)}"
                f" != {number}",
            )
            if strays:
                yield Problem(
                    f"{table} has {strays:,} datapoints of hours of other tables", RESTORE
                )
        orphans = _count(
            reader,
            f"{table} WHERE NOT EXISTS"
            f" (SELECT 1 FROM series WHERE id = {table}.place & {SERIES_MASK})",
        )
        if orphans:
            yield Problem(f"{table} has {orphans:,} datapoints of no metric", RESTORE)


def _count(reader: apsw.Connection, rest: str) -> int:
    row: Any = reader.execute(f"SELECT count(*) FROM {rest}").fetchone()
    return int(row[0])


def check_anomalies(reader: apsw.Connection, _progress: Progress) -> Iterator[Problem]:
    """Yield anomalies whose evidence can't be read."""
    for number, name in reader.execute(
        "SELECT stretches.id, series.name FROM stretches JOIN series ON series.id = series"
        " WHERE NOT json_valid(evidence)"
    ).fetchall():
        yield Problem(f"the evidence of anomaly {number} of {name} is no JSON", RESTORE)


def check_incidents(reader: apsw.Connection, _progress: Progress) -> Iterator[Problem]:
    """Yield incidents whose anomalies are not those that they count, but for what is queued."""
    if exists(reader, "incident_queue"):
        return  # a daemon is about to group them, or will be
    for number, told, found in reader.execute(
        "SELECT incident_rows.id, anomalies, count(stretches.id) FROM incident_rows"
        " LEFT JOIN incident_members ON incident_members.incident = incident_rows.id"
        " LEFT JOIN stretches ON stretches.id = incident_members.anomaly"
        " GROUP BY incident_rows.id HAVING anomalies != count(stretches.id)"
    ).fetchall():
        yield Problem(f"incident {number} counts {told} anomalies and has {found}", RESTORE)


# ---- views and API


def check_sample(reader: apsw.Connection, progress: Progress) -> Iterator[Problem]:
    """Yield metrics of which the view `datapoints` and the API do not say the same.

    All of up to SAMPLE metrics, which are spread over the ids.
    """
    row: Any = reader.execute("SELECT coalesce(max(id), 0) FROM series").fetchone()
    wanted = np.unique(np.linspace(1, row[0], SAMPLE).astype(np.int64)).tolist()
    for done, series in enumerate(wanted):
        progress("metrics", done, len(wanted))
        with transaction(reader, "DEFERRED"):
            found: Any = reader.execute(
                "SELECT id, name FROM series WHERE id >= ? AND deleted IS NULL ORDER BY id LIMIT 1",
                (series,),
            ).fetchone()
            problem = _compare_views(reader, *found) if found else None
        if problem is not None:
            yield problem


def _compare_views(reader: apsw.Connection, series: int, name: str) -> Problem | None:
    try:
        view: Any = reader.execute(
            "SELECT count(*), min(timestamp), max(timestamp), min(value), max(value)"
            " FROM datapoints WHERE metric = ?",
            (name,),
        ).fetchone()
        api = _summed_up(*read_datapoints(reader, series, 0, LATEST, LATEST))
    except (apsw.SQLError, ValueError, zlib.error) as error:
        return Problem(f"{name} can't be read: {error}", "see what is told of its blocks")
    if view == api:
        return None
    return Problem(
        f"{name} has in the view datapoints (count, first, last, least, most) {view}, but {api} "
        "in the API",
        "see what is told of its blocks; if nothing is, this is a fault of fluxd's: report it",
    )


def _summed_up(timestamps: Ints, values: Floats) -> tuple[Any, ...]:
    if not len(timestamps):
        return (0, None, None, None, None)
    ends = int(timestamps[0]), int(timestamps[-1])
    return (len(timestamps), *ends, float(values.min()), float(values.max()))
