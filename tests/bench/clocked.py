"""A daemon whose clock is a file: eight bytes, the time in Unix seconds, which the driver moves on.

    python clocked.py CLOCK serve --data DATA --listen HOST:PORT

Everything else is as `fluxd serve` has it. Eight bytes more count what detector state was written.
"""

import mmap
import os
import struct
import sys
from pathlib import Path
from typing import Any

from fluxd.daemon import daemon
from fluxd.daemon.config import load_config
from fluxd.daemon.lock import DataLock
from fluxd.daemon.logs import set_up_logging
from fluxd.jobs import saving
from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME

DOUBLE = struct.Struct("d")
SIZE = 2 * DOUBLE.size


class Clock:
    """A clock that other processes read as it is set, and a count beside it."""

    def __init__(self, path: Path, now: float | None = None) -> None:
        if now is not None:
            path.write_bytes(DOUBLE.pack(now) + DOUBLE.pack(0.0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)

    def __call__(self) -> float:
        return float(DOUBLE.unpack_from(self._map)[0])

    def set(self, now: float) -> None:
        # At once: pack_into writes zeros first, and the daemon would read the year 1970.
        self._map[: DOUBLE.size] = DOUBLE.pack(now)

    @property
    def state_bytes(self) -> float:
        return float(DOUBLE.unpack_from(self._map, DOUBLE.size)[0])

    def count(self, size: int) -> None:
        self._map[DOUBLE.size :] = DOUBLE.pack(self.state_bytes + size)


def main() -> None:
    clock, data = Clock(Path(sys.argv[1])), Path(sys.argv[4])
    set_up_logging(os.environ)
    os.umask(0o077)
    sys.setswitchinterval(daemon.SWITCH_INTERVAL_S)
    data.mkdir(parents=True, exist_ok=True)
    write_state = saving.write_state

    def counted(*arguments: Any, packed: bytes, **options: Any) -> None:
        clock.count(len(packed))
        write_state(*arguments, packed=packed, **options)

    saving.write_state = counted
    with DataLock(data) as lock:
        store = open_store(data / FILE_NAME, create=True)
        config = load_config(None, os.environ, listen=sys.argv[-1])
        try:
            daemon.Daemon(store, lock, config, os.environ, clock=clock).run(data)
        finally:
            store.close()


if __name__ == "__main__":
    main()
