"""What the tests need to post to a store, and to look into it."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw

from fluxd.core.anomalies import Anomaly
from fluxd.core.keys import Key
from fluxd.ingest.flux import Post
from fluxd.store import Store, open_store
from fluxd.store.connection import FILE_NAME
from fluxd.store.handover import Batch, Submission
from fluxd.store.keys import add_key
from fluxd.store.places import table_of
from fluxd.web.flux_answers import batch_of as web_batch_of

NOW = 1_700_000_000
TABLE = table_of(NOW // 3600)  # of the recent tier, for datapoints of that hour

Row = tuple[str, int, float] | tuple[str, int, float, bool]  # name, timestamp, value, fill
Stored = dict[tuple[str, int], float]


@contextlib.contextmanager
def memory_folder() -> Iterator[Path]:
    """Lend a folder whose files cost no disk."""
    memory = Path("/dev/shm")  # noqa: S108
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder).resolve()


@contextlib.contextmanager
def fresh_store() -> Iterator[Store]:
    """Lend a new store in memory with one key, `AGENT`."""
    with memory_folder() as folder, opened(folder / FILE_NAME) as store:
        yield store


@contextlib.contextmanager
def opened(path: Path, *, vfs: str | None = None) -> Iterator[Store]:
    """Open a store, a new one with the key AGENT if need be, and close it at the end."""
    store = open_store(path, create=True, vfs=vfs)
    try:
        if not len(store.keys):
            new_key(store, "agent")
        yield store
    finally:
        store.close()


AGENT = Key(1, "agent")


def new_key(store: Store, name: str, *, prefix: str | None = None, quota: int | None = None) -> Key:
    secret = store.writer.run(
        lambda connection: add_key(connection, name, now=NOW, prefix=prefix, quota=quota)
    )
    with store.read() as reader:
        row = reader.execute(
            "SELECT id, name, prefix, quota FROM keys WHERE secret = ?", (secret,)
        ).fetchone()
    store.keys.load(store.writer._connection)
    return Key(*row)


def batch_of(store: Store, key: Key, rows: Iterable[Row], *, now: int = NOW) -> Batch:
    """Return rows, by the sender's names, as a request hands them to the writer."""
    elements = list(rows)
    names = [name for name, *_ in elements]
    known = store.catalog.known(key)
    sent = Post(
        key=key,
        names=names,
        ids=[known.get(name) for name in names],
        timestamps=[timestamp for _, timestamp, *_ in elements],
        values=[value for _, _, value, *_ in elements],
        fills=[any(fill) for *_, fill in ((n, t, v, f) for n, t, v, *f in elements)],
        test=False,
    )
    return web_batch_of(sent, now)


def post(store: Store, rows: Iterable[Row], *, key: Key = AGENT) -> list[int]:
    """Store rows as one request; return the positions that the quota refused."""
    return store.writer.submit(batch_of(store, key, rows))


def stored(store: Store) -> Stored:
    with store.read() as reader:
        rows = reader.execute("SELECT metric, timestamp, value FROM datapoints_recent").fetchall()
    return {(metric, timestamp): value for metric, timestamp, value in rows}


@contextlib.contextmanager
def busy_writer(store: Store) -> Iterator[None]:
    """Keep the writer in a task, so that what is queued meanwhile is met by it all at once."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(_: apsw.Connection) -> None:
        begun.set()
        assert go_on.wait(30)

    thread = threading.Thread(target=store.writer.run, args=(wait,))
    thread.start()
    assert begun.wait(30)
    try:
        yield
    finally:
        go_on.set()
        thread.join()


def queue(store: Store, batch: Batch) -> Submission:
    """Hand a batch over without waiting."""
    submission = Submission(batch)
    store.writer._queue.put(submission)
    return submission


def wait_for(submission: Submission) -> list[int]:
    submission.await_turn(threading.Lock(), patience_s=30, commit_s=0)
    return submission.rejected


def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds; it has a long time to."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.002)


def anomaly(slot: int, started: int, ended: int | None, score: float) -> Anomaly:
    """Return an anomaly as the analysis might find it."""
    return Anomaly(
        slot=slot,
        started=started,
        ended=ended,
        peak=started,
        value=9.0,
        expected=1.0,
        lower=0.5,
        upper=1.5,
        score=score,
        direction="up",
        kind="spike",
        explanation=f"{score}",
        evidence={"days": [[1, 2.0, 3.0]]},
        datapoints=1,
        history=False,
    )
