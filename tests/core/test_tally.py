import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.tally import Tally

calls = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(0, 5), st.integers(1, 100)), max_size=6), st.booleans()
    ),
    max_size=8,
)


@given(calls, st.integers(0, 6), st.integers(0, 6))
def test_it_counts_as_a_list_would_and_comes_back_from_a_dump(
    added: list[tuple[list[tuple[int, int]], bool]], one: int, two: int
) -> None:
    tally = Tally()
    tally.grow(6)
    for rows, late in added:
        slots, times = np.array(rows, np.int64).reshape(-1, 2).T
        tally.add(slots, times, late=late)
    everything = [(slot, time, late) for rows, late in added for slot, time in rows]
    for slot in range(6):
        assert tally.late[slot] == sum(late for s, _, late in everything if s == slot)
        assert tally.first[slot] == min((t for s, t, _ in everything if s == slot), default=0)
    start, stop = sorted((one, two))
    other = Tally()
    other.load(start, tally.dump(start, stop))
    for mine, its in ((tally.late, other.late), (tally.first, other.first)):
        assert its[start:stop].tolist() == mine[start:stop].tolist()
        assert not its[:start].any()
        assert not its[stop:].any()


def test_what_is_no_dump_is_refused() -> None:
    with pytest.raises(ValueError, match=r"buffer size|reshape"):
        Tally().load(0, b"12345")
