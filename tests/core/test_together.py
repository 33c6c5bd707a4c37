"""What began close together is one group."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.together import TOGETHER_S, together

starts = st.lists(st.integers(0, 4 * TOGETHER_S), max_size=30)


@given(starts)
def test_everything_is_in_one_group_and_no_group_is_longer_than_the_window(
    times: list[int],
) -> None:
    groups = together(times)
    assert sorted(place for group in groups for place in group) == list(range(len(times)))
    for group in groups:
        assert max(times[p] for p in group) - min(times[p] for p in group) <= TOGETHER_S


@given(starts)
def test_groups_do_not_overlap_and_the_latest_comes_first(times: list[int]) -> None:
    groups = together(times)
    for later, sooner in pairwise(groups):
        assert min(times[p] for p in later) > max(times[p] for p in sooner)


def test_the_window_begins_with_the_first_of_a_group() -> None:
    assert together([0, 200, 400], 300) == [[2], [0, 1]]
