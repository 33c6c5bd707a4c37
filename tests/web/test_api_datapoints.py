import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from web.inprocess import NOW, InProcess

from fluxd.core.bands import Band
from fluxd.web import api_ranges
from fluxd.web.api_buckets import (
    MAX_POINTS,
    align,
    as_rollups,
    bucket_points,
    fuller,
    regroup,
    smallest_step,
)

ADDRESS = "/api/v1/metrics/cpu/datapoints"
ARRAYS = ("timestamps", "values", "expected", "lower", "upper", "score")


def minutes(count: int, until: int = NOW) -> list[tuple[int, float]]:
    return [(until - 60 * i, float(i % 7)) for i in range(count - 1, -1, -1)]


def test_datapoints_come_with_their_band_once_there_is_one(fluxd: InProcess) -> None:
    sent = minutes(150)
    fluxd.learn("cpu", sent)
    answer = fluxd.get(ADDRESS).json
    assert (answer["metric"], answer["step"]) == ("cpu", None)
    assert list(zip(answer["timestamps"], answer["values"], strict=True)) == sent
    assert {len(answer[name]) for name in ARRAYS} == {150}
    assert answer["expected"][0] is None
    assert answer["lower"][-1] <= answer["expected"][-1] <= answer["upper"][-1]
    assert 0 <= answer["score"][-1] <= 1
    assert "min" not in answer


def test_both_ends_are_inclusive(fluxd: InProcess) -> None:
    fluxd.learn("cpu", [(NOW - 2, 1.0), (NOW - 1, 2.0), (NOW, 3.0)])
    answer = fluxd.get(f"{ADDRESS}?from={NOW - 1}&to={NOW}").json
    assert (answer["from"], answer["to"]) == (NOW - 1, NOW)
    assert answer["values"] == [2.0, 3.0]
    assert fluxd.get(f"{ADDRESS}?from={NOW - 2}&to={NOW - 2}").json["values"] == [1.0]


def test_without_a_range_the_last_day_that_has_datapoints(fluxd: InProcess) -> None:
    end = NOW - 1_000_000
    fluxd.learn("cpu", [(end - 86_401, 1.0), (end - 86_400, 2.0), (end, 3.0)])
    answer = fluxd.get(ADDRESS).json
    assert (answer["from"], answer["to"]) == (end - 86_400, end)
    assert answer["values"] == [2.0, 3.0]


def test_of_a_live_metric_what_is_not_analysed_yet_too(fluxd: InProcess) -> None:
    fluxd.store_datapoints("cpu", [(NOW - 60, 1.0)])
    assert fluxd.get(ADDRESS).json["values"] == [1.0]
    fluxd.analyse()
    fluxd.store_datapoints("cpu", [(NOW + 60, 2.0)])
    assert fluxd.get(ADDRESS).json["values"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"?to={NOW - 500}", (NOW - 500 - 86_400, NOW - 500)),
        ("?to=5", (0, 5)),
        (f"?from={NOW - 500}", (NOW - 500, NOW + 60)),
        ("?from=9999999999", (9_999_999_999, 9_999_999_999)),
        ("?from=0&to=9999999999", (0, 9_999_999_999)),
    ],
)
def test_the_other_end_of_a_range(fluxd: InProcess, query: str, expected: tuple[int, int]) -> None:
    fluxd.learn("cpu", [(NOW, 1.0)])
    answer = fluxd.get(ADDRESS + query).json
    assert (answer["from"], answer["to"]) == expected


def test_steps_begin_at_their_multiples(fluxd: InProcess) -> None:
    start = NOW - NOW % 300 - 600
    fluxd.learn("cpu", [(start + 60 * i, float(i)) for i in range(7)])
    answer = fluxd.get(f"{ADDRESS}?step=300&from={start + 60}").json
    assert answer["step"] == 300
    assert answer["timestamps"] == [start, start + 300]
    assert answer["values"] == [2.5, 5.5]
    assert answer["min"] == [1.0, 5.0]
    assert answer["max"] == [4.0, 6.0]
    assert answer["expected"] == [None, None]


def test_an_empty_range_has_empty_arrays(fluxd: InProcess) -> None:
    fluxd.learn("cpu", [(NOW, 1.0)])
    for query in ("?from=0&to=10", "?from=0&to=10&step=60"):
        answer = fluxd.get(ADDRESS + query).json
        assert [answer[name] for name in ARRAYS] == [[]] * 6


def test_too_many_datapoints_are_told_in_steps(fluxd: InProcess) -> None:
    count = 3 * MAX_POINTS
    fluxd.store_datapoints("cpu", [(NOW - i, float(i)) for i in range(count, 0, -1)])
    answer = fluxd.get(f"{ADDRESS}?from={NOW - MAX_POINTS}&to={NOW}").json
    assert (answer["step"], len(answer["values"])) == (None, MAX_POINTS)
    answer = fluxd.get(f"{ADDRESS}?from={NOW - count}&to={NOW}").json
    assert answer["step"] == 5
    assert len(answer["values"]) == len(answer["max"]) == count // 5
    assert answer["max"][0] == count


