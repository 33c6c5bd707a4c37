"""Leaving what is usual is news; coming back to it is none."""

import numpy as np
from core.synthetic import MONDAY, Array, autoregressive, clock

from fluxd.core.detect import THRESHOLD, score_many

AWAY = 7 * 288  # rows of five minutes: a week
BACK = AWAY + 72  # six hours of a slow slide
STEPS = 6.0 * np.arange(1.0, 5.0)
SEEDS = range(48)


def slides(to: float) -> list[Array]:
    """Let a metric that wanders by steps of 1 slide, and go 24 up in four rows.

    It lies between -24 and 24.
    """
    made = []
    for seed in SEEDS:
        x = 7.0 * autoregressive(np.random.default_rng(seed), AWAY, 0.99)
        way = np.linspace(x[-1], to, BACK - AWAY)
        made.append(np.concatenate((np.clip(x, -24.0, 24.0), way, to + STEPS)))
    return made


def alarms(values: list[Array]) -> Array:
    times = clock(values[0].size, step=300, start=MONDAY)
    return np.array(score_many([(times, x) for x in values])) >= THRESHOLD


def test_a_return_to_what_is_usual_is_no_news() -> None:
    assert not alarms(slides(-24.0))[:, BACK : BACK + 3].any()


def test_the_same_steps_away_from_it_are() -> None:
    assert alarms(slides(0.0))[:, BACK:].any(axis=1).mean() > 0.5
