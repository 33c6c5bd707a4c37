"""`fluxd sql`: a shell on the store that can only read, or one query's answer."""

import argparse
import csv
import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from fluxd.cli.options import add_command
from fluxd.core.errors import FluxdError
from fluxd.daemon.offline import connect_offline
from fluxd.store.query import Columns, Row, results

# Rows that are fetched before any is printed. A result that ends within them does not keep the
# store's log from being reset while somebody reads it in a pager.
HELD_ROWS = 50_000

# Characters up to which a column of a table is as wide as its widest cell.
MAX_WIDTH = 80

FORMATS = ("table", "csv", "json")


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(commands, "sql", "ask the store in SQL; it can only be read")
    parser.add_argument(
        "query", metavar="SELECT", nargs="?", help="what to ask (default: a shell to ask in)"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="how to print the answer (default: table)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the answer to a query, or start the shell."""
    with connect_offline(arguments.data) as connection:
        if arguments.query is None:
            # It takes 70 ms to import, which only a person at a prompt should wait for.
            from fluxd.store.shell import interact  # noqa: PLC0415

            interact(connection)
            return 0
        if not arguments.query.strip():
            raise FluxdError(
                'there is nothing to ask: `fluxd sql "SELECT * FROM metrics"`, or `fluxd sql` for '
                "a shell"
            )
        answer = results(connection, arguments.query)
        held = list(itertools.islice(answer, HELD_ROWS))
        write = {"table": _write_table, "csv": _write_csv, "json": _write_json}[arguments.format]
        for columns, rows in _by_statement(itertools.chain(held, answer)):
            write(columns, rows)
        sys.stdout.flush()  # here a reader that has gone is noticed
    return 0


def _by_statement(answer: Iterable[Columns | Row]) -> Iterator[tuple[Columns, Iterator[Row]]]:
    """Yield the columns of each result with its rows, which are to be taken before the next."""
    waiting = iter(answer)
    following: list[Columns] = []

    def rows() -> Iterator[Row]:
        for row in waiting:
            if isinstance(row, Columns):
                following.append(row)
                return
            yield row

    for row in waiting:
        if isinstance(row, Columns):
            following.append(row)
            break
    while following:
        yield following.pop(), rows()


def _write_table(columns: Columns, rows: Iterator[Row]) -> None:
    """Print aligned columns; wide cells of later rows stand out rather than be cut."""
    some = [[_cell(value) for value in row] for row in itertools.islice(rows, HELD_ROWS)]
    widths = [
        min(MAX_WIDTH, max([len(name), 1, *(len(row[at]) for row in some)]))
        for at, name in enumerate(columns)
    ]
    ruler = ["-" * width for width in widths]
    later = ([_cell(value) for value in row] for row in rows)
    for cells in itertools.chain([list(columns), ruler], some, later):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        print("  ".join(padded).rstrip())


def _write_csv(columns: Columns, rows: Iterator[Row]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_hex(value) for value in row] for row in rows)


def _write_json(columns: Columns, rows: Iterator[Row]) -> None:
    """Print an array of objects, one a line; a query may name two columns alike, and both come."""
    names = [json.dumps(name, ensure_ascii=False) for name in columns]
    opening = "["
    for row in rows:
        members = (
            f"{name}: {json.dumps(_plain(value), ensure_ascii=False)}"
            for name, value in zip(names, row, strict=True)
        )
        print(f"{opening}{{{', '.join(members)}}}", end="")
        opening = ",\n "
    print("[]" if opening == "[" else "]")


def _cell(value: object) -> str:
    r"""Return a value as a cell: what would move the cursor is written as an escape.

    >>> _cell(None), _cell(0.1), _cell("a\x1b[2J"), _cell(b"\x01")
    ('', '0.1', 'a\\x1b[2J', '01')
    """
    text = "" if value is None else str(_hex(value))
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _hex(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _plain(value: object) -> object:
    """Return what JSON has for a value: null for infinity, which it has not."""
    return None if isinstance(value, float) and not math.isfinite(value) else _hex(value)
