"""What would be reported now, held against the detector itself."""

import dataclasses

import numpy as np
import pytest

from fluxd.core.detect import WARMUP, Bank
from fluxd.core.probe import Reach, Sensitivity, probe, sentence

START = 1_700_000_000
METRICS = 12
ROWS = 700

KINDS = ("spike", "drop", "shift_up", "shift_down")


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Quiet metrics of several scales, levels and forms, side by side."""
    noise = np.random.default_rng(5)
    bank = Bank()
    rows = []
    for slot in range(METRICS):
        scale = 10.0 ** (slot % 4 * 3 - 6)
        values = 50.0 + noise.normal(0.0, 1.0, ROWS)
        if slot % 3 == 1:
            values = 50.0 + noise.laplace(0.0, 1.0, ROWS)
        if slot % 3 == 2:
            values = noise.poisson(4.0, ROWS).astype(float)
        rows.append(scale * values)
    learn(bank, np.stack(rows))
    return bank


def learn(bank: Bank, rows: "np.typing.NDArray[np.float64]") -> None:
    count, length = rows.shape
    bank.grow(count)
    times = START + 60 * np.arange(1, length + 1)
    bank.advance(np.repeat(np.arange(count), length), np.tile(times, count), rows.ravel())


def reports(bank: Bank, slot: int, values: list[float]) -> bool:
    """Say whether the detector reports any of `values`, were they to come next."""
    copy = Bank(bank.threshold, bank.local)
    copy.load(0, bank.dump(slot, slot + 1))
    times = bank.marks[slot] + 60 * np.arange(1, len(values) + 1)
    return bool(copy.advance(np.zeros(len(values), np.int64), times, values).remarks)


@pytest.mark.parametrize("slot", range(METRICS))
def test_a_value_is_reported_from_there_on_and_not_before(bank: Bank, slot: int) -> None:
    found = probe(bank.dump(slot, slot + 1))
    assert found is not None
    for reach, side in ((found.spike, 1.0), (found.drop, -1.0)):
        if reach is None:
            continue
        assert reach.distance == pytest.approx(side * (reach.value - found.expected))
        beyond = [found.expected + side * reach.distance * more for more in (1.0, 1.3, 3.0, 50.0)]
        assert all(reports(bank, slot, [value]) for value in beyond if value >= 0.0)
        before = [
            found.expected + side * reach.distance * less for less in (0.99, 0.98, 0.97, 0.96)
        ]
        assert not all(reports(bank, slot, [value]) for value in before)


@pytest.mark.parametrize("slot", range(METRICS))
def test_a_shift_needs_no_more_than_a_spike(bank: Bank, slot: int) -> None:
    found = probe(bank.dump(slot, slot + 1))
    assert found is not None
    for shift, single in ((found.shift_up, found.spike), (found.shift_down, found.drop)):
        if single is None:
            continue
        assert shift is not None
        assert shift.distance <= 1.03 * single.distance
        lasting = [found.expected + 1.05 * (shift.value - found.expected)] * 10
        assert reports(bank, slot, lasting)


def test_it_says_the_same_at_every_scale() -> None:
    values = 50.0 + np.random.default_rng(2).normal(0.0, 1.0, ROWS)
    scales = np.array([1e-8, 1.0, 1e12])
    bank = Bank()
    learn(bank, scales[:, None] * values)
    found = [probe(bank.dump(slot, slot + 1)) for slot in range(3)]
    for one, scale in zip(found, scales, strict=True):
        assert one is not None
        assert found[1] is not None
        for kind in KINDS:
            expected = scale * getattr(found[1], kind).distance
            assert getattr(one, kind).distance == pytest.approx(expected, rel=0.05, abs=0.0)


def test_what_never_was_negative_is_not_looked_for_below_zero() -> None:
    bank = Bank()
    learn(bank, np.random.default_rng(1).poisson(3.0, (1, ROWS)).astype(float))
    found = probe(bank.dump(0, 1))
    assert found is not None
    assert found.spike is not None
    assert all(reach is None or reach.value >= 0.0 for reach in (found.drop, found.shift_down))
    learn(below := Bank(), np.random.default_rng(1).normal(0.0, 3.0, (1, ROWS)))
    found = probe(below.dump(0, 1))
    assert found is not None
    assert found.drop is not None
    assert found.drop.value < 0.0


@pytest.mark.parametrize("total", [1e4, 1e9])
def test_of_a_counter_it_names_rates_that_are_reported(total: float) -> None:
    noise = np.random.default_rng(1)
    counts = noise.poisson(1_800.0, (1, ROWS))
    bank = Bank()
    learn(bank, np.cumsum(counts, axis=1) + total)
    found = probe(bank.dump(0, 1))
    assert found is not None
    assert found.rate
    assert found.lower < 29.0 < found.expected < 31.0 < found.upper
    assert found.spike is not None
    assert found.drop is not None
    assert found.shift_down is not None
    assert 25.0 < found.drop.value < found.lower < found.upper < found.spike.value < 35.0
    last = total + counts.sum()
    for reach, side in ((found.spike, 1.0), (found.drop, -1.0)):
        for more in (1.0, 1.3, 3.0):
            rate = found.expected + side * more * reach.distance
            assert reports(bank, 0, [last + 60.0 * rate])
        assert not reports(bank, 0, [last + 60.0 * (found.expected + side * reach.distance / 2)])
    lasting = found.expected - 1.05 * found.shift_down.distance
    assert reports(bank, 0, [last + 60.0 * lasting * n for n in range(1, 11)])
    assert f"a spike above {found.spike.value:.3g}"[:-1] in sentence(found)
    assert sentence(found).count("/s") == 4


def test_a_lower_threshold_reaches_closer(bank: Bank) -> None:
    for slot in range(METRICS):
        state = bank.dump(slot, slot + 1)
        usual, keen = probe(state), probe(state, threshold=0.8 * bank.threshold)
        assert usual is not None
        assert keen is not None
        for kind in KINDS:
            reach = getattr(usual, kind)
            if reach is not None:
                assert getattr(keen, kind).distance <= 1.001 * reach.distance


def test_it_leaves_the_metric_alone_and_says_it_again(bank: Bank) -> None:
    before = bank.dump(0, METRICS)
    state = bank.dump(3, 4)
    assert probe(state) == probe(state)
    assert bank.dump(0, METRICS) == before


def test_before_the_first_verdict_there_is_nothing_to_say() -> None:
    bank = Bank()
    bank.grow(1)
    assert probe(bank.dump(0, 1)) is None
    values = np.random.default_rng(0).normal(10.0, 1.0, (1, WARMUP))
    learn(bank, values[:, :-1])
    assert probe(bank.dump(0, 1)) is None
    learn(young := Bank(), values)
    found = probe(young.dump(0, 1))
    assert found is not None
    assert found.at == START + 60 * (WARMUP + 1)
    assert found.shift_s == 600.0


def test_a_change_of_a_constant_metric_would_be_reported() -> None:
    bank = Bank()
    learn(bank, np.full((1, 1_000), 7.0))
    found = probe(bank.dump(0, 1))
    assert found is not None
    assert found.spike is not None
    assert 7.0 < found.spike.value < 7.1


SEEN = Sensitivity(
    at=START,
    expected=200.0,
    lower=140.0,
    upper=260.0,
    shift_s=600.0,
    spike=Reach(260.0, 60.0),
    drop=Reach(140.0, 60.0),
    shift_up=Reach(210.0, 10.0),
    shift_down=Reach(190.0, 10.0),
)


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (
            (),
            (
                "a spike above 260 or a drop below 140 would be reported, "
                "and a shift of 10 minutes from 210 up or from 190 down"
            ),
        ),
        (
            ("drop", "shift_down"),
            "a spike above 260 would be reported, and a shift of 10 minutes from 210 up",
        ),
        (
            ("spike", "drop"),
            (
                "no single datapoint would be reported, "
                "but a shift of 10 minutes from 210 up or from 190 down"
            ),
        ),
        (
            ("spike", "shift_up", "shift_down"),
            "a drop below 140 would be reported, but no shift of 10 minutes",
        ),
        (
            KINDS,
            (
                "neither a single datapoint nor a shift of 10 minutes would be reported, "
                "whatever its value"
            ),
        ),
    ],
)
def test_the_sentence(missing: tuple[str, ...], told: str) -> None:
    assert sentence(dataclasses.replace(SEEN, **dict.fromkeys(missing))) == told
