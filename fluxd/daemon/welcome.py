"""What a start prints: a sign-in link, and the first time keys and lines that work as pasted."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fluxd.core.detect import WARMUP
from fluxd.daemon.links import fresh_link
from fluxd.daemon.paths import data_directory
from fluxd.store import Store
from fluxd.store.keys import add_key, list_keys


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """The secrets of the keys that a first start creates."""

    ingest: str
    read: str


def greeting(
    store: Store, address: str, data: Path, environ: Mapping[str, str], now: int
) -> str | None:
    """Return what to print at a start, the first keys created on the way; None for nothing.

    A journal is no place for a key or a link, so under systemd none is shown. Desktops pass
    $JOURNAL_STREAM on to every terminal, so that a person may be looking counts.
    """
    is_first = not store.writer.run(list_keys)
    keys = _create_first_keys(store, now) if is_first else None
    if _is_journal(environ):
        return f"fluxd is ready. Open its pages with: sudo {typed('link', data)}"
    link = store.writer.run(lambda connection: fresh_link(connection, now))
    if keys is None:
        return _later_steps(link, data)
    return _first_steps(address, keys, data, link)


def _is_journal(environ: Mapping[str, str]) -> bool:
    return "JOURNAL_STREAM" in environ and not sys.stdout.isatty()


def typed(what: str, data: Path) -> str:
    """Return a command as it's typed into a shell that knows nothing of this daemon's data."""
    option = "" if data_directory(None, {}) == data else f" --data {shlex.quote(str(data))}"
    return f"{_program()} {what}{option}"


def _program() -> str:
    """Return how this program was called, for the commands that are to be pasted."""
    called = Path(sys.argv[0])
    return f"{sys.executable} -m fluxd" if called.name == "__main__.py" else str(called)


def _create_first_keys(store: Store, now: int) -> FirstKeys:
    keys = FirstKeys(
        store.writer.run(lambda connection: add_key(connection, "first", now=now)),
        store.writer.run(
            lambda connection: add_key(connection, "first-read", now=now, scope="read")
        ),
    )
    store.writer.run(store.keys.load)
    return keys


def _later_steps(link: str, data: Path) -> str:
    return f"""
Open {link}
(good once, for ten minutes; another: {typed("link", data)}; keys: {typed("key list", data)})
"""


def _first_steps(address: str, keys: FirstKeys, data: Path, link: str) -> str:
    element = '{"metric":"test.cpu","timestamp":\'$(date +%s)\',"value":1.5}'
    return f"""
fluxd listens on {address}
and keeps everything in {data}/fluxd.db

Open its pages (the link works once, for ten minutes; another: {typed("link", data)}):

{link}

1. Send a datapoint (204 says that it is on disk):

curl -i -d '{{"key":"{keys.ingest}","metrics":[{element}]}}' {address}/flux/metric_data_post

2. Ask what is known of it:

curl -H 'Authorization: Bearer {keys.read}' {address}/api/v1/metrics/test.cpu

3. Let an agent send it once a minute. Analysis begins with a metric's {WARMUP}th datapoint; history
   sent with "fill": true counts, so an old series can be judged at once. Then ask what is odd, or
   be told of it (Settings, Notifications, on its pages):

curl -H 'Authorization: Bearer {keys.read}' {address}/api/v1/anomalies

This is printed at the first start only. More keys: {typed("key add NAME", data)}
"""
