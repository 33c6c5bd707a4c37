"""`fluxd serve` under a clock that a benchmark sets.

    python tests/bench/clocked.py CLOCKFILE serve --data DIR --listen HOST:PORT

The file holds one double, Unix seconds, and is mapped into both processes.
"""

import argparse
import mmap
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from fluxd.daemon.config import find_config, load_config
from fluxd.daemon.daemon import SWITCH_INTERVAL_S, Daemon
from fluxd.daemon.lock import DataLock
from fluxd.daemon.logs import set_up_logging
from fluxd.daemon.paths import create_data_directory
from fluxd.store import open_store
from fluxd.store.connection import FILE_NAME


class Clock:
    """Unix seconds in a file that both processes have mapped."""

    def __init__(self, path: Path, now: float | None = None) -> None:
        if now is not None:
            path.write_bytes(np.float64(now).tobytes())
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8)
        self._number = np.frombuffer(self._map, np.float64)

    def __call__(self) -> float:
        return float(self._number[0])

    def advance(self, now: float) -> None:
        """Set it, never back."""
        self._number[0] = max(now, self._number[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clock", type=Path)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    options = parser.parse_args()
    config = load_config(find_config(None, options.data), os.environ, listen=options.listen)
    set_up_logging(os.environ)
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    create_data_directory(options.data)
    with DataLock(options.data) as lock:
        store = open_store(options.data / FILE_NAME, create=True)
        try:
            clock = Clock(options.clock)
            Daemon(store, lock, config, os.environ, clock=clock).run(options.data)
        finally:
            store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
