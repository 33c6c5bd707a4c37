"""What a start prints: the first time the address, the keys and lines that work as pasted."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fluxd.core.detect import WARMUP
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

    A journal is no place for a key, so under systemd the first keys are not shown. Desktops pass
    $JOURNAL_STREAM on to every terminal, so that a person may be looking counts.
    """
    command = f"{_program()} key"
    option = "" if data_directory(None, environ) == data else f" --data {data}"
    if store.writer.run(list_keys):
        return None if _is_journal(environ) else f"keys: {command} list{option}"
    keys = _create_first_keys(store, now)
    if _is_journal(environ):
        return f"fluxd is ready. Get a key: sudo {command} add NAME{option}"
    return _first_steps(address, keys, data, f"{command} add NAME{option}")


def _is_journal(environ: Mapping[str, str]) -> bool:
    return "JOURNAL_STREAM" in environ and not sys.stdout.isatty()


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


def _first_steps(address: str, keys: FirstKeys, data: Path, add_key_command: str) -> str:
    element = '{"metric":"test.cpu","timestamp":\'$(date +%s)\',"value":1.5}'
    return f"""
fluxd listens on {address}
and keeps everything in {data}/fluxd.db

1. Send a datapoint (204 says that it is on disk):

curl -i -d '{{"key":"{keys.ingest}","metrics":[{element}]}}' {address}/flux/metric_data_post

2. Ask what is known of it:

curl -H 'Authorization: Bearer {keys.read}' {address}/api/v1/metrics/test.cpu

3. Let an agent send it once a minute. Analysis begins with a metric's {WARMUP}th datapoint; history
   sent with "fill": true counts, so an old series can be judged at once. Then ask what is odd:

curl -H 'Authorization: Bearer {keys.read}' {address}/api/v1/anomalies

This is printed at the first start only. More keys: {add_key_command}
"""
