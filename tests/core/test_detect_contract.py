"""What every detector here must keep, whatever its formula (design: Detection)."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxd.core.detect import THRESHOLD, VERSION, WARMUP, Bank, Verdicts, score_many, score_series

Array = npt.NDArray[Any]
COLUMNS = ("score", "expected", "lower", "upper")
START = 1_700_000_000
HUGE = float(np.finfo(np.float64).max)


def daily(n: int, seed: int, step: int = 60, scale: float = 1.0) -> tuple[Array, Array]:
    """Make a noisy daily wave with a few spikes."""
    rng = np.random.default_rng(seed)
    times = START + step * np.arange(n)
    values = 10.0 * np.sin(times / 86_400 * 2 * np.pi) + rng.normal(size=n)
    values[rng.integers(0, n, n // 200 + 1)] += 15.0
    return times, scale * values


def piled(pairs: list[tuple[Array, Array]]) -> tuple[Array, Array, Array]:
    """Slots, times and values of the rows of all series, round by round."""
    depth = max(len(values) for _, values in pairs)
    rows = [(s, r) for r in range(depth) for s, (_, v) in enumerate(pairs) if r < len(v)]
    slots = np.array([s for s, _ in rows])
    times = np.array([pairs[s][0][r] for s, r in rows])
    values = np.array([pairs[s][1][r] for s, r in rows])
    return slots, times, values


def run(pairs: list[tuple[Array, Array]], sizes: list[int] | None = None) -> list[Array]:
    """Verdicts of each series (4 x n) when all are given round by round, cut into `sizes` rows."""
    rows = piled(pairs)
    slots = rows[0]
    bank = Bank()
    bank.grow(len(pairs))
    cuts = np.cumsum(sizes or [])
    parts = zip(*(np.split(a, cuts[cuts < slots.size]) for a in rows), strict=True)
    found = [bank.advance(*part) for part in parts]
    table = stack(found)
    return [table[:, slots == s] for s in range(len(pairs))]


def stack(verdicts: list[Verdicts]) -> Array:
    return np.array([np.concatenate([getattr(v, c) for v in verdicts]) for c in COLUMNS])


def test_the_first_verdict_is_at_the_hundredth_datapoint() -> None:
    times, values = daily(300, seed=1)
    (table,) = run([(times, values)])
    assert WARMUP == 100
    assert (table[0, :WARMUP] == 0.0).all()
    assert np.isnan(table[1:, :WARMUP]).all()
    assert np.isfinite(table[:, WARMUP:]).all()
    assert (table[0, WARMUP:] > 0.0).any()


def test_scores_do_not_know_the_future() -> None:
    times, values = daily(2000, seed=2)
    whole = score_series(times, values)
    cuts = (1, 99, 101, 777, 1999)
    for cut, part in zip(cuts, score_many([(times[:c], values[:c]) for c in cuts]), strict=True):
        assert np.array_equal(part, whole[:cut])


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=12), st.integers(0, 3))
def test_the_cut_into_calls_does_not_matter(sizes: list[int], seed: int) -> None:
    pairs = [daily(n, seed + i) for i, n in enumerate((400, 250, 120, 130))]
    for whole, cut in zip(run(pairs), run(pairs, sizes), strict=True):
        assert whole.tobytes() == cut.tobytes()


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 1000), st.integers(0, 1000))
def test_alone_or_among_others_gives_the_same_bits(others: int, seed: int) -> None:
    times, values = daily(220, seed)
    rng = np.random.default_rng(seed)
    crowd = [(times, rng.normal(size=220) * 10.0 ** rng.integers(-6, 9)) for _ in range(others)]
    place = int(rng.integers(0, others + 1))
    among = score_many([*crowd[:place], (times, values), *crowd[place:]])
    assert among[place].tobytes() == score_series(times, values).tobytes()


def test_one_metric_of_a_thousand_at_a_time_gives_the_same_bits() -> None:
    """A thousand unequal metrics, each round another random subset of them."""
    rng = np.random.default_rng(5)
    bank, count = Bank(), 1000
    bank.grow(count)
    fed: list[list[tuple[int, float, float]]] = [[] for _ in range(count)]
    for r in range(260):
        slots = rng.permutation(count)[: rng.integers(800, count + 1)]
        values = rng.normal(size=slots.size) * 10.0 ** (slots % 16 - 6)
        times = np.full(slots.size, START + 60 * r)
        scores = bank.advance(slots, times, values).score
        for s, t, x, score in zip(slots, times, values, scores, strict=True):
            fed[s].append((int(t), float(x), float(score)))
    for s in range(0, count, 97):
        times, values, scores = (np.array(column) for column in zip(*fed[s], strict=True))
        assert score_series(times, values).tobytes() == scores.tobytes()


@pytest.mark.parametrize("at", [1, 6, 99, 100, 555])
def test_saved_and_loaded_midway_it_goes_on_as_if_nothing_happened(at: int) -> None:
    slots, times, values = piled([daily(700, seed) for seed in range(3)])
    begun, rest = slice(0, 3 * at), slice(3 * at, None)
    whole, half, second = Bank(), Bank(), Bank()
    for bank in (whole, half):
        bank.grow(3)
        bank.advance(slots[begun], times[begun], values[begun])
    second.load(5, half.dump(0, 3))
    assert len(second) == 8
    assert second.marks[5:].tolist() == whole.marks.tolist()
    expected = whole.advance(slots[rest], times[rest], values[rest])
    resumed = second.advance(slots[rest] + 5, times[rest], values[rest])
    assert stack([expected]).tobytes() == stack([resumed]).tobytes()
    assert second.dump(5, 8) == whole.dump(0, 3)


def test_a_foreign_state_is_refused_and_changes_nothing() -> None:
    bank = Bank()
    bank.grow(2)
    bank.advance(np.array([0, 1]), np.array([60, 60]), np.array([1.0, 2.0]))
    before = bank.dump(0, 2)
    other_version = before[:8] + (VERSION + 1).to_bytes(4, "little") + before[12:]
    other_layout = before[:12] + bytes(4) + before[16:]
    for blob in (b"", b"x" * 500, before[:-1], before + b"x", other_version, other_layout):
        with pytest.raises(ValueError, match="detector state"):
            bank.load(0, blob)
    assert bank.dump(0, 2) == before
    with pytest.raises(ValueError, match="slots"):
        bank.dump(0, 3)


def test_the_state_is_bounded() -> None:
    bank = Bank()
    bank.grow(1)
    empty = len(bank.dump(0, 1))
    times, values = daily(3000, seed=3)
    bank.advance(np.zeros(3000, np.int64), times, values)
    assert len(bank.dump(0, 1)) == empty
    assert bank.bytes_per_metric <= 6 * 1024


def test_growing_keeps_what_was_learnt() -> None:
    times, values = daily(400, seed=4)
    bank = Bank()
    bank.grow(1)
    first = bank.advance(np.zeros(200, np.int64), times[:200], values[:200])
    bank.grow(5000)
    bank.grow(10)
    assert len(bank) == 5000
    second = bank.advance(np.zeros(200, np.int64), times[200:], values[200:])
    assert np.array_equal(stack([first, second])[0], score_series(times, values))


def test_rows_at_or_before_the_mark_change_nothing() -> None:
    times, values = daily(300, seed=6)
    clean = score_series(times, values)
    rng = np.random.default_rng(6)
    late = np.sort(rng.integers(1, 300, 80))
    mixed_times = np.insert(times, late, times[late - 1] - rng.integers(0, 2, 80) * 1000)
    mixed = score_series(mixed_times, np.insert(values, late, 1e9))
    kept = np.delete(np.arange(380), late + np.arange(80))
    assert mixed[kept].tobytes() == clean.tobytes()
    assert not np.delete(mixed, kept).any()

    bank = Bank()
    bank.grow(1)
    bank.advance(np.zeros(300, np.int64), times, values)
    before = bank.dump(0, 1)
    verdicts = bank.advance(np.zeros(2, np.int64), times[-2:], np.array([5.0, 5.0]))
    assert not verdicts.analysed.any()
    assert np.isnan(stack([verdicts])).all()
    assert bank.dump(0, 1) == before


def test_what_a_metric_is_asked_about_itself() -> None:
    bank = Bank()
    bank.grow(3)
    times, values = daily(50, seed=7, step=300)
    bank.advance(np.full(50, 1), times, values)
    assert bank.counts.tolist() == [0, 50, 0]
    assert bank.firsts.tolist() == [0, times[0], 0]
    assert bank.marks.tolist() == [0, times[-1], 0]
    assert [bank.interval(slot) for slot in range(3)] == [None, 300.0, None]


def extremes() -> dict[str, Array]:
    n = 420
    rng = np.random.default_rng(8)
    sign = np.where(np.arange(n) % 2, 1.0, -1.0)
    return {
        "zeros": np.zeros(n),
        "constant": np.full(n, 1e300),
        "tiny": np.full(n, 5e-324) * (np.arange(n) % 3),
        "alternating": sign * HUGE,
        "spike": np.where(np.arange(n) == 300, HUGE, rng.normal(size=n)),
        "first": np.where(np.arange(n) < 2, -HUGE, rng.normal(size=n)),
        "late life": np.where(np.arange(n) < 250, 0.0, sign * 1e308),
        "back to zero": np.where(np.arange(n) < 250, sign * 1e308, 0.0),
        "every scale": sign * 10.0 ** rng.uniform(-320, 308, n),
        "denormal noise": rng.normal(size=n) * 1e-310,
        "exponential": np.exp(np.minimum(np.arange(n) * 1.7, 709.0)),
        "one step": np.where(np.arange(n) < 200, 1e-300, 1e300),
    }


@pytest.mark.parametrize("name", list(extremes()))
def test_no_finite_input_is_too_much(name: str) -> None:
    values = extremes()[name]
    with np.errstate(all="raise"):
        (table,) = run([(START + 60 * np.arange(values.size), values)])
    check(table)


finite = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1.0, -1.0, HUGE, -HUGE, 5e-324]),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(finite, min_size=1, max_size=12), st.lists(st.integers(1, 10**7), min_size=1))
def test_no_finite_input_is_too_much_at_any_spacing(values: list[float], gaps: list[int]) -> None:
    n = 260
    series = np.resize(np.array(values), n)
    times = START + np.cumsum(np.resize(np.array(gaps), n))
    with np.errstate(all="raise"):
        (table,) = run([(times, series)])
    check(table)


def check(table: Array) -> None:
    score, expected, lower, upper = table[:, WARMUP:]
    assert np.isfinite(table[:, WARMUP:]).all()
    assert (score >= 0.0).all()
    assert (score <= 1.0).all()
    assert (lower <= expected).all()
    assert (expected <= upper).all()


def test_a_changed_interval_and_gaps_are_survived() -> None:
    rng = np.random.default_rng(9)
    steps = (1, 10, 60, 300, 3600, 86_400)
    values = rng.normal(size=500)
    pairs = []
    for step in steps:
        parts = [np.full(200, step), np.full(200, 7 * step), [10**7], np.full(99, step)]
        pairs.append((START + np.cumsum(np.concatenate(parts)), values))
    bank = Bank()
    bank.grow(len(steps))
    slots, times, _ = piled([(t[:400], v[:400]) for t, v in pairs])
    bank.advance(slots, times, np.zeros(slots.size))
    for slot, (step, scores) in enumerate(zip(steps, score_many(pairs), strict=True)):
        assert (scores < THRESHOLD).mean() > 0.98, step
        assert bank.interval(slot) == 7 * step


def test_nothing_given_gives_nothing() -> None:
    bank = Bank()
    bank.grow(1)
    none = np.zeros(0)
    assert bank.advance(none.astype(np.int64), none.astype(np.int64), none).score.size == 0
    assert score_many([]) == []
    assert score_series(none.astype(np.int64), none).size == 0
