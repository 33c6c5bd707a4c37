"""A real daemon in a process of its own, driven over real HTTP."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

# Deadlines, not waits: everything below returns as soon as it can.
PATIENCE_S = 60.0


class Answer(NamedTuple):
    """An HTTP answer; `body` is the parsed JSON, None where there is no body."""

    status: int
    body: Any
    headers: Mapping[str, str]


def request(
    url: str,
    body: object = None,
    *,
    data: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """POST `body` as JSON (or `data` as it is), or GET where both are None."""
    payload = json.dumps(body).encode() if body is not None else data
    call = urllib.request.Request(url, data=payload, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(call, timeout=PATIENCE_S) as answer:
            return _answer(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        return _answer(error.code, error.read(), error.headers)


def _answer(status: int, text: bytes, headers: Any) -> Answer:
    try:
        body = json.loads(text) if text else None
    except ValueError:
        body = text.decode()
    return Answer(status, body, dict(headers))


def until(check: Callable[[], Any]) -> Any:
    """Call `check` until it returns something true, and return that."""
    end = time.monotonic() + PATIENCE_S
    while not (found := check()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
    return found


class Daemon:
    """`fluxd serve` on a free port."""

    def __init__(self, data: Path, *arguments: str, program: tuple[str, ...] = ()) -> None:
        self.data = data
        self.log = data.parent / f"{data.name}.log"
        command = program or (sys.executable, "-m", "fluxd")
        with self.log.open("ab") as log:
            began = log.tell()
            self.process = subprocess.Popen(
                [*command, "serve", "--data", str(data), "--listen", "127.0.0.1:0", *arguments],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._began = began
        self.url = until(self._find_address)
        said = self.said()
        keys = re.findall(r'"key":"([\w-]+)"', said) + re.findall(r"Bearer ([\w-]+)'", said)
        self.key = keys[0] if keys else ""
        self.read_key = keys[1] if keys else ""

    def said(self) -> str:
        """Return what this process has printed and logged so far."""
        return self.log.read_bytes()[self._began :].decode()

    def _find_address(self) -> str | None:
        assert self.process.poll() is None, self.said()
        found = re.search(r"listening on (http://\S+?),", self.said())
        return found.group(1) if found else None

    def post(self, body: object = None, **kwargs: Any) -> Answer:
        """POST to the ingestion endpoint; the first key is filled in where there is none."""
        if isinstance(body, dict) and "key" not in body:
            body = {"key": self.key, **body}
        return request(f"{self.url}/flux/metric_data_post", body, **kwargs)

    def get(self, path: str) -> Answer:
        """GET with the first read key."""
        return request(f"{self.url}{path}", headers={"Authorization": f"Bearer {self.read_key}"})

    def kill(self) -> None:
        """Kill it with signal 9."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def fluxd(*arguments: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "fluxd", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        **kwargs,
    )
