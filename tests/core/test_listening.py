import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.listening import KEPT, Listening

spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=8)


@given(spans, st.lists(st.integers(0, 80), min_size=1, max_size=9), st.integers(0, 90))
def test_it_counts_the_seconds_in_which_something_could_come(
    missed: list[tuple[int, int]], since: list[int], until: int
) -> None:
    listening = Listening()
    deaf: set[int] = set()
    latest = 0
    for start, length in missed:  # each is noted when it is over
        begin = max(latest, start)
        listening.miss(begin, begin + length)
        deaf |= set(range(begin, begin + length))
        latest = begin + length
    since = [min(one, until) for one in since]
    naive = [len(set(range(one, until)) - deaf) for one in since]
    assert listening.heard(np.array(since), until).tolist() == naive
    assert [listening.heard_of(one, until) for one in since] == naive
    again = Listening(listening.spans)
    assert again.heard(np.array(since), until).tolist() == naive


def test_spans_that_touch_are_one_and_old_ones_are_forgotten() -> None:
    listening = Listening()
    for second in range(100, 200):
        listening.miss(second, second + 1)
    assert listening.spans == [(100, 200)]
    for start in range(1_000, 1_000 + 10 * KEPT, 10):
        listening.miss(start, start + 5)
    assert len(listening.spans) == KEPT
    assert listening.spans[0] == (1_000, 1_005)


def test_a_clock_that_is_set_back_takes_spans_with_it() -> None:
    listening = Listening([(100, 200), (300, 400)])
    listening.turn_back(350)
    assert listening.spans == [(100, 200), (300, 350)]
    listening.turn_back(300)
    assert listening.spans == [(100, 200)]
    assert listening.heard_of(50, 250) == 100
