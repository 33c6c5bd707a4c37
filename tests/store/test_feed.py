import threading

from hypothesis import given
from hypothesis import strategies as st

from fluxd.store.feed import Commit, Feed


def commit(seq: int, rows: int) -> Commit:
    return Commit(seq, 1_700_000_000 + seq, rows, [])


@given(
    st.integers(0, 50),
    st.integers(0, 12),
    st.lists(
        st.integers(1, 6).map(lambda n: ("put", n)) | st.integers(1, 8).map(lambda n: ("take", n))
    ),
)
def test_nothing_is_lost_between_the_queue_and_the_table(
    last_seq: int, max_rows: int, steps: list[tuple[str, int]]
) -> None:
    """What restart() sends to the table and what take() returns are all commits, each once."""
    feed = Feed(last_seq, max_rows=max_rows)
    committed = list(range(1, last_seq + 1))
    seen: list[int] = []

    def consume(rows: int) -> bool:
        taken = feed.take(rows)
        if taken:
            assert sum(c.rows for c in taken[:-1]) < rows
            seen.extend(c.seq for c in taken)
            return True
        upto = feed.restart()
        if upto is None:
            return False
        seen.extend(seq for seq in committed if seq > len(seen) and seq <= upto)
        return True

    for what, number in steps:
        if what == "put":
            committed.append(len(committed) + 1)
            feed.put(commit(committed[-1], number))
            assert feed.waiting <= max_rows
        else:
            consume(number)
        assert seen == committed[: len(seen)]
    while consume(3):
        pass
    assert seen == committed
    assert (feed.waiting, feed.oldest) == (0, None)


def test_a_put_or_a_wake_ends_a_wait() -> None:
    feed = Feed(0)
    feed.restart()
    feed.put(commit(1, 1))
    feed.wait(60.0)
    assert feed.oldest == 1_700_000_001
    thread = threading.Thread(target=feed.wait, args=(60.0,))
    thread.start()
    feed.wake()
    thread.join(30)
    assert not thread.is_alive()
    feed.wait(0.0)
