from dataclasses import replace

import pytest

from fluxd.core.detect import WARMUP
from fluxd.core.detect.verdicts import Traits
from fluxd.core.states import STATES, Seen, progress_text, ready_in_s, state_of

NOW = 1_700_000_000
DAY_S = 86_400

TRAITS = Traits(
    interval=60.0,
    longest_gap=60.0,
    constant=False,
    irregular=False,
    counter=False,
    daily_from=None,
    weekly_from=None,
)
SEEN = Seen(10_080, NOW - 30, 30.0, 60.0)


@pytest.mark.parametrize(
    ("traits", "seen", "state"),
    [
        ({}, {}, "analysed"),
        ({}, {"analysed": WARMUP - 1}, "learning"),
        ({"constant": True}, {"analysed": WARMUP - 1}, "learning"),
        ({"constant": True}, {}, "constant"),
        ({"counter": True}, {}, "counter"),
        ({"counter": True, "constant": True}, {}, "constant"),
        ({"irregular": True, "counter": True}, {}, "irregular"),
        ({}, {"silent_s": 300.0}, "analysed"),
        ({}, {"silent_s": 301.0}, "stale"),
        ({"longest_gap": 500.0}, {"silent_s": 1_000.0}, "analysed"),
        ({"longest_gap": 500.0}, {"silent_s": 1_000.0, "watched_s": 9e9}, "stale"),
        ({}, {"silent_s": 1_000.0, "gap": 500.0}, "analysed"),
        ({}, {"silent_s": 1_001.0, "gap": 500.0}, "stale"),
        ({"irregular": True}, {"silent_s": 5_000.0}, "irregular"),
        ({"irregular": True}, {"silent_s": 2.0 * DAY_S}, "stale"),
        ({}, {"silent_s": 301.0, "analysed": 50}, "stale"),
        ({}, {"silent_s": 301.0, "analysed": 19}, "learning"),
        ({"interval": None}, {"silent_s": 9e9}, "analysed"),
    ],
)
def test_states(traits: dict[str, object], seen: dict[str, object], state: str) -> None:
    found = state_of(replace(TRAITS, **traits), replace(SEEN, **seen))
    assert found == state
    assert found in STATES


@pytest.mark.parametrize(
    ("count", "silent_s", "text"),
    [
        (7, 6_401, "7/100 datapoints, first verdict about 22:13 UTC"),
        (90, 0, "90/100 datapoints, first verdict about 22:23 UTC"),
        (7, -9_000, "7/100 datapoints, first verdict about 02:16 UTC in 1 day"),
        (0, -10 * DAY_S, "0/100 datapoints, first verdict about 23:53 UTC in 10 days"),
        (100, 0, "100 datapoints analysed"),
        (1_234_567, 0, "1,234,567 datapoints analysed"),
    ],
)
def test_progress_while_learning(count: int, silent_s: int, text: str) -> None:
    seen = Seen(count, NOW - silent_s, 0.0, 60.0)
    assert progress_text(state_of(TRAITS, seen), TRAITS, seen, NOW) == text


def test_nobody_knows_the_first_verdict_of_what_has_no_interval() -> None:
    seen = Seen(7, NOW, 0.0, 0.0)
    traits = replace(TRAITS, interval=None)
    assert ready_in_s(traits, seen, NOW) is None
    assert progress_text("learning", traits, seen, NOW) == "7/100 datapoints"
    assert ready_in_s(TRAITS, Seen(7, None, 0.0, 0.0), NOW) is None
    assert ready_in_s(TRAITS, Seen(99, NOW - 500, 500.0, 0.0), NOW) == 0


def test_progress_names_the_patterns() -> None:
    past, to_come = NOW - 3 * DAY_S, NOW + 9 * DAY_S
    traits = replace(TRAITS, daily_from=past, weekly_from=to_come)
    assert progress_text("analysed", traits, SEEN, NOW) == (
        "10,080 datapoints analysed; daily pattern since 11 Nov; weekly pattern from about 23 Nov"
    )
    assert progress_text("counter", traits, SEEN, NOW) == (
        "10,080 datapoints analysed; a counter, of which the rate is judged; "
        "daily pattern since 11 Nov; weekly pattern from about 23 Nov"
    )
    traits = replace(TRAITS, daily_from=NOW)
    assert progress_text("analysed", traits, SEEN, NOW).endswith("daily pattern since 14 Nov")
    traits = replace(TRAITS, weekly_from=10**15)
    assert progress_text("analysed", traits, SEEN, NOW) == "10,080 datapoints analysed"


def test_progress_of_the_others() -> None:
    assert "has not changed" in progress_text("constant", TRAITS, SEEN, NOW)
    assert "silence is not told" in progress_text("irregular", TRAITS, SEEN, NOW)
    seen = Seen(10_080, NOW - 9_000, 9_000.0, 60.0)
    assert progress_text("stale", TRAITS, seen, NOW) == (
        "silent for 2 hours, since 19:43 UTC on 2023-11-14; 10,080 datapoints analysed"
    )
    young = Seen(40, NOW - 9_000, 9_000.0, 60.0)
    assert progress_text("stale", TRAITS, young, NOW).endswith("; 40/100 datapoints")
