from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.message import SEVERITIES, Severity, rank, worst
from fluxd.core.sending import (
    DAY_S,
    LONGEST_WAIT_S,
    day_began,
    digest_due,
    wait_s,
    within_cap,
)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_grow_up_to_a_bound(attempts: int, luck: float) -> None:
    wait = wait_s(attempts, luck)
    assert 3.0 < wait <= LONGEST_WAIT_S
    assert wait <= wait_s(attempts + 1, luck)
    assert wait_s(attempts, luck, asked_s=1e9) == DAY_S
    assert wait_s(attempts, luck, asked_s=0.0) == wait


@given(st.integers(0, 200), st.integers(0, 100), st.sampled_from(SEVERITIES))
def test_the_worst_go_out_last(sent: int, cap: int, severity: Severity) -> None:
    if within_cap(sent, cap, severity) and cap:
        assert sent < cap
        assert within_cap(sent, cap, "critical")
    assert within_cap(sent, 0, severity)


@given(st.integers(0, 2**32), st.integers(-43_200, 50_400))
def test_digests_are_due_once_a_day(now: int, offset: int) -> None:
    due = digest_due(now, offset)
    assert due <= now < due + DAY_S
    assert (due + offset) % DAY_S == 8 * 3_600
    assert day_began(now, offset) <= now < day_began(now, offset) + DAY_S


@given(st.lists(st.sampled_from(SEVERITIES)))
def test_the_worst_of_some(severities: list[Severity]) -> None:
    found = worst(severities)
    assert (found is None) == (not severities)
    if found is not None:
        assert rank(found) == max(rank(one) for one in severities)
