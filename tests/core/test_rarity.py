"""How seldom a score comes, in words."""

import pytest

from fluxd.core.detect import rows_between
from fluxd.core.rarity import rarity


@pytest.mark.parametrize(
    ("score", "interval", "text"),
    [
        (0.0, 60.0, "once in 2 minutes"),
        (0.31, 60.0, "once in 52 days"),
        (0.33, 60.0, "once in 59 days"),
        (0.40, 60.0, "once in 618 days"),
        (0.45, 60.0, "once in 5 years"),
        (1.0, 1.0, "less than once in 10 years"),
        (0.2, None, "once in 6,310 datapoints"),
    ],
)
def test_it_is_told_in_the_largest_unit_that_fits(
    score: float, interval: float | None, text: str
) -> None:
    assert rarity(score, interval) == text


def test_it_is_what_the_score_means() -> None:
    assert rarity(0.31, 1.0) == f"once in {int(rows_between(0.31, 1.0) / 86_400)} days"
