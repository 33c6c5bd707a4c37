import itertools
import threading

import apsw
import pytest
from store.posting import NOW, post, stored

import fluxd.store.store as store_module
from fluxd.store import Store
from fluxd.store.store import LOG_STEP_S

LIMIT = 256 << 10


def test_the_log_begins_anew_while_commits_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "WAL_RESET_BYTES", LIMIT)
    stop = threading.Event()
    sent = itertools.count()

    def send() -> None:
        while not stop.is_set():
            at = NOW + 300 * next(sent)
            post(store, [("a", at + n, n / 7) for n in range(300)])

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    largest = shrunk = 0
    while shrunk < 3:
        before = store.writer.datapoints
        store.checkpoint()
        with store.read() as reader:
            (pages,) = reader.execute("PRAGMA page_count").fetchone()
        # The file keeps its length when the log begins anew, so it falls behind the store's.
        largest = max(largest, store.log_bytes)
        if pages * 4096 > 2 * (shrunk + 1) * max(largest, LIMIT):
            shrunk += 1
        assert before <= store.writer.datapoints
        assert pages < 50_000, f"the log grew to {largest} bytes beside {pages} pages"
    stop.set()
    for thread in threads:
        thread.join()
    assert len(stored(store)) == store.writer.datapoints


def test_the_log_is_moved_after_some_minutes_or_when_it_has_grown(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting() -> int:
        frames, moved = store._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        return frames - moved

    # The writer looks for others' changes after each commit; a read that begins just then may keep
    # the last frame from being moved until the next time, which is no fault.
    monkeypatch.setattr(store.writer, "_notice_changes", lambda: None)
    store.tend_log(NOW)
    assert waiting() == 0
    post(store, [("a", NOW, 1.0)])
    store.tend_log(NOW + LOG_STEP_S - 1)
    assert waiting() > 0
    store.tend_log(NOW + LOG_STEP_S)
    assert waiting() == 0
    store.tend_log(NOW + 3 * LOG_STEP_S)  # nothing to move: this is not when it was tended last
    post(store, [("a", NOW, 2.0)])
    store.tend_log(NOW + 3 * LOG_STEP_S)
    assert waiting() == 0
    post(store, [("a", NOW, 3.0)])
    store.tend_log(NOW + 3 * LOG_STEP_S - 1)  # the clock was set back
    assert waiting() == 0
    post(store, [("a", NOW, 4.0)])
    monkeypatch.setattr(store_module, "LOG_STEP_BYTES", 4096)
    store.tend_log(NOW + 3 * LOG_STEP_S - 1)
    assert waiting() == 0
