"""When an expected window holds, against the rule that says whether it holds at a time."""

from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.hush import WEEK_S, Window

seconds = st.integers(0, 4 * WEEK_S)


@given(
    started=seconds,
    length=st.integers(0, WEEK_S - 1),
    since=seconds,
    span=st.integers(0, 3 * WEEK_S),
    weekly=st.booleans(),
)
def test_its_times_are_those_that_it_covers(
    *, started: int, length: int, since: int, span: int, weekly: bool
) -> None:
    window = Window(1, "backup", started, started + length, weekly=weekly)
    times = window.times(since, since + span, most=99)
    edges = {since, since + span, started, started + length}
    edges |= {edge for begin, end in times for edge in (begin, end, begin - 1, end + 1)}
    for at in (edge for edge in edges if since <= edge <= since + span):
        assert window.covers("any", at) == any(begin <= at <= end for begin, end in times)
    assert all(end - begin == length for begin, end in times)
    assert window.times(since, since + span, most=1) == times[:1]
