"""`fluxd key`: keys are added, listed and revoked; a running daemon notices at once."""

import argparse
import time
from typing import Any

from fluxd.cli.options import add_command
from fluxd.daemon.offline import open_offline
from fluxd.store.keys import KeyRecord, add_key, list_keys, revoke_key

_HEADINGS = ("NAME", "SCOPE", "PREFIX", "METRICS", "QUOTA", "CREATED", "REVOKED")


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command and its three actions."""
    parser = add_command(commands, "key", "add, list and revoke keys")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    add = add_command(actions, "add", "create a key; prints it alone on the last line")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--prefix", metavar="P", help="store its metrics as P.<name>")
    add.add_argument(
        "--quota", type=int, metavar="N", help="distinct metrics that it may create (default: any)"
    )
    add.add_argument(
        "--scope",
        choices=["ingest", "read"],
        default="ingest",
        help="ingest: send datapoints; read: ask the API (default: ingest)",
    )
    add.set_defaults(run=run_add)

    listing = add_command(actions, "list", "list keys, without their secrets")
    listing.set_defaults(run=run_list)

    revoke = add_command(actions, "revoke", "end a key's validity; its metrics stay")
    revoke.add_argument("name", metavar="NAME")
    revoke.set_defaults(run=run_revoke)


def run_add(arguments: argparse.Namespace) -> int:
    """Create a key."""
    with open_offline(arguments.data, write=True) as connection:
        secret = add_key(
            connection,
            arguments.name,
            now=int(time.time()),
            prefix=arguments.prefix,
            quota=arguments.quota,
            scope=arguments.scope,
        )
    print(f"Key {arguments.name!r} may {_purpose(arguments.scope)}. It is:")
    print(secret)
    return 0


def run_list(arguments: argparse.Namespace) -> int:
    """Print a table of keys."""
    with open_offline(arguments.data) as connection:
        records = list_keys(connection)
    rows = [_HEADINGS, *(_columns(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    return 0


def run_revoke(arguments: argparse.Namespace) -> int:
    """Revoke a key."""
    with open_offline(arguments.data, write=True) as connection:
        revoke_key(connection, arguments.name, now=int(time.time()))
    print(f"Key {arguments.name!r} is revoked. What it has sent stays.")
    return 0


def _purpose(scope: str) -> str:
    return "send datapoints" if scope == "ingest" else "read the API"


def _columns(record: KeyRecord) -> tuple[str, ...]:
    key = record.key
    return (
        key.name,
        key.scope,
        key.prefix or "-",
        str(record.metrics),
        "-" if key.quota is None else str(key.quota),
        _day(record.created),
        "-" if record.revoked is None else _day(record.revoked),
    )


def _day(timestamp: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(timestamp))
