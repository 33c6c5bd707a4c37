"""The log: stderr, one line for each event, whatever the event carries.

    2026-03-09T14:02:51.374Z INFO fluxd.daemon.daemon: listening on http://127.0.0.1:3589
    <6>fluxd.daemon.daemon: listening on http://127.0.0.1:3589

The second form goes to systemd's journal, which keeps times itself and reads the priority from
`<N>` (sd-daemon(3)). A traceback becomes a JSON string at the line's end: one event stays one
line for grep, and `jq -r` or Python gives its lines back. No code of fluxd logs a key or a body.
"""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TextIO

log = logging.getLogger(__name__)

# syslog's priorities, from the highest level down.
_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)

# Control characters would end a line, or write on the terminal of whoever reads the log; metric
# names and error texts may bring some. U+2028 and U+2029 are line ends to some readers.
_CONTROLS = {
    code: chr(code).encode("unicode_escape").decode()
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
}

# Third parties whose routine lines are ours to say, or no news: waitress announces its address,
# and warns at each request that waits for a thread, which under load is every one.
_QUIETED = {"waitress": logging.WARNING, "waitress.queue": logging.ERROR}


class LineFormatter(logging.Formatter):
    """One line per record; in the journal's form or with the time (UTC, ms) and level."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line = f"{record.name}: {record.getMessage().translate(_CONTROLS)}"
        if record.exc_info and record.exc_info[1] is not None:
            line += f" traceback={json.dumps(self.formatException(record.exc_info))}"
        if record.stack_info:
            line += f" stack={json.dumps(record.stack_info)}"
        if self._journal:
            return f"<{_priority(record.levelno)}>{line}"
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{at}.{int(record.msecs):03d}Z {record.levelname} {line}"


def set_up_logging(environ: Mapping[str, str], stream: TextIO | None = None) -> None:
    """Send everything from INFO up to `stream` (default: stderr), uncaught exceptions included."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(journal=is_journal(environ, stream)))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name, level in _QUIETED.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def is_journal(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Say whether `stream` is connected to systemd's journal.

    $JOURNAL_STREAM holds the device and inode of the journal's socket. The comparison counts:
    desktops pass the variable on to every terminal (systemd.exec(5)).
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file behind it, or a closed one
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _priority(level: int) -> int:
    return next(priority for lowest, priority in _PRIORITIES if level >= lowest)


def _log_uncaught(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    log.critical("uncaught %s: %s", kind.__name__, error, exc_info=(kind, error, traceback))


def _log_uncaught_in_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is None or issubclass(arguments.exc_type, SystemExit):
        return
    name = arguments.thread.name if arguments.thread is not None else "?"
    log.critical(
        "thread %s ended by %s: %s",
        name,
        arguments.exc_type.__name__,
        arguments.exc_value,
        exc_info=arguments.exc_value,
    )
