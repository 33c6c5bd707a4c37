"""The parts of the detector against slow, obvious twins."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest

from fluxd.core.detect import WARMUP, Bank, forecast, normality, tail
from fluxd.core.detect.layout import FORECAST, PARTS, VITALS, Floats, Vitals
from fluxd.core.detect.rounds import Rows

START = 1_700_000_000


@dataclass
class NaiveTail:
    """`tail` for one distance of one metric, in plain Python."""

    edge: float = 0.0
    index: float = 0.4
    bursts: float = 3.0
    run: int = 0
    far: float = 0.0
    peak: float = 0.0
    began: int = -10
    mean: float = 0.0
    square: float = 0.0
    cube: float = 0.0
    skewness: float = 0.0  # of the forecast's errors, whichever part this is
    rarities: list[float] = field(default_factory=list)

    def take(self, z: float, side: float, floor: float, n: int) -> None:
        light = 0.0
        if self.mean > floor:
            light = min(max((2.0 - self.square / (self.mean * self.mean)) / 0.25, 0.0), 1.0)
            light *= min(1000.0 / (n + 1), 1.0)
        if n == WARMUP:
            self.index = 0.4 - 0.27 * light
            self.edge = self.mean * (3.0 - 0.3 * light)
        if n >= WARMUP:
            ratio = z / max(self.edge, floor)
            rare = math.log10(1 / 0.03) * min(ratio, 1.0)
            self.far = self.far * (1.0 - 1.0 / 10_080) + (ratio > 1.9 and self.run == 0)
            if ratio > 1.0:
                rare += math.log(ratio) / (self.index * math.log(10.0))
                if self.run <= 10 or ratio < 20.0:
                    self.learn_index(math.log(ratio), light, n)
            self.rarities.append(rare)
            self.learn_edge(z, floor, n)
        if n >= 10:
            limited = z if n < 13 else min(z, 5.0 * self.mean + floor)
            rate = 1.0 / min(n - 9, max(0.67 * n, 300), 2000) if self.run <= 2 else 0.0
            self.mean += rate * (limited - self.mean)
            self.square += rate * (limited * limited - self.square)
            self.cube += rate * (side * min(limited, 4.0 * self.mean) ** 3 - self.cube)

    def learn_index(self, excess: float, light: float, n: int) -> None:
        limit = 3.0 + 5.0 * min(1.0, 10.0 / self.bursts)
        excess = min(excess, limit * max(self.index, 0.26))
        if n - self.began >= 10:
            self.bursts = min(self.bursts + 1.0, 300.0)
            self.index += (excess - self.index) / (self.bursts + self.prior(light))
            self.peak, self.began = excess, n
        elif excess > self.peak:
            self.index += (excess - self.peak) / (self.bursts + self.prior(light))
            self.peak = excess
        self.index = max(self.index, 0.26 - 0.13 * light)

    def prior(self, light: float) -> float:
        even = max(1.0 - self.skewness / 1.1, 0.0)
        return 12.0 * light * even / max(self.bursts - 3.0, 1.0)

    def learn_edge(self, z: float, floor: float, n: int) -> None:
        rate = 50.0 / min(n + 1, 10_000)
        leap = 0.0
        if z > self.edge:
            self.run += 1
            step = min(rate, 0.3) * 0.97
            if self.run > 10:
                step *= 0.1
                leap = min(z / 1000.0, 10.0 * max(self.edge, floor))
        else:
            self.run = 0
            step = -rate * 0.03
        self.edge = max(self.edge * math.exp(step), leap, 1e-12 * floor)


def test_the_tail_agrees_with_its_naive_twin() -> None:
    rng = np.random.default_rng(1)
    metrics, length, floor = 8, 1500, np.full(8, 0.01)
    z = np.abs(rng.standard_t(df=4, size=(length, PARTS, metrics)))
    z[:, :, :4] = np.abs(rng.normal(size=(length, PARTS, 4)))
    z[700:715] *= 30.0
    z[1200:1230, :, 5] = 1e6
    z[900, :, 2] = 1e9
    side = np.where(rng.random((length, metrics)) < 0.3, -1.0, 1.0)
    naive = [[NaiveTail() for _ in range(metrics)] for _ in range(PARTS)]
    v = Vitals(np.zeros((sum(VITALS.values()), metrics)))
    tail.start(v)
    v.changes[:] = length  # lively
    found: list[Floats] = []
    daily = np.full(metrics, 1440.0)
    for n in range(length):
        counts = np.full(metrics, n)
        none = np.zeros(metrics, np.int64)
        rows = Rows(none, none, none, floor, counts, counts, counts.astype(np.float64), n, n)
        light = tail.bell(v, floor, rows)
        tail.begin(v, light, none > 0, rows)
        if n >= WARMUP:
            found.append(tail.rarity(v, z[n], floor))
        tail.learn(v, z[n], side[n], floor, light, rows, daily, none + 1.0)
        skewness = [abs(one.cube) / max(one.square, 1e-60) ** 1.5 for one in naive[FORECAST]]
        for part, row in enumerate(naive):
            for metric, twin in enumerate(row):
                twin.skewness = skewness[metric]
                twin.take(float(z[n, part, metric]), float(side[n, metric]), 0.01, n)
    expected = np.array([[twin.rarities for twin in row] for row in naive]).transpose(2, 0, 1)
    assert np.allclose(np.array(found), expected, rtol=1e-9)
    far = [twin.far for twin in naive[FORECAST]]
    assert min(far) > 0.0
    assert np.allclose(v.far, far, rtol=1e-9)
    assert np.allclose(v.cube, [twin.cube for twin in naive[FORECAST]], rtol=1e-9)


def test_reach_is_the_inverse_of_rarity() -> None:
    v = Vitals(np.zeros((sum(VITALS.values()), 1)))
    tail.start(v)
    v.edge[:] = 2.0
    floor = np.array([1e-9])
    v.tail[:] = 2.0
    far = tail.reach(v, 0, np.array([4.0]), floor)
    again = tail.rarity(v, np.array([far] * PARTS), floor)
    assert again[0, 0] == pytest.approx(4.0)


def test_a_normal_law_is_known_to_its_tail() -> None:
    deviations = np.arange(2.0, 30.0, 0.25)
    exact = [-math.log10(math.erfc(x / math.sqrt(2.0))) for x in deviations]
    assert np.allclose(normality.rarity_of(deviations), exact, atol=0.002)


def test_a_skew_law_is_straightened_to_its_tail() -> None:
    """Counts of mean 5: without, what comes once in 4,400 rows is claimed once in 93,000."""
    mean, deviation = 5.0, math.sqrt(5.0)
    lean = np.full(4, 1.0 / deviation / 6.0)
    counts = np.array([12, 14, 15, 17])
    x = (counts - 0.5 - mean) / deviation
    chance = [
        1.0 - sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(count))
        for count in counts.tolist()
    ]
    one_sided = normality.rarity_of(normality.straight(x, lean)) + math.log10(2.0)
    assert np.allclose(one_sided, -np.log10(chance), atol=0.25)
    plain = normality.rarity_of(x) + math.log10(2.0)
    assert plain[2] - -math.log10(chance[2]) > 1.3


def test_straight_is_the_root_that_it_says() -> None:
    x, lean = np.linspace(0.1, 8.0, 26), np.linspace(0.0, 0.5, 26)
    w = normality.straight(x, lean)
    assert np.allclose(w + lean * (w * w - 1.0), x, atol=1e-9)
    far = normality.straight(np.array([8.0, 80.0]), np.array([0.1, 0.1]))
    assert far[1] == pytest.approx(10.0 * far[0])


def test_the_regression_is_solved_as_a_library_would() -> None:
    rng = np.random.default_rng(2)
    metrics = 50
    x = rng.normal(size=(metrics, 40, 5)) * 10.0 ** rng.integers(-3, 2, (metrics, 1, 1))
    y = rng.normal(size=(metrics, 40))
    full = np.einsum("mri,mrj->mij", x, x)
    moment = np.einsum("mri,mr->im", x, y)
    gram = full[:, forecast.FIRST, forecast.SECOND].T.copy()
    ridge = full + forecast.RIDGE * np.eye(5)
    right = (moment + forecast.RIDGE * forecast.PRIOR).T[:, :, None]
    expected = np.linalg.solve(ridge, right)[:, :, 0].T
    assert np.allclose(forecast.solve(gram, moment), expected, rtol=1e-8)


def expected_errors(times: Floats, values: Floats) -> Floats:
    bank = Bank()
    bank.grow(1)
    verdicts = bank.advance(np.zeros(len(values), np.int64), times, values)
    return np.abs(verdicts.expected - values)


def test_a_daily_wave_is_learnt() -> None:
    """Three days of five-minute rows: the error comes near the noise's own."""
    rng = np.random.default_rng(3)
    times = START + 300 * np.arange(288 * 6)
    values = 50.0 * np.sin(2 * np.pi * times / 86_400) + rng.normal(size=times.size)
    assert expected_errors(times, values)[288 * 3 :].mean() < 1.5 * math.sqrt(2 / math.pi)


