"""From verdicts to anomalies."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxd.core.anomalies import HEADER, Anomaly, Lasting, Stretches
from fluxd.core.detect import Bank, Remark, Verdicts

Array = npt.NDArray[Any]
START = 1_700_000_000
Known = dict[tuple[int, int], Anomaly]
PARTS = ("analysed", "score", "expected", "lower", "upper", "base", "seconds")


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


def test_what_follows_a_spike_is_not_its_peak() -> None:
    """The rows after are like any, but their means are not: that is the spike's echo."""
    for seed in range(8):
        values = noise(1010, seed)
        values[1000] += 100.0
        (anomaly,) = [one for one in anomalies_of(values) if one.started == START + 60 * 1000]
        assert (anomaly.peak, anomaly.kind) == (anomaly.started, "spike")
        assert "nothing by itself" not in anomaly.explanation


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
    assert anomaly.went_on is None


def test_a_drop_looks_down() -> None:
    values = noise(1500)
    values[1200] -= 30.0
    (anomaly,) = anomalies_of(values)
    assert (anomaly.kind, anomaly.direction) == ("drop", "down")


@pytest.mark.parametrize("minutes", [100, 355, 365, 600])
def test_a_lasting_change_becomes_a_level_shift(minutes: int) -> None:
    """It is over once it has returned, or after six hours, when it counts as usual."""
    values = noise(1200 + minutes)
    values[1200:] += 30.0
    (anomaly,) = anomalies_of(values)
    assert (anomaly.kind, anomaly.direction) == ("level shift", "up")
    assert anomaly.started == START + 60 * 1200
    accepted = START + 60 * 1560
    assert anomaly.ended == (accepted if minutes > 360 else None)
    assert ("counts as usual now" in anomaly.explanation) == (minutes > 360)


def test_what_climbs_steadily_is_no_level_shift_and_its_end_is_told() -> None:
    """50 points of a disk in twelve hours, straight: it has arrived nowhere."""
    rng = np.random.default_rng(4)
    values = 40.0 + 0.05 * rng.normal(size=4 * 1440)
    start = values.size - 720
    values[start:] += np.linspace(0.0, 50.0, 720)
    anomalies = anomalies_of(values)
    told = [one for one in anomalies if one.started >= START + 60 * start]
    assert "level shift" not in {one.kind for one in told}
    assert any("it reaches 100 in about" in one.explanation for one in told)


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
    values[[1200, 1240, 1400]] += [8.0, 18.0, 90.0]
    first, second = anomalies_of(values)
    assert first.started == START + 60 * 1200
    assert first.peak == first.ended == START + 60 * 1240
    assert first.datapoints == 2
    assert (first.went_on, second.went_on) == (first.peak, None)
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
    assert "the course of the last few datapoints" in anomaly.explanation


def remarked(values: Array, remarks: dict[int, Remark], score: float = 0.5) -> list[Anomaly]:
    """Return what is told where the detector remarks certain rows."""
    bank, stretches, known = Bank(), Stretches(), {}
    slots, times, _ = one(values)
    bank.grow(1)
    verdicts = bank.advance(slots, times, values)
    verdicts.remarks = remarks
    verdicts.score[:] = 0.0
    verdicts.score[list(remarks)] = score
    changed = stretches.follow(
        bank, slots, times, values, np.zeros(len(values), np.bool_), verdicts
    )
    known = {a.started: a for a in changed}
    return list(known.values())


def remark(row: int, **facts: Any) -> Remark:
    days = [(19_675, 95.0, 105.0)]
    return Remark(1.0, 9.0, 60.0, row, START, days, **facts)


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        ("pattern", "unusual pattern", "the course of the last few datapoints"),
        ("course", "unusual pattern", "Low for 3 hours"),
        ("flat", "flat line", "Exactly"),
        ("trend", "unusual pattern", "at this pace it reaches 900 in about 5 hours"),
    ],
)
def test_the_cause_decides_on_the_kind(cause: Any, kind: str, words: str) -> None:
    facts = {"lasted": 10_800.0, "usual": 240.0, "limit": 900.0, "due": 18_000.0}
    values = noise(400)
    values[300:360] = 130.0  # a lasting jump is no level shift where something else was told
    (anomaly,) = remarked(values, {n: remark(n, cause=cause, **facts) for n in range(300, 305)})
    assert anomaly.kind == kind
    assert words in anomaly.explanation


