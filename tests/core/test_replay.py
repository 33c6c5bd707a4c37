"""A series run with two settings, and what differs."""

import numpy as np
import pytest

from fluxd.core.anomaly import Anomaly
from fluxd.core.detect import THRESHOLD, score_series
from fluxd.core.replay import CHUNK_ROWS, Replay, Settings, difference, replay

START = 1_700_000_000
ROWS = 2 * CHUNK_ROWS + 300


Progress = list[tuple[int, int]]


@pytest.fixture(scope="module")
def series() -> "tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.float64]]":
    """Noise with a spike each at 1,000 (huge) and 2,500, and a faint swell from 3,500 on."""
    values = 50.0 + np.random.default_rng(7).normal(0.0, 2.0, ROWS)
    values[[1_000, 2_500]] += [200.0, 18.0]
    values[3_500:3_600] += 8.0 * np.sin(np.linspace(0.0, np.pi, 100))
    return START + 60 * np.arange(ROWS), values


@pytest.fixture(scope="module")
def usual(
    series: "tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.float64]]",
) -> tuple[Replay, Progress]:
    """Run it with the usual settings alone, and note what is told of the progress."""
    seen: Progress = []
    (one,) = replay(*series, [Settings()], lambda done, total: seen.append((done, total)))
    return one, seen


def test_scores_are_those_of_the_library_in_whatever_chunks(
    series: "tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.float64]]",
    usual: tuple[Replay, Progress],
) -> None:
    one, seen = usual
    assert one.verdicts.score.tolist() == score_series(*series).tolist()
    assert one.verdicts.analysed.all()
    assert seen == [(0, ROWS), (CHUNK_ROWS, ROWS), (2 * CHUNK_ROWS, ROWS)]
    assert one.bank.counts.tolist() == [ROWS]


def test_two_settings_at_once_are_as_each_alone(
    series: "tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.float64]]",
    usual: tuple[Replay, Progress],
) -> None:
    several = [Settings(), Settings(0.8 * THRESHOLD), Settings(0.8 * THRESHOLD, budget=1)]
    together = replay(*series, several)
    others = [replay(*series, [settings])[0] for settings in several[1:]]
    for one, alone in zip(together, [usual[0], *others], strict=True):
        assert one.found == alone.found
        assert one.verdicts.lower.tobytes() == alone.verdicts.lower.tobytes()
    assert len(together[1].found) > len(together[0].found) >= 1
    assert [a.started for a in together[1].found] == [a.started for a in together[2].found]
    assert together[2].minor > 0


def found(started: int, ended: int | None, severity: str = "normal") -> Anomaly:
    return Anomaly(
        slot=0,
        started=started,
        ended=ended,
        peak=started,
        value=1.0,
        expected=0.0,
        lower=-0.5,
        upper=0.5,
        score=0.4,
        direction="up",
        kind="spike",
        explanation="",
        evidence={},
        datapoints=1,
        history=False,
        severity="low" if severity == "low" else "normal",
    )


def test_anomalies_that_overlap_are_the_same() -> None:
    today = [found(100, 200), found(500, 500), found(900, None)]
    then = [found(150, 160), found(600, 700), found(950, 950), found(1_000, None)]
    change = difference(today, then)
    assert change.new == [then[1]]
    assert change.lost == [today[1]]
    assert (change.raised, change.lowered) == ([], [])


def test_a_change_between_minor_and_not_is_told() -> None:
    today = [found(100, 200, "low"), found(500, 500)]
    then = [found(100, 200), found(500, 500, "low")]
    change = difference(today, then)
    assert (change.new, change.lost) == ([], [])
    assert (change.raised, change.lowered) == ([then[0]], [then[1]])


def test_nothing_differs_from_itself() -> None:
    one = [found(100, 200, "low"), found(500, None)]
    change = difference(one, one)
    assert not any((change.new, change.lost, change.raised, change.lowered))
