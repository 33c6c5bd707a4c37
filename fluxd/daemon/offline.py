"""The store as a command opens it, beside a running daemon or without one."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from fluxd.daemon.paths import become_owner, data_directory
from fluxd.store.connection import FILE_NAME, Connection, open_reader, open_writer, transaction
from fluxd.store.faults import explained


@contextlib.contextmanager
def open_offline(data: Path | None, *, write: bool = False) -> Iterator[Connection]:
    """Lend a connection to the store in `data` (or where the daemon would look for it).

    Only `serve` creates a store: raises StoreError where there is none or it is hidden. Run by
    root, the process becomes the store's owner first, so that no file of root's appears there.
    """
    path = data_directory(data, dict(os.environ)) / FILE_NAME
    become_owner(path)
    with (
        explained(path),
        contextlib.closing(open_writer(path) if write else open_reader(path)) as connection,
        transaction(connection, "IMMEDIATE" if write else "DEFERRED"),
    ):
        yield connection