def test_a_step_that_leaves_too_many_is_refused_with_one_that_does_not(fluxd: InProcess) -> None:
    fluxd.store_datapoints("cpu", [(NOW - i, 1.0) for i in range(MAX_POINTS + 1)])
    address = f"{ADDRESS}?from={NOW - MAX_POINTS}&to={NOW}"
    message = fluxd.refusal(f"{address}&step=1")
    assert message.startswith("invalid step - 1 - the range has more than 5000 steps")
    assert "use 2 or more" in message
    assert fluxd.get(f"{address}&step=2").status_code == 200


def test_reading_is_bounded(fluxd: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_ranges, "CHUNK", 10)
    monkeypatch.setattr(api_ranges, "MAX_READ", 50)
    fluxd.store_datapoints("cpu", [(NOW - i, float(i)) for i in range(50)])
    assert len(fluxd.get(f"{ADDRESS}?from={NOW - 48}&step=1").json["values"]) == 49
    refusal = fluxd.refusal(f"{ADDRESS}?from={NOW - 49}&step=1")
    assert "50 datapoints or more" in refusal
    assert "a multiple of 3600" in refusal


def test_the_largest_numbers_are_told_and_their_mean_too(fluxd: InProcess) -> None:
    largest = 1.7976931348623157e308
    fluxd.learn("cpu", [(NOW - i, largest if i % 2 else -largest) for i in range(130, 0, -1)])
    assert largest in fluxd.get(ADDRESS).json["values"]
    fluxd.learn("high", [(NOW - i, largest) for i in range(10, 0, -1)])
    answer = fluxd.get("/api/v1/metrics/high/datapoints?step=3600").json
    assert answer["values"] == [pytest.approx(largest)] * len(answer["values"])


# ---- the arithmetic

TIMES = st.lists(st.integers(0, 10_000), min_size=1, max_size=60, unique=True).map(sorted)
NOTHING = as_rollups(np.empty(0, np.int64), np.empty(0))


@given(TIMES, st.integers(1, 4_000), st.randoms(use_true_random=False))
def test_buckets_are_what_the_obvious_way_finds(times: list[int], step: int, random) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    values = [random.uniform(-10, 10) for _ in times]
    score = [random.choice([math.nan, random.random()]) for _ in times]
    band = Band(np.array(times), *(np.array(score) for _ in range(4)))
    cut = random.randrange(len(times) + 1)
    parts = [
        regroup([as_rollups(np.array(times[a:b]), np.array(values[a:b]))], step)
        for a, b in ((cut, None), (0, cut))
    ]
    got = bucket_points(regroup(parts, step), band, step)

    buckets: dict[int, list[int]] = {}
    for at, time in enumerate(times):
        buckets.setdefault(time // step * step, []).append(at)
    assert got.timestamps.tolist() == list(buckets)
    assert got.lowest is not None
    for at, members in enumerate(buckets.values()):
        inside = [values[i] for i in members]
        known = [score[i] for i in members if not math.isnan(score[i])]
        assert got.values[at] == pytest.approx(sum(inside) / len(inside))
        assert got.lowest[at] == min(inside)
        if known:
            assert got.score[at] == max(known)
            assert got.expected[at] == pytest.approx(sum(known) / len(known))
        else:
            assert math.isnan(got.score[at])
            assert math.isnan(got.expected[at])


@given(st.integers(0, 9_999_999_999), st.integers(0, 9_999_999_999), st.sampled_from([1, 3600]))
def test_a_step_can_always_be_chosen(one: int, other: int, least: int) -> None:
    first, last = sorted((one, other))
    step = smallest_step(first, last, least=least)
    assert step >= least
    assert last // step - first // step + 1 <= MAX_POINTS


def test_a_band_is_put_where_it_belongs() -> None:
    numbers = np.array([3.0, 2.0])
    band = Band(np.array([10, 20]), numbers, numbers, numbers, numbers)
    points = align(np.array([5, 10, 20, 30]), np.zeros(4), band)
    np.testing.assert_array_equal(points.score, [np.nan, 3.0, 2.0, np.nan])
    buckets = bucket_points(as_rollups(np.array([0, 20, 40]), np.zeros(3)), band, 20)
    np.testing.assert_array_equal(buckets.expected, [3.0, 2.0, np.nan])
    nothing = align(np.array([5]), np.zeros(1), band.pick(slice(0)))
    np.testing.assert_array_equal(nothing.score, [np.nan])


def test_of_an_hour_in_both_tiers_the_one_that_counts_more_stands() -> None:
    one = regroup([as_rollups(np.array([0, 1, 7200]), np.array([1.0, 1.0, 1.0]))], 3600)
    two = regroup([as_rollups(np.array([0, 3600, 7200, 7201]), np.full(4, 2.0))], 3600)
    got = regroup([fuller(one, two)], 3600)
    assert got.timestamps.tolist() == [0, 3600, 7200]
    assert got.mean.tolist() == [1.0, 2.0, 2.0]
    assert got.count.tolist() == [2, 1, 2]
    assert fuller(NOTHING, two).count.tolist() == two.count.tolist()
    assert len(regroup([NOTHING], 60).timestamps) == 0
