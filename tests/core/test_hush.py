import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.detect import LocalTime
from fluxd.core.errors import BadRequestError
from fluxd.core.hush import (
    WEEK_S,
    Mute,
    Window,
    checked_window,
    read_quiet_hours,
    reason_to_hush,
)

NOW = 1_700_000_000


@pytest.mark.parametrize(
    ("scope", "pattern", "covered"),
    [
        ("metric", "web-1.cpu", True),
        ("metric", "web-*", False),
        ("glob", "web-*", True),
        ("glob", "db-*", False),
        ("sender", "fleet", True),
        ("sender", "web-1.cpu", False),
    ],
)
def test_what_a_mute_covers(scope: str, pattern: str, covered: bool) -> None:  # noqa: FBT001
    mute = Mute(1, scope, pattern, NOW, NOW + 60, "")  # type: ignore[arg-type]
    assert mute.covers("web-1.cpu", "fleet", NOW) is covered
    assert not mute.covers("web-1.cpu", "fleet", NOW - 1)
    assert not mute.covers("web-1.cpu", "fleet", NOW + 60)


def test_a_mute_says_why() -> None:
    assert Mute(1, "metric", "a", NOW, None, "").told == "muted"
    assert Mute(1, "glob", "a*", NOW, None, "noisy").told == "muted by a* (noisy)"
    assert Mute(1, "sender", "web", NOW, None, "").told == "its sender web is muted"


@given(st.integers(0, WEEK_S - 1), st.integers(-3 * WEEK_S, 9 * WEEK_S))
def test_a_weekly_window_is_as_many_single_ones(length: int, after: int) -> None:
    weekly = Window(1, "backup", NOW, NOW + length, weekly=True)
    naive = any(
        Window(1, "backup", NOW + week * WEEK_S, NOW + length + week * WEEK_S).covers(
            "a", NOW + after
        )
        for week in range(10)
    )
    assert weekly.covers("a", NOW + after) is naive


def test_a_weekly_window_keeps_its_hour_in_summer_and_in_winter() -> None:
    """From the last Sunday of October on Berlin is an hour behind what it was."""
    change = 1_792_890_000  # 2026-10-25 01:00 UTC
    berlin = LocalTime(np.array([change]), np.array([7_200, 3_600]))
    started = change - 3 * 86_400
    weekly = Window(1, "backup", started, started + 600, weekly=True, local=berlin)
    begins = [begin for begin, _ in weekly.times(started, started + 3 * WEEK_S, most=9)]
    assert begins == [started, started + WEEK_S + 3_600, started + 2 * WEEK_S + 3_600]
    for begin in begins:
        assert [weekly.covers("a", begin + s) for s in (-1, 0, 600, 601)] == [
            False,
            True,
            True,
            False,
        ]


def test_the_reason_is_that_of_the_first_that_covers() -> None:
    windows = [Window(1, "deploy", NOW, NOW + 600, ("web-*",))]
    assert reason_to_hush("web-1", "k", NOW + 600, [], windows) == "expected: deploy"
    assert reason_to_hush("db-1", "k", NOW, [], windows) is None
    mutes = [Mute(1, "glob", "*", NOW, None, "night")]
    assert reason_to_hush("web-1", "k", NOW, mutes, windows) == "muted by * (night)"


@pytest.mark.parametrize(
    ("given_", "fault"),
    [
        ({"title": " "}, "a title is missing"),
        ({"ended": NOW - 1}, "exchange from and to"),
        ({"weekly": True, "ended": NOW + WEEK_S}, "shorter than a week"),
        ({"metrics": [""]}, "1 to 512 characters"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(given_: dict[str, object], fault: str) -> None:
    usual: dict[str, object] = {
        "title": "deploy",
        "started": NOW,
        "ended": NOW + 60,
        "metrics": [],
        "weekly": False,
    }
    with pytest.raises(BadRequestError, match=fault):
        checked_window(**(usual | given_))  # type: ignore[arg-type]


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 2 * 86_400), st.integers(-12, 12))
def test_quiet_hours_as_the_naive_twin_says(begin: int, end: int, at: int, zone: int) -> None:
    if begin == end:
        return
    text = f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"
    hours = read_quiet_hours(text)
    assert hours is not None
    naive = 0
    while naive <= 86_400:
        second = (at + naive + 3_600 * zone) % 86_400
        first, last = 60 * begin, 60 * end
        inside = first <= second < last if first < last else second >= first or second < last
        if not inside:
            break
        naive += 60 - second % 60  # borders are whole minutes
    assert hours.left_s(at, 3_600 * zone) == naive


@pytest.mark.parametrize(
    "text", ["22-7", "24:00-07:00", "22:00-22:00", "22:00", "x", "22:00–07:00"]
)
def test_other_texts_are_no_quiet_hours(text: str) -> None:
    with pytest.raises(ValueError, match=r"2|x"):
        read_quiet_hours(text)


def test_no_quiet_hours() -> None:
    assert read_quiet_hours("") is None
