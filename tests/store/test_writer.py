import math
import threading
from pathlib import Path

import apsw
import pytest
from store.posting import (
    AGENT,
    NOW,
    TABLE,
    batch_of,
    busy_writer,
    new_key,
    opened,
    post,
    queue,
    stored,
    until,
    wait_for,
)

from fluxd.core.errors import UnavailableError
from fluxd.store import Store, writer
from fluxd.store.connection import FILE_NAME
from fluxd.store.keys import add_key


def overwritten(store: Store) -> list[tuple[str, int, float]]:
    with store.read() as reader:
        return reader.execute(
            "SELECT name, overwritten.place >> 29, value FROM overwritten"
            " JOIN series ON series.id = overwritten.place & 536870911 ORDER BY 1, 2"
        ).fetchall()


def seqs(store: Store) -> list[int]:
    with store.read() as reader:
        return [seq for (seq,) in reader.execute("SELECT seq FROM recent ORDER BY seq, place")]


def test_a_request_sent_again_changes_nothing(store: Store) -> None:
    rows = [("a", NOW, 1.0), ("b", NOW, 2.0)]
    for _ in range(3):
        assert post(store, rows) == []
    assert stored(store) == {("a", NOW): 1.0, ("b", NOW): 2.0}
    assert overwritten(store) == []


def test_the_later_value_of_a_pair_stands_however_often_it_is_sent(store: Store) -> None:
    for value in (1.0, 2.0, 3.0, 2.0):
        post(store, [("a", NOW, value)])
    assert stored(store) == {("a", NOW): 2.0}


def test_the_first_value_is_kept_for_a_replay(store: Store) -> None:
    for value in (1.0, 2.0, 3.0):
        post(store, [("a", NOW, value), ("b", NOW, 5.0)])
    assert overwritten(store) == [("a", NOW, 1.0)]
    assert seqs(store) == [1, 1]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [2, 513, 3000])
def test_of_a_pair_twice_in_a_request_the_last_stands(
    store: Store, *, known: bool, size: int
) -> None:
    if known:
        post(store, [("a", NOW - 60, 0.0)])
    post(store, [("a", NOW, float(value)) for value in range(size)])
    assert stored(store)["a", NOW] == size - 1
    assert overwritten(store) == []  # what nobody ever saw is not kept


@pytest.mark.parametrize("count", [1, 2, 3, 511, 512, 513, 1023, 1500])
def test_every_row_of_a_request_arrives(store: Store, count: int) -> None:
    rows = [("a", NOW + n, n / 7) for n in range(count)]
    post(store, rows)
    assert stored(store) == {("a", timestamp): value for _, timestamp, value in rows}


def test_fill_is_marked_as_history(store: Store) -> None:
    post(store, [("a", NOW, 1.0, False), ("a", NOW - 60, 2.0, True), ("b", NOW, 3.0, True)])
    post(store, [("a", NOW + 60, 1.0, True), ("b", NOW + 60, 2.0, False)])
    with store.read() as reader:
        rows = reader.execute("SELECT value FROM recent WHERE history ORDER BY place").fetchall()
    assert rows == [(2.0,), (3.0,), (1.0,)]


def test_the_quota_admits_new_metrics_in_array_order(store: Store) -> None:
    key = new_key(store, "small", quota=2)
    rows = [("a", NOW, 1.0), ("b", NOW, 1.0), ("c", NOW, 1.0), ("a", NOW + 60, 1.0)]
    assert post(store, rows, key=key) == [2]
    assert post(store, [("c", NOW, 1.0), ("b", NOW + 60, 1.0), ("d", NOW, 1.0)], key=key) == [0, 2]
    assert {name for name, _ in stored(store)} == {"a", "b"}
    assert store.catalog.owned(key.id) == 2


def test_a_metric_counts_for_the_key_that_created_it(store: Store) -> None:
    key = new_key(store, "small", quota=1)
    post(store, [("a", NOW, 1.0)])
    assert post(store, [("a", NOW, 2.0), ("b", NOW, 1.0)], key=key) == []
    assert post(store, [("c", NOW, 1.0)]) == []
    assert store.catalog.owned(key.id) == 1


def test_two_requests_in_one_commit_share_a_quota(store: Store) -> None:
    key = new_key(store, "small", quota=3)
    with busy_writer(store):
        one = queue(store, batch_of(store, key, [("a", NOW, 1.0), ("b", NOW, 1.0)]))
        two = queue(
            store, batch_of(store, key, [("b", NOW, 2.0), ("c", NOW, 1.0), ("d", NOW, 1.0)])
        )
        other = queue(store, batch_of(store, AGENT, [("d", NOW, 9.0)]))
    assert (wait_for(one), wait_for(two), wait_for(other)) == ([], [2], [])
    assert len(set(seqs(store))) == 1
    assert stored(store) == {("a", NOW): 1.0, ("b", NOW): 2.0, ("c", NOW): 1.0, ("d", NOW): 9.0}
    assert (store.catalog.owned(key.id), store.catalog.owned(AGENT.id)) == (3, 1)