def test_a_gap_needs_no_repair() -> None:
    rng = np.random.default_rng(4)
    times = START + 300 * np.arange(288 * 8)
    values = 50.0 * np.sin(2 * np.pi * times / 86_400) + rng.normal(size=times.size)
    kept = np.concatenate([np.arange(288 * 5), np.arange(288 * 6 + 100, 288 * 8)])
    errors = expected_errors(times[kept], values[kept])
    assert errors[288 * 5 : 288 * 5 + 50].mean() < 2.5


def interval_after(gaps: list[int]) -> float:
    bank = Bank()
    bank.grow(1)
    times = START + np.cumsum([0, *gaps])
    bank.advance(np.zeros(times.size, np.int64), times, np.zeros(times.size))
    return bank.interval(0) or np.nan


def test_the_interval_is_known_from_the_second_datapoint() -> None:
    assert math.isnan(interval_after([]))
    assert interval_after([60]) == 60.0


def test_the_interval_survives_jitter_and_gaps_and_follows_a_change() -> None:
    assert interval_after([60] * 200 + [86_400] + [60] * 3) == 60.0
    assert interval_after([58, 61, 60, 62, 59] * 50) == pytest.approx(60.0, abs=2.0)
    assert interval_after([60] * 200 + [10] * 100) == 10.0


def test_a_metrics_history_of_extremes_reaches_the_remark() -> None:
    rng = np.random.default_rng(5)
    times = START // 86_400 * 86_400 + 3600 * np.arange(24 * 40)
    values = rng.normal(size=times.size)
    values[24 * 20] = -9.0
    values[-1] = 30.0
    bank = Bank()
    bank.grow(1)
    verdicts = bank.advance(np.zeros(times.size, np.int64), times, values)
    days = verdicts.remarks[times.size - 1].days
    last = int(times[-1]) // 86_400
    assert [day for day, _, _ in days] == list(range(last, last - 28, -1))
    by_day = {day: (low, high) for day, low, high in days}
    assert by_day[int(times[24 * 20]) // 86_400][0] == -9.0
    assert by_day[last][1] == values[-24:-1].max()
