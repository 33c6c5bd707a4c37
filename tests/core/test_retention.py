"""How long what is kept, and how blocks are merged."""

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.retention import DAY_S, HOUR_S, LEVELS, WEEK_S, Retention

NOW = 1_700_000_000


def test_by_default_a_month_two_years_and_two_weeks() -> None:
    retention = Retention()
    assert NOW - retention.raw_before(NOW) == 30 * DAY_S
    assert NOW - retention.rollup_before(NOW) == 730 * DAY_S
    assert NOW - retention.band_before(NOW) == 14 * DAY_S


def test_rollups_of_what_is_kept_raw_are_kept() -> None:
    retention = Retention(raw_s=100 * DAY_S, rollup_s=DAY_S)
    assert retention.rollup_before(NOW) == retention.raw_before(NOW)


def test_nothing_is_before_1970() -> None:
    retention = Retention(raw_s=NOW + 1, rollup_s=NOW + 1, band_s=NOW + 1)
    assert retention.raw_before(NOW) == 0
    assert retention.rollup_before(NOW) == 0
    assert retention.band_before(NOW) == 0


@pytest.mark.parametrize(
    ("raw_s", "levels"),
    [
        (HOUR_S, (HOUR_S,)),
        (4 * DAY_S - 1, (HOUR_S,)),
        (4 * DAY_S, (HOUR_S, DAY_S)),
        (4 * WEEK_S - 1, (HOUR_S, DAY_S)),
        (4 * WEEK_S, LEVELS),
        (3_650 * DAY_S, LEVELS),
    ],
)
def test_blocks_are_merged_only_as_far_as_pruning_them_keeps_the_retention(
    raw_s: int, levels: tuple[int, ...]
) -> None:
    assert Retention(raw_s=raw_s).levels() == levels


@given(st.integers(HOUR_S, 3_650 * DAY_S))
def test_levels_are_the_first_ones_and_each_divides_the_next(raw_s: int) -> None:
    levels = Retention(raw_s=raw_s).levels()
    assert levels == LEVELS[: len(levels)]
    assert all(longer % shorter == 0 for shorter, longer in itertools.pairwise(levels))


def test_it_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Retention().raw_s = 1  # type: ignore[misc]
