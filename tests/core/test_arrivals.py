import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.arrivals import FADE_S, SAME_DAY_S, SAME_HOUR_S, Arrivals

DAY_S = 86_400
NOW = 1_700_000_000

steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 60, 3_000, 40_000, DAY_S]),  # time that passes, s
        st.lists(st.integers(0, 3), max_size=4),  # slots that something comes of
        st.lists(st.integers(0, 3), max_size=2),  # slots whose silence is told afterwards
    ),
    max_size=12,
)


class Naive:
    """One series, as slow and obvious as can be."""

    def __init__(self) -> None:
        self.arrived = 0
        self.usual = 0.0
        self.told = False
        self.stops: list[tuple[int, int]] = []  # beginning and length of those that were told

    def come(self, now: int) -> None:
        gap = now - self.arrived if self.arrived else 0
        self.usual *= math.exp(-gap / FADE_S)
        if not self.told:
            self.usual = max(self.usual, gap)
        else:
            if self.stops and self.again(self.arrived - self.stops[-1][0]):
                self.usual = max(self.usual, min(gap, self.stops[-1][1]))
            self.stops.append((self.arrived, gap))
        self.arrived, self.told = now, False

    def again(self, apart: int) -> bool:
        hours = apart % SAME_DAY_S
        return apart <= SAME_DAY_S or min(hours, SAME_DAY_S - hours) <= SAME_HOUR_S


@given(steps)
def test_what_is_usual_against_a_naive_twin(
    course: list[tuple[int, list[int], list[int]]],
) -> None:
    arrivals, naive = Arrivals(), [Naive() for _ in range(4)]
    arrivals.grow(4)
    now = NOW
    for passes, come, told in course:
        now += passes
        arrivals.note(np.array(come, np.int64), now)
        for slot in sorted(set(come)):
            naive[slot].come(now)
        for slot in told:
            if naive[slot].arrived:
                naive[slot].told = arrivals.told[slot] = True
    assert arrivals.arrived[:4].tolist() == [one.arrived for one in naive]
    assert arrivals.told[:4].tolist() == [one.told for one in naive]
    assert arrivals.usual[:4].tolist() == pytest.approx([one.usual for one in naive], rel=1e-4)


def come(arrivals: Arrivals, *times: int) -> None:
    for time in times:
        arrivals.note(np.array([0]), time)


def test_an_outage_that_was_told_is_not_usual() -> None:
    arrivals = Arrivals()
    come(arrivals, *range(NOW, NOW + 600, 60))
    arrivals.told[0] = True
    come(arrivals, NOW + 540 + 50_000)
    assert arrivals.usual[0] == pytest.approx(60, rel=0.05)


def test_a_machine_that_is_off_every_night() -> None:
    arrivals = Arrivals()
    for day in range(3):
        come(arrivals, *range(NOW + day * DAY_S, NOW + day * DAY_S + 3_600, 60))
        arrivals.told[0] = True
    assert arrivals.usual[0] == pytest.approx(DAY_S - 3_540, rel=0.1)


def test_what_could_not_be_received_is_no_gap() -> None:
    arrivals = Arrivals()
    come(arrivals, NOW, NOW + 60)
    arrivals.listening.miss(NOW + 70, NOW + 7_000)
    come(arrivals, NOW + 7_050)
    assert arrivals.usual[0] == 60


def test_a_guess_teaches_no_gap() -> None:
    arrivals = Arrivals()
    arrivals.note_unseen(np.array([0, 1, 0]), np.array([NOW - 99, NOW, NOW - 900]), NOW - 50)
    assert arrivals.arrived[:2].tolist() == [NOW - 99, NOW - 50]
    come(arrivals, NOW + 4_000)
    assert arrivals.usual[0] == 0
    come(arrivals, NOW + 4_060)
    assert arrivals.usual[0] == 60


def test_a_clock_that_is_set_back_leaves_nothing_in_the_future() -> None:
    arrivals = Arrivals()
    come(arrivals, NOW, NOW + 60)
    arrivals.turn_back(NOW - 5_000)
    assert arrivals.arrived[0] == arrivals.since[0] == NOW - 5_000
    come(arrivals, NOW - 4_940)
    assert arrivals.usual[0] == pytest.approx(60, rel=0.01)


def test_a_dump_comes_back_exactly() -> None:
    arrivals = Arrivals()
    arrivals.note(np.array([1, 2, 4]), NOW)
    arrivals.told[2] = True
    arrivals.note(np.array([2, 4]), NOW + 60)
    body = arrivals.dump(1, 5)
    other = Arrivals()
    other.load(1, body)
    assert other.dump(1, 5) == body
    assert other.arrived[:5].tolist() == arrivals.arrived[:5].tolist()
    for broken in (b"", body[:3], body[:-2], b"\7" + body[1:], body[:5] + b"nonsense"):
        with pytest.raises(ValueError, match="saved arrivals"):
            Arrivals().load(0, broken)


def test_a_forgotten_slot_is_as_new() -> None:
    arrivals, fresh = Arrivals(), Arrivals()
    arrivals.note(np.array([0]), NOW)
    arrivals.note(np.array([0]), NOW + 60)
    arrivals.told[0] = arrivals.stale[0] = True
    arrivals.forget(np.array([0, 7]))
    fresh.grow(1)
    assert arrivals.dump(0, 1) == fresh.dump(0, 1)
    assert not arrivals.stale[0]
