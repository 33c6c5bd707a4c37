"""apsw's shell for a person, on the store and for reading only."""

import os
import sys
import zlib
from pathlib import Path

import apsw
import apsw.shell

from fluxd.core.errors import StoreError
from fluxd.store.query import restrict

_BANNER = (
    "The store, to be read. Views: datapoints, datapoints_recent, metrics, anomalies, rollups.\n"
    "Times are Unix seconds: datetime(timestamp, 'unixepoch'). .help for help, .quit to leave.\n"
)


def interact(connection: apsw.Connection) -> None:
    """Run statements from standard input, with a prompt where that is a terminal.

    Raises StoreError for the first one that fails where nobody is there to see it.
    """
    restrict(connection)
    shell = _Shell(db=connection)
    shell.prompt, shell.moreprompt = "fluxd> ", "   ..> "
    shell.history_file = _history_file()
    interactive = sys.stdin.isatty()
    shell.bail = not interactive
    try:
        shell.cmdloop(  # type: ignore[no-untyped-call]  # apsw ships it so
            intro=_BANNER if interactive else ""
        )
    except (apsw.Error, zlib.error, apsw.shell.Shell.Error) as error:
        raise StoreError("not all statements were run") from error


def _history_file() -> str:
    """Return where to keep what is typed: sqlite3's own file, if this user may write it."""
    file = Path("~/.sqlite_history").expanduser()
    written = file if file.exists() else file.parent
    return str(file) if os.access(written, os.W_OK, effective_ids=True) else os.devnull


class _Shell(apsw.shell.Shell):
    """apsw's shell, kept to this one store."""

    def command_open(self, _words: list[str]) -> None:
        """Refuse to open another file, which could then be written."""
        raise self.Error("fluxd sql reads the store only: use `sqlite3` for another file\n")