def test_a_length_of_time_is_told_again_when_it_is_twice_as_long() -> None:
    def lasting(row: int) -> Remark:
        return remark(row, cause="flat", lasted=60.0 * (row - 200), usual=60.0)

    stretches, bank = Stretches(), Bank()
    slots, times, values = one(np.full(400, 5.2))
    bank.grow(1)
    verdicts = bank.advance(slots, times, values)
    verdicts.score[:] = 0.0
    told = []
    for i in range(300, 400):
        part = slice(i, i + 1)
        row = Verdicts(*(getattr(verdicts, name)[part] for name in PARTS))
        row.score[:] = 0.5
        row.remarks = {0: lasting(i)}
        history = np.zeros(1, np.bool_)
        told += stretches.follow(bank, slots[part], times[part], values[part], history, row)
    assert [a.explanation[:30] for a in told] == ["Exactly 5.2 for 100 minutes, s"]
    row.remarks = {0: lasting(400)}
    times = times[-1:] + 60
    (later,) = stretches.follow(bank, slots[:1], times, values[:1], history, row)
    assert later.explanation.startswith("Exactly 5.2 for 3 hours, since")
    assert later.started == told[0].started


def test_a_level_shift_is_told_once_and_what_is_new_at_the_new_level_is_new() -> None:
    values = noise(3_000)
    values[1_200:] += 30.0
    aftermath = {n: remark(n) for n in (*range(1_200, 1_210), *range(1_300, 2_600, 37))}
    (shift,) = remarked(values, aftermath)
    assert shift.kind == "level shift"
    assert shift.explanation.startswith("Rose from about 100 to about 130 at")
    assert shift.ended == START + 60 * 1_209
    values[[1_250, 1_900]] += [20.0, 40.0]
    shift, first, second = remarked(values, aftermath | {n: remark(n) for n in (1_250, 1_900)})
    assert shift.ended == START + 60 * 1_209
    assert (first.kind, first.started) == ("spike", START + 60 * 1_250)
    assert second.started == START + 60 * 1_900
    late = 1_229 + 1_440 + 1  # a day after it stood
    values[[1_250, 1_900]] = 130.0
    _, again = remarked(values, aftermath | {late: remark(late)})
    assert again.started == START + 60 * late


def test_a_level_shift_that_returns_says_for_how_long_it_was() -> None:
    values = noise(2_000)
    values[1_200:1_380] += 30.0
    (shift,) = remarked(values, {n: remark(n) for n in (*range(1_200, 1_210), 1_380, 1_381)})
    assert (shift.kind, shift.ended) == ("level shift", START + 60 * 1_379)
    assert "stayed there for 3 hours, until 21:" in shift.explanation


