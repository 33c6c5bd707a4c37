"""`fluxd backup` and `fluxd restore`: a copy of the store beside the running daemon, and back."""

import argparse
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fluxd.cli.options import add_command
from fluxd.cli.progress import Progress, progress_bar
from fluxd.core.errors import StoreError
from fluxd.daemon.lock import DataLock
from fluxd.daemon.offline import acting_as_owner, open_offline, restoring, store_path
from fluxd.store.backup import Contents, back_up, finish, open_backup, read_contents
from fluxd.store.connection import Connection
from fluxd.store.copying import Partial, megabytes, taken
from fluxd.store.faults import explained
from fluxd.store.restore import restore


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add both commands."""
    backup = add_command(commands, "backup", "copy the store, while the daemon runs or without it")
    backup.add_argument(
        "file", metavar="FILE", type=Path, help="the copy; a file that exists is never overwritten"
    )
    backup.set_defaults(run=run_backup)

    back = add_command(commands, "restore", "put a backup in the place of the store")
    back.add_argument(
        "file", metavar="FILE", type=Path, help="what `fluxd backup` made; the daemon is stopped"
    )
    back.set_defaults(run=run_restore)


def run_backup(arguments: argparse.Namespace) -> int:
    """Copy the store; print what the copy holds."""
    store, target = store_path(arguments.data), _target(arguments.file)
    if target.parent == store.parent and target.name.startswith(f"{store.name}-"):
        raise StoreError(f"SQLite would take {target} for a part of the store: choose another name")
    # Run by root, the copy is root's and may be where only root can write; the store is read as
    # its owner, so that nothing of root's appears beside it.
    with _told(store), progress_bar() as bar, Partial(target) as partial:
        with acting_as_owner(store), open_offline(store.parent) as source:
            back_up(source, partial, bar)
        contents = finish(partial, now=int(time.time()), progress=bar)
    print(f"{target} ({megabytes(target.stat().st_size)}) has {_described(contents)}.")
    print("It holds the keys too, and only its owner may read it: keep it so.")
    return 0


def run_restore(arguments: argparse.Namespace) -> int:
    """Put a backup in place; print what it holds and where the earlier store is."""
    store, file = store_path(arguments.data), arguments.file.absolute()
    with _told(store), progress_bar() as bar, open_backup(file) as source:
        contents = read_contents(source)
        kept = _restore(source, file, store, bar)
    made = "" if contents.backed_up is None else f", of {_clock(contents.backed_up)},"
    print(f"{store} is now the backup {file}{made} with {_described(contents)}.")
    if kept is not None:
        print(f"The store that was there is {kept}: delete it when you need it no more.")
    print("Keys are those of the backup, ones that were revoked since included: `fluxd key list`.")
    return 0


def _restore(source: Connection, file: Path, store: Path, bar: Progress) -> Path | None:
    data = store.parent
    if not _is_directory(data):
        raise StoreError(
            f"there is no directory {data} to restore to: create it for the user that runs fluxd "
            f"(`install -d -m 700 -o fluxd -g fluxd {data}`), or name another with --data"
        )
    with contextlib.suppress(OSError):
        if file.samefile(store):
            raise StoreError(f"{file} is the present store itself: name a backup")
    owned = store if os.path.lexists(store) else data
    with acting_as_owner(owned), DataLock(data), restoring(data):
        return restore(source, store, bar)


@contextlib.contextmanager
def _told(store: Path) -> Iterator[None]:
    """Turn what the system or SQLite refuses into a sentence."""
    try:
        with explained(store):
            yield
    except OSError as error:
        raise StoreError(f"{error.filename or store}: {error.strerror or error}") from error


def _is_directory(data: Path) -> bool:
    try:
        return data.is_dir()
    except PermissionError as error:
        raise StoreError(f"{data} belongs to another user: run this with sudo") from error


def _target(file: Path) -> Path:
    """Return the absolute path of a file that is yet to be."""
    target: Path = file.absolute()
    if target.is_dir():
        raise StoreError(f"{target} is a directory: name a file in it, {target}/fluxd-backup.db")
    if os.path.lexists(target):
        raise StoreError(taken(target))
    if not target.parent.is_dir():
        raise StoreError(f"there is no directory {target.parent}: create it first")
    return target


def _described(contents: Contents) -> str:
    """Say what a store holds.

    >>> _described(Contents(2, "0.2.0", 1, 0, None, None, None))
    '1 metric, 0 datapoints (schema 2, fluxd 0.2.0)'
    """
    metrics = f"{contents.metrics:,} metric{'' if contents.metrics == 1 else 's'}"
    span = ""
    if contents.first is not None and contents.last is not None:
        span = f" from {_clock(contents.first)} to {_clock(contents.last)}"
    return (
        f"{metrics}, {contents.datapoints:,} datapoints{span} "
        f"(schema {contents.schema}, fluxd {contents.written_by})"
    )


def _clock(timestamp: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(timestamp))
