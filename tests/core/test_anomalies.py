"""From verdicts to anomalies."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxd.core.anomalies import Anomaly, Stretches
from fluxd.core.detect import Bank, Remark

Array = npt.NDArray[Any]
START = 1_700_000_000
Known = dict[tuple[int, int], Anomaly]


def follow(
    stretches: Stretches,
    bank: Bank,
    rows: tuple[Array, Array, Array],
    known: Known,
    *,
    history: bool = False,
) -> list[Anomaly]:
    """Advance, follow, and upsert into `known` as the store does."""
    slots, times, values = rows
    bank.grow(int(slots.max()) + 1)
    verdicts = bank.advance(slots, times, values)
    told = stretches.follow(bank, slots, times, values, np.full(slots.size, history), verdicts)
    known.update({(a.slot, a.started): a for a in told})
    return told


def one(values: Array, step: int = 60, slot: int = 0) -> tuple[Array, Array, Array]:
    return np.full(values.size, slot), START + step * np.arange(values.size), values


def anomalies_of(values: Array, step: int = 60) -> list[Anomaly]:
    known: Known = {}
    follow(Stretches(), Bank(), one(values, step), known)
    return list(known.values())


def noise(n: int, seed: int = 0) -> Array:
    return 100.0 + np.random.default_rng(seed).normal(size=n)


def test_a_spike_is_one_anomaly_with_its_numbers() -> None:
    values = noise(1500)
    values[1200] += 30.0
    (anomaly,) = anomalies_of(values)
    at = START + 60 * 1200
    assert (anomaly.started, anomaly.peak, anomaly.ended) == (at, at, at)
    assert (anomaly.kind, anomaly.direction, anomaly.datapoints) == ("spike", "up", 1)
    assert anomaly.value == values[1200]
    assert anomaly.lower < 100.0 < anomaly.upper < anomaly.value
    assert anomaly.evidence["known"] == 1200
    assert anomaly.evidence["highest"] == values[:1200].max()
    assert not anomaly.history


def test_a_drop_looks_down() -> None:
    values = noise(1500)
    values[1200] -= 30.0
    (anomaly,) = anomalies_of(values)
    assert (anomaly.kind, anomaly.direction) == ("drop", "down")


def test_a_lasting_change_becomes_a_level_shift() -> None:
    values = noise(1500)
    values[1200:] += 30.0
    (anomaly,) = anomalies_of(values)
    assert (anomaly.kind, anomaly.direction) == ("level shift", "up")
    assert anomaly.started == START + 60 * 1200
    assert anomaly.ended is not None


def test_snapshots_come_only_when_something_changes() -> None:
    values = noise(1500)
    values[1200] += 30.0
    stretches, bank, known = Stretches(), Bank(), {}
    slots, times, _ = one(values)
    told = []
    for i in range(values.size):
        part = slice(i, i + 1)
        changed = follow(stretches, bank, (slots[part], times[part], values[part]), known)
        told += [(i, a.ended is None) for a in changed]
    assert told == [(1200, True), (1205, False)]
    assert len(stretches) == 0


def test_another_datapoint_within_the_hour_continues_the_anomaly() -> None:
    values = noise(1700)
    values[[1200, 1240, 1400]] += [12.0, 90.0, 90.0]
    first, second = anomalies_of(values)
    assert first.started == START + 60 * 1200
    assert first.peak == first.ended == START + 60 * 1240
    assert first.datapoints == 2
    assert second.started == START + 60 * 1400


def test_twelve_intervals_join_where_an_hour_is_short() -> None:
    values = noise(1500)
    values[[1200, 1210]] += [30.0, 60.0]
    (anomaly,) = anomalies_of(values, step=3600)
    assert anomaly.datapoints == 2


def test_a_gap_ends_what_was_open() -> None:
    values = noise(1500)
    values[[1200, 1201]] += [30.0, 90.0]
    slots, times, _ = one(values)
    times[1201:] += 7 * 3600
    known: Known = {}
    follow(Stretches(), Bank(), (slots, times, values), known)
    first, second = known.values()
    assert first.ended == first.started
    assert second.started == times[1201]


def test_a_value_inside_the_band_is_an_unusual_pattern() -> None:
    """Where novelty alone made the score, no single value is to blame."""
    bank, stretches = Bank(), Stretches()
    slots, times, values = one(noise(300))
    bank.grow(1)
    verdicts = bank.advance(slots, times, values)
    inside = 200
    verdicts.score[inside] = 0.5
    verdicts.remarks[inside] = Remark(
        forecast_rarity=1.0,
        novelty_rarity=9.0,
        interval=60.0,
        datapoints=inside,
        since=int(times[0]),
        days=[(19_675, 95.0, 105.0)],
    )
    (anomaly,) = stretches.follow(bank, slots, times, values, np.zeros(300, np.bool_), verdicts)
    assert anomaly.kind == "unusual pattern"
    assert "together" in anomaly.explanation


def test_history_is_told_from_live() -> None:
    values = noise(1500)
    values[[1200, 1201]] += 30.0
    slots, times, _ = one(values)
    stretches, bank, known = Stretches(), Bank(), {}
    old, new = slice(0, 1201), slice(1201, None)
    follow(stretches, bank, (slots[old], times[old], values[old]), known, history=True)
    assert [a.history for a in known.values()] == [True]
    follow(stretches, bank, (slots[new], times[new], values[new]), known)
    assert [a.history for a in known.values()] == [False]


def busy(n: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    values = noise(n, seed)
    values[rng.integers(300, n, 6)] += rng.choice([-40.0, 40.0], 6)
    values[n - 200 :] += 25.0
    return values


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 900), max_size=10), st.booleans())
def test_the_cut_into_calls_and_a_restart_do_not_matter(
    sizes: list[int],
    restart: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    n, count = 700, 3
    slots = np.tile(np.arange(count), n)
    times = np.repeat(START + 60 * np.arange(n), count)
    values = np.array([busy(n, seed) for seed in range(count)]).T.ravel()
    whole: Known = {}
    follow(Stretches(), Bank(), (slots, times, values), whole)
    assert len(whole) >= count

    cut: Known = {}
    stretches, bank = Stretches(), Bank()
    cuts = np.cumsum(sizes)
    for part in np.split(np.arange(slots.size), cuts[cuts < slots.size]):
        follow(stretches, bank, (slots[part], times[part], values[part]), cut)
        if restart:
            saved, state = stretches.dump(0, count), bank.dump(0, count)
            stretches, bank = Stretches(), Bank()
            stretches.load(0, saved)
            bank.load(0, state)
            assert stretches.dump(0, count) == saved
    assert {k: asdict(a) for k, a in cut.items()} == {k: asdict(a) for k, a in whole.items()}


def test_a_foreign_dump_is_refused() -> None:
    stretches = Stretches()
    saved = stretches.dump(0, 0)
    for blob in (b"", b"x" * 50, saved[:8] + (99).to_bytes(4, "little") + saved[12:]):
        with pytest.raises(ValueError, match="saved anomalies"):
            stretches.load(0, blob)


def test_loading_replaces_what_was_known_of_those_slots() -> None:
    values = noise(1300)
    values[1295] += 30.0
    stretches, bank = Stretches(), Bank()
    follow(stretches, bank, one(values, slot=4), {})
    assert len(stretches) == 1
    moved = Stretches()
    moved.load(10, stretches.dump(3, 6))
    assert moved.dump(10, 13) == stretches.dump(3, 6)
    moved.load(10, Stretches().dump(0, 3))
    assert len(moved) == 0