def test_the_budget_makes_further_ones_minor_but_the_strongest() -> None:
    values = noise(6_000)
    at = {500: 0.5, 1_000: 0.6, 1_500: 0.7, 2_000: 0.4, 2_500: 0.5, 3_000: 0.55}
    for row in at:
        values[row] += 40.0
    found: Known = {}
    bank = Bank()
    slots, times, _ = one(values)
    bank.grow(1)
    verdicts = bank.advance(slots, times, values)
    verdicts.score[:] = 0.0
    verdicts.score[list(at)] = list(at.values())
    verdicts.remarks = {row: remark(row) for row in at}
    for limit, minor in ((3, [2_000, 2_500]), (1, [2_000, 2_500, 3_000]), (0, []), (9, [])):
        told = Stretches(limit).follow(
            bank, slots, times, values, np.zeros(6_000, np.bool_), verdicts
        )
        found = {(a.slot, a.started): a for a in told}
        low = [a for a in found.values() if a.severity == "low"]
        assert [(a.started - START) // 60 for a in low] == minor
        assert all(a.explanation.endswith("a week on this metric: low severity.") for a in low)
    assert len(found) == len(at)


def test_the_evidence_has_the_datapoints_and_stays_small() -> None:
    values = noise(8_000) * 1.000000123
    values[1_200:] += 30.0 * np.random.default_rng(1).normal(size=6_800)
    (anomaly,) = remarked(values, {n: remark(n) for n in range(1_200, 7_000)})
    columns = anomaly.evidence["datapoints"]
    assert {len(column) for column in columns.values()} == {len(columns["score"])}
    assert columns["timestamps"][0] == anomaly.started
    assert columns["timestamps"][-1] > anomaly.ended
    assert columns["timestamps"] == sorted(set(columns["timestamps"]))
    assert set(columns["values"]) <= set(values.tolist())
    assert len(json.dumps(anomaly.evidence)) < 7_000


def test_another_ones_stretches_are_adopted_but_for_what_is_open_here() -> None:
    values = noise(1_300)
    values[1_299] += 40.0
    here, there, bank = Stretches(), Stretches(), Bank()
    follow(there, bank, one(values), {})
    here.adopt(5, there.dump(0, 1))
    assert here.dump(5, 6) == there.dump(0, 1)
    open_here = here.ended(5)
    assert open_here is not None
    here.adopt(5, Stretches().dump(0, 1))
    assert here.ended(5) == open_here
    assert here.forget(5) == open_here
    assert here.dump(5, 6) == Stretches().dump(0, 1)


def test_what_is_open_there_is_followed_here_as_it_is_stored() -> None:
    values = noise(1_300)
    values[1_299] += 40.0
    over, there = Stretches(), Stretches()
    follow(there, Bank(), one(values), {})
    values[1_295] += 40.0
    values[1_299] -= 40.0
    follow(over, Bank(), one(np.concatenate([values, noise(20)])), {})
    assert over.dump(0, 1) != Stretches().dump(0, 1)
    assert not over.lasts(0)
    over.adopt(0, there.dump(0, 1), Lasting(START, history=True, went_on=START + 60))
    found = over.lasting(0)
    assert found is not None
    assert (found.started, found.history, found.went_on) == (START, True, START + 60)
    assert found.peak == START + 60 * 1_299
    weeks = json.loads(over.dump(0, 1)[HEADER.size :])["0"]["week"]
    assert [at for at, _ in weeks] == [START]


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
    assert [a.went_on for a in known.values()] == [int(times[new][0])]


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
    bank.grow(count)
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


@pytest.mark.parametrize("write", [lambda latest: latest | {"later": 1}, lambda _latest: {}])
def test_what_another_build_saved_is_refused(write: Callable[[dict[str, Any]], Any]) -> None:
    values = noise(1300)
    values[1295] += 30.0
    stretches = Stretches()
    follow(stretches, Bank(), one(values), {})
    blob = stretches.dump(0, 1)
    rows = json.loads(blob[HEADER.size :])
    rows["0"]["latest"] = write(rows["0"]["latest"])
    with pytest.raises(ValueError, match="saved anomaly"):
        Stretches().load(0, blob[: HEADER.size] + json.dumps(rows).encode())


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


# ---- counters


def count_up(rates: Array) -> Array:
    return np.cumsum(60.0 * rates) + 1e7


def test_of_a_counter_all_is_told_of_its_rate() -> None:
    rates = noise(1500) / 10.0
    rates[1200:1215] *= 4.0
    (burst,) = anomalies_of(count_up(rates))
    at = int(rates[1200:1215].argmax()) + 1200
    assert (burst.kind, burst.direction) == ("spike", "up")
    assert (burst.peak, burst.value) == (START + 60 * at, pytest.approx(rates[at]))
    assert 9.0 < burst.lower < burst.expected < burst.upper < 11.0
    assert burst.ended == START + 60 * 1214
    assert "/s at" in burst.explanation
    assert ", high for 15 minutes; expected between 9" in burst.explanation
    own = burst.evidence["datapoints"]["values"]
    assert own[:15] == pytest.approx(rates[1200:1215])


def test_a_counter_that_stands_still_fell_to_0_and_is_back() -> None:
    rates = noise(1500) / 10.0
    rates[1200:1235] = 0.0
    (halt,) = anomalies_of(count_up(rates))
    assert (halt.kind, halt.direction) == ("level shift", "down")
    assert halt.ended == START + 60 * 1234
    assert halt.explanation.startswith("Fell from about 10/s to ")
    assert "for 35 minutes, until" in halt.explanation


def test_a_counter_saved_when_its_numbers_were_totals_goes_on() -> None:
    rates = noise(1202) / 10.0
    rates[1200:] *= 4.0
    stretches = Stretches()
    follow(stretches, Bank(), one(count_up(rates)), {})
    blob = stretches.dump(0, 1)
    saved = json.loads(blob[HEADER.size :])
    latest = saved["0"]["latest"]
    names = ("value", "expected", "lower", "upper")
    latest["rates"] = [latest[name] for name in names]
    latest |= dict.fromkeys(names, 1e7)
    del latest["rate"]
    loaded = Stretches()
    loaded.load(0, blob[: HEADER.size] + json.dumps(saved).encode())
    then, now = loaded.lasting(0), stretches.lasting(0)
    assert then is not None
    assert now is not None
    assert (then.value, then.upper) == (now.value, now.upper)
    assert then.explanation == now.explanation


def test_what_never_was_negative_is_not_expected_to_be() -> None:
    values = np.floor(np.exp(np.random.default_rng(3).normal(1.0, 0.8, 1_500)))
    values[1_200] = 400.0
    (spike,) = [a for a in anomalies_of(values) if a.peak == START + 60 * 1_200]
    assert spike.lower == spike.evidence["lower"] == 0.0
    assert 0.0 <= spike.expected < spike.upper < 400.0
    assert "expected at most" in spike.explanation
    (spike,) = [a for a in anomalies_of(values - 50.0) if a.peak == START + 60 * 1_200]
    assert spike.lower < -50.0


def test_a_lively_metric_that_jumps_and_stands_still_is_a_flat_line() -> None:
    values = noise(1_500).round(2)
    values[700] = 150.0
    values[1_200:1_300] = 140.0
    (line,) = [a for a in anomalies_of(values, step=10) if a.peak > START + 10 * 1_150]
    assert (line.kind, line.started, line.ended) == (
        "flat line",
        START + 10 * 1_200,
        START + 10 * 1_299,
    )
    assert line.explanation.startswith("Exactly 140 for 16 minutes, since ")
