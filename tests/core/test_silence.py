import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.detect.localtime import LocalTime
from fluxd.core.silence import (
    GAPS,
    LEAST_S,
    Window,
    common_name,
    common_prefix,
    has_habits,
    join,
    limit_s,
    overdue,
)
from fluxd.core.stops import LISTED, Members, Stop

NOW = 1_700_000_000
HOUR_S = 3_600

metrics = st.lists(
    st.tuples(
        st.sampled_from([0, NOW - 5_000, NOW - 121, NOW - 120, NOW - 60, NOW, NOW + 50]),
        st.sampled_from([0.0, 60.0, 61.0, 2_499.0, 2_500.0]),
        st.booleans(),
        st.sampled_from([0, NOW - 1, NOW, NOW + 1]),
    ),
    max_size=20,
)


@given(metrics)
def test_who_is_overdue_against_a_naive_twin(rows: list[tuple[int, float, bool, int]]) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], [], []]
    seen, usual, told, look = columns
    found = overdue(
        np.array(seen, np.int64),
        np.array(usual, np.float32),
        np.array(told, np.bool_),
        np.array(look, np.int64),
        NOW,
    )
    naive = [
        slot
        for slot, (at, gap, is_told, from_when) in enumerate(rows)
        if at and not is_told and from_when <= NOW and NOW - at > LEAST_S and NOW - at > GAPS * gap
    ]
    assert found.tolist() == naive


stopped = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 12), st.integers(0, 6)), max_size=14)


def joined_naively(windows: list[Window], rows: list[tuple[int, int, int]]) -> dict[int, int]:
    """Put one metric after the other, the earliest of a key first, where it fits."""
    places: dict[int, int] = {}
    for at in sorted(range(len(rows)), key=lambda at: rows[at]):
        key, since, until = rows[at]
        for number, window in enumerate(windows):
            if window.key == key and since <= window.until and until >= window.since:
                window.since = max(window.since, since)
                window.until = min(window.until, until)
                places[at] = number
                break
        else:
            places[at] = len(windows)
            windows.append(Window(key, since, until))
    return places


@given(stopped, stopped)
def test_who_stopped_together_against_a_naive_twin(
    before: list[tuple[int, int, int]], after: list[tuple[int, int, int]]
) -> None:
    windows: list[Window] = []
    naive: list[Window] = []
    for some in (before, after):
        rows = [(key, since, since + length) for key, since, length in some]
        columns = np.array(rows, np.int64).reshape(-1, 3).T
        found = join(windows, *columns)
        places = joined_naively(naive, rows)
        assert found.tolist() == [places[at] for at in range(len(rows))]
        assert windows == naive
        for (key, since, until), number in zip(rows, found.tolist(), strict=True):
            window = windows[number]  # they may all have stopped in it
            assert window.key == key
            assert since <= window.since <= window.until <= until


def test_how_long_a_metric_may_be_silent() -> None:
    assert limit_s(3_600, 3_700) == 5 * 3_600
    assert limit_s(60, 86_400) == 2 * 86_400
    assert limit_s(1, 1) == 120
    assert limit_s(60, 60, irregular=True) == 86_400
    assert limit_s(60, 20_000, irregular=True) == 200_000


@pytest.mark.parametrize(
    ("datapoints", "seen_s", "gap", "known"),
    [
        (19, 9e9, 60.0, False),
        (20, 600, 60.0, True),
        (20, 599, 1.0, False),
        (99, 600, 61.0, False),
        (500, 9e9, 0.0, False),
    ],
)
def test_habits_take_time(datapoints: int, seen_s: float, gap: float, *, known: bool) -> None:
    assert has_habits(datapoints, seen_s, gap) is known


@pytest.mark.parametrize(
    ("names", "prefix"),
    [
        (["a.b.c", "a.b.d.e"], "a.b"),
        (["a.b", "a.b.c"], "a"),
        (["ab.c", "a.c"], ""),
        (["cpu"], ""),
        (["cpu", "cpu.user"], ""),
        (["web-1.cpu", "web-1.cpu-2", "web-1.mem"], "web-1"),
    ],
)
def test_what_names_have_in_common(names: list[str], prefix: str) -> None:
    assert common_prefix(names) == prefix


def test_what_a_sender_is_called() -> None:
    hosts = [f"h{n}.cpu" for n in range(4)]
    assert common_name(hosts[:3], "fleet", whole=False) == "h0, h1, h2"
    assert common_name(hosts, "fleet", whole=False) == "fleet"
    assert common_name(["cpu", "mem"], "fleet", whole=False) == "fleet"
    assert common_name(["cpu", "web.mem"], "fleet", whole=False) == "fleet"


# ---- what is told


def stop(*names: str, of: int = 0) -> Stop:
    made = Stop(Window(1, NOW, NOW + 60), 5, names[0], NOW + 60, id=3)
    made.add(names, [60.0] * len(names), "key", of)
    return made


def test_a_stop_comes_back_from_its_evidence() -> None:
    made = stop("a.b", "a.c", of=7)
    made.back, made.gone = 1, 1
    assert Stop.load(3, 5, NOW + 60, made.evidence(LocalTime())) == made


def test_a_stop_lists_so_many_and_counts_all() -> None:
    made = stop(*(f"h.m{n}" for n in range(LISTED + 50)))
    made.add(["h.more"], [10.0], "key", 9)
    assert (made.count, len(made.listed), made.of) == (LISTED + 51, LISTED, LISTED + 51)
    assert made.interval == 60.0
    assert made.text(LocalTime()).startswith(f"h: all {LISTED + 51} metrics stopped at 22:14 UTC")


def test_it_is_told_by_the_local_clock() -> None:
    made = stop("a.b", "a.c")
    made.back = 2
    text = made.text(LocalTime(offsets=np.array([7_200])), NOW + 60 + HOUR_S)
    assert "00:14 on 2023-11-15" in text
    assert text.endswith("Back at 01:14 on 2023-11-15, after 60 minutes.")


def test_a_stop_is_over_when_most_are_back() -> None:
    made = stop(*(f"h.m{n}" for n in range(10)))
    made.back = 7
    assert not made.over
    made.gone = 2
    assert made.over
    assert made.resumed_text(LocalTime(), NOW + 120).startswith("h: 7 of 10 metrics are back")
    made.back, made.gone = 0, 10
    assert made.over
    assert "Back" not in made.text(LocalTime(), NOW + 120)


def test_members_are_back_by_arrival_and_by_timestamp() -> None:
    arrived = np.array([0, 100, 100, 100, 100])
    members = Members([(1, 9, 90), (2, 9, 90), (3, 9, 90), (4, 9, 90)])
    members.locate(arrived)
    marks = np.array([0, 90, 95, 90, 95])  # nothing, history, replayed, back
    arrived = np.array([0, 100, 100, 120, 120])
    assert members.back(marks, arrived).tolist() == [False, False, False, True]
    members.drop(members.back(marks, arrived))
    members.add(8, np.array([4]), np.array([95]), np.array([120]))
    assert members.slots.tolist() == [1, 2, 3, 4]
    assert members.events.tolist() == [9, 9, 9, 8]
    assert not members.back(marks, arrived).any()
