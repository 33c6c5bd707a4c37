"""Many notifications through a server that fails in every way, to a daemon that is killed.

The outbox of a store is filled with an opening for each of many incidents; a daemon sends them to
a webhook on loopback that drops connections before and after it has read a message, answers 500,
503 with Retry-After, or hangs; and the daemon is killed with signal 9 again and again. In the end
each message must have been taken, and each key taken once, but for those whose 204 the daemon had
no time to note: these come again under the same key, by which a service can tell.

Exits 1 if a message is missing, or a key was taken twice though the daemon lived.
"""

import argparse
import contextlib
import json
import random
import socket
import sqlite3
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet import table
from jobs.happenings import Happenings
from running import Daemon
from store.posting import opened

from fluxd.store.channels import StoredChannel
from fluxd.store.connection import FILE_NAME
from fluxd.store.keys import add_key

APART_S = 1_000  # between two incidents: none joins another
PATIENCE_S = 1_800.0


class Flaky(ThreadingHTTPServer):
    """Takes messages by their key, or does what `shares` say."""

    daemon_threads = True
    shares = (("drop", 0.04), ("lose", 0.03), ("500", 0.08), ("503", 0.02), ("hang", 0.002))

    def __init__(self, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.noise = random.Random(seed)
        self.lock = threading.Lock()
        self.taken: Counter[str] = Counter()  # by key: answered with 204
        self.did: Counter[str] = Counter()
        self.ended = threading.Event()

    def fate(self) -> str:
        with self.lock:
            drawn = self.noise.random()
            for name, share in self.shares:
                drawn -= share
                if drawn < 0:
                    self.did[name] += 1
                    return name
            self.did["204"] += 1
            return "204"


class Handler(BaseHTTPRequestHandler):
    server: Flaky

    def do_POST(self) -> None:
        fate = self.server.fate()
        if fate == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.rfile.read(int(self.headers["Content-Length"]))
        if fate == "lose":  # the daemon can't know whether it was taken; here it was not
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if fate == "hang":
            self.server.ended.wait(60)
            return
        self.send_response(int(fate))
        self.send_header("Content-Length", "0")
        if fate == "503":
            self.send_header("Retry-After", "2")
        with contextlib.suppress(OSError):
            self.end_headers()
            if fate == "204":
                with self.server.lock:
                    self.server.taken[self.headers["webhook-id"]] += 1

    def log_message(self, *_args: object) -> None:
        pass


def fill(data: Path, count: int, url: str) -> None:
    """Make a store with an opening that waits for each of so many incidents."""
    data.mkdir(mode=0o700)
    with opened(data / FILE_NAME) as store:
        site = Happenings(store, [f"host-{n}.m" for n in range(count)])
        store.writer.run(lambda writer: add_key(writer, "page", now=site.now, scope="read"))
        site.add_channel(StoredChannel(0, "ops", "webhook", {"url": url}, daily_cap=0))
        now = int(time.time())
        for number, name in enumerate(site.metrics):
            site.happen(name, at=now - APART_S * (count - number))
        site.now = now
        site.group()
        waiting = sum(one.state == "waiting" for one in site.outbox)
        assert waiting == min(count, 10_000), waiting


def states(data: Path) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(f"file:{data / FILE_NAME}?mode=ro", uri=True)) as store:
        return dict(store.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall())


def run_and_kill(data: Path, every_s: float, noise: random.Random) -> int:
    """Run daemons one after the other until all is sent; return how many were killed."""
    end, killed = time.monotonic() + PATIENCE_S, 0
    daemon = Daemon(data)
    while True:
        last = time.monotonic() + noise.uniform(0.5, 1.5) * every_s
        while time.monotonic() < last:
            if not states(data).keys() & {"waiting", "sending"}:
                daemon.stop()
                return killed
            time.sleep(0.2)
        if time.monotonic() > end:
            raise SystemExit(f"not all was sent in {PATIENCE_S:.0f} s: {states(data)}")
        daemon.kill()
        killed += 1
        daemon = Daemon(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="300 messages, kills after 2 s")
    options = parser.parse_args()
    if options.quick:
        options.messages, options.every = 300, 2.0
    server = Flaky(options.seed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        fill(data, options.messages, f"http://127.0.0.1:{server.server_address[1]}/")
        began = time.monotonic()
        killed = run_and_kill(data, options.every, random.Random(options.seed))
        took = time.monotonic() - began
        found = states(data)
    server.ended.set()
    server.shutdown()
    twice = sum(count > 1 for count in server.taken.values())
    table(
        {
            "messages; sent; failed": f"{options.messages:,}; {found.get('sent', 0):,}; "
            f"{found.get('failed', 0):,}",
            "keys taken": f"{len(server.taken):,}",
            "keys taken twice; kills": f"{twice}; {killed}",
            "what the server did": json.dumps(dict(server.did)),
            "seconds": f"{took:.0f}",
        }
    )
    missing = options.messages - len(server.taken)
    # Threads that had an answer when the daemon was killed: four at the most.
    if missing or found.get("sent") != options.messages or twice > 4 * killed:
        print(f"FAILED: {missing} messages are missing, {twice} keys were taken twice")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
