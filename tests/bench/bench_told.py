"""From the POST of an odd datapoint to the message at a webhook.

Metrics with history, each of a host of its own, report one after the other a value far from all
before; the time runs from before the POST until a webhook on loopback has read the whole message.
The odd datapoints are ten minutes apart by their timestamps, since what begins together is one
message, and a round begins when the message of the one before it is there.
"""

import argparse
import json
import queue
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from fleet import spread_ms, table
from running import Daemon

HISTORY = 300
ODD = 1e6
APART_S = 600  # between the odd datapoints of two rounds: no incident takes both
PATIENCE_S = 30.0


class Hook(ThreadingHTTPServer):
    """Keeps when each message was there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: queue.SimpleQueue[tuple[float, str]] = queue.SimpleQueue()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.got.put((time.perf_counter(), message["type"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    hook, noise = Hook(), random.Random(1)
    now = int(time.time())
    with TemporaryDirectory() as folder:
        config = Path(folder) / "fluxd.toml"
        url = f"http://127.0.0.1:{hook.server_address[1]}/"
        config.write_text(f'[channels.hook]\nkind = "webhook"\nurl = "{url}"\n')
        daemon = Daemon(Path(folder) / "data", "--config", str(config))
        odd_at = [now - APART_S * n for n in range(options.rounds)]  # within the last hour
        for number, at in enumerate(odd_at):
            rows = [
                {
                    "metric": f"host-{number}.load",
                    "timestamp": at - 60 * n,
                    "value": noise.gauss(50, 1),
                    "fill": True,
                }
                for n in range(HISTORY, 0, -1)
            ]
            assert daemon.post({"metrics": rows}).status == 204
        times = []
        for number, at in enumerate(odd_at):
            began = time.perf_counter()
            odd = {"metric": f"host-{number}.load", "timestamp": at, "value": ODD}
            assert daemon.post({"metrics": [odd]}).status == 204
            arrived, kind = hook.got.get(timeout=PATIENCE_S)
            assert kind == "incident.opened", kind
            times.append(arrived - began)
        daemon.stop()
    table({"rounds": options.rounds, "POST to message, p50 / max": spread_ms(times, 50)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
