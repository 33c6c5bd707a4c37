"""What a first start prints: the address, the keys and a line that works as pasted."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fluxd.core.detect import WARMUP
from fluxd.store import Store
from fluxd.store.keys import add_key, list_keys


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """The secrets of the keys that a first start creates."""

    ingest: str
    read: str


def create_first_keys(store: Store, now: int) -> FirstKeys | None:
    """Create a key to send with and one to read with, unless the store has (had) keys."""
    if store.writer.run(list_keys):
        return None
    keys = FirstKeys(
        store.writer.run(lambda connection: add_key(connection, "first", now=now)),
        store.writer.run(
            lambda connection: add_key(connection, "first-read", now=now, scope="read")
        ),
    )
    store.writer.run(store.keys.load)
    return keys


def text(address: str, keys: FirstKeys, data: Path, environ: Mapping[str, str]) -> str:
    """Return what to print. A journal is no place for a key, so under systemd there is none.

    Desktops pass $JOURNAL_STREAM on to every terminal, so that a person may be looking counts.
    """
    if "JOURNAL_STREAM" in environ and not sys.stdout.isatty():
        return f"fluxd is ready. Get a key: sudo fluxd key add NAME --data {data}"
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

These keys are shown once. `fluxd key add NAME` creates more, `fluxd key --help` says the rest.
"""