def test_a_group_is_one_commit_and_large_ones_are_cut(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GROUP_ROWS", 10)
    with busy_writer(store):
        waiting = [
            queue(store, batch_of(store, AGENT, [("a", NOW + 4 * n + i, 1.0) for i in range(4)]))
            for n in range(7)
        ]
    for submission in waiting:
        wait_for(submission)
    assert [seqs(store).count(seq) for seq in (1, 2, 3)] == [12, 12, 4]


def test_commit_numbers_grow_across_restarts_and_failures(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RESERVED", 3)
    last = 0
    for run in range(4):
        with opened(folder / FILE_NAME) as store:
            for n in range(2 * run + 1):
                if n % 3 == 1:
                    with pytest.raises(UnavailableError):
                        post(store, [("a", NOW - 1, math.nan)])  # no value for the table
                post(store, [("a", NOW + 100 * run + n, 1.0)])
                now = max(seqs(store))
                assert now > last
                last = now


def test_a_failed_commit_leaves_nothing(store: Store) -> None:
    post(store, [("a", NOW, 1.0)])
    store.feed.restart()
    with pytest.raises(UnavailableError):
        post(store, [("a", NOW, 2.0), ("b", NOW, 1.0), ("a", NOW - 1, math.nan)])
    assert stored(store) == {("a", NOW): 1.0}
    assert overwritten(store) == []
    assert (len(store.catalog), store.catalog.id_of("b"), store.feed.waiting) == (1, None, 0)
    post(store, [("c", NOW, 3.0), ("b", NOW, 4.0)])
    assert stored(store) == {("a", NOW): 1.0, ("b", NOW): 4.0, ("c", NOW): 3.0}
    assert [commit.rows for commit in store.feed.take(100)] == [2]


def test_a_task_that_fails_is_rolled_back_and_hurts_nobody(store: Store) -> None:
    def spoil(connection: apsw.Connection) -> None:
        connection.execute(f"DELETE FROM {TABLE}")
        raise ValueError("spoilt")

    post(store, [("a", NOW, 1.0)])
    with busy_writer(store):
        errors: list[Exception] = []

        def call() -> None:
            try:
                store.writer.run(spoil)
            except ValueError as error:
                errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        submission = queue(store, batch_of(store, AGENT, [("b", NOW, 1.0)]))
    thread.join()
    wait_for(submission)
    assert len(errors) == 1
    assert stored(store) == {("a", NOW): 1.0, ("b", NOW): 1.0}
    assert store.writer.run(lambda connection: connection.execute("SELECT 7").fetchone()) == (7,)


def test_closing_finishes_what_was_accepted(folder: Path) -> None:
    with opened(folder / FILE_NAME) as store:
        with busy_writer(store):
            waiting = [
                queue(store, batch_of(store, AGENT, [("a", NOW + n, 1.0)])) for n in range(5)
            ]
            closing = threading.Thread(target=store.writer.close)
            closing.start()
            until(lambda: store.writer._closed)
            with pytest.raises(UnavailableError, match="stopping"):
                post(store, [("a", NOW + 99, 1.0)])
        closing.join()
        assert [wait_for(submission) for submission in waiting] == [[]] * 5
        assert not store.writer.alive
        assert len(stored(store)) == 5


def test_who_gives_up_waiting_stores_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE_S", 0.01)
    with (
        busy_writer(store),
        pytest.raises(UnavailableError, match="busy"),
    ):
        post(store, [("a", NOW, 1.0)])
    monkeypatch.undo()
    post(store, [("b", NOW, 1.0)])
    assert stored(store) == {("b", NOW): 1.0}


def test_answers_come_within_the_ten_seconds_of_the_contract() -> None:
    assert writer.PATIENCE_S + writer.COMMIT_S < 10


def test_readers_do_not_wait_for_the_writer(store: Store) -> None:
    post(store, [("a", NOW, 1.0)])
    begun, go_on = threading.Event(), threading.Event()

    def delete(connection: apsw.Connection) -> None:
        connection.execute(f"DELETE FROM {TABLE}")
        begun.set()
        assert go_on.wait(30)

    thread = threading.Thread(target=store.writer.run, args=(delete,))
    thread.start()
    assert begun.wait(30)
    assert stored(store) == {("a", NOW): 1.0}
    go_on.set()
    thread.join()
    assert stored(store) == {}


def test_a_key_of_another_process_is_noticed(store: Store) -> None:
    assert writer.POLL_S < 0.2
    other = apsw.Connection(str(store.path))
    secret = add_key(other, "other", now=NOW, prefix="p")
    until(lambda: store.keys.find(secret))
    other.execute("UPDATE keys SET revoked = 1 WHERE name = 'other'")
    other.close()
    until(lambda: store.keys.find(secret) is None)
