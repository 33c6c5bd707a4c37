"""Metrics of every nature get the same verdicts, bit for bit, however their rows are given."""

import itertools
from typing import NamedTuple, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxd.core.detect import Bank, LocalTime, Verdicts
from fluxd.core.detect.layout import Floats, Ints, Vitals

DAY_S, HOUR_S = 86_400, 3_600
START = 1_700_000_000 // DAY_S * DAY_S
A_DAY, ROWS = 144, 144 * 7
LOCAL = LocalTime(
    np.array([START + 4 * DAY_S + HOUR_S, START + 6 * DAY_S + HOUR_S]),
    np.array([HOUR_S, 2 * HOUR_S, HOUR_S]),
)
Series: TypeAlias = tuple[Ints, Floats]


def lives() -> dict[str, Series]:
    """Give the rows of a week; the clocks change on the fifth day, and back on the seventh."""
    rng = np.random.default_rng(11)
    times = START + 600 * np.arange(ROWS)
    noise = rng.normal(size=(8, ROWS))
    counter = np.cumsum(rng.poisson(300.0, ROWS)).astype(np.float64)
    counter[400:] -= counter[399]
    counter[700] += 9_000.0
    stuck = noise[0].copy()
    stuck[500:650] = stuck[500]
    leak = 40.0 + 0.3 * noise[1]
    leak[600:750] += 0.4 * np.arange(150)
    job = 100.0 + noise[2]
    job[(LOCAL.local(times) % DAY_S // 1_800 == 12) & (np.arange(ROWS) < 6 * A_DAY)] += 40.0
    gaps = np.flatnonzero(rng.random(ROWS) < 0.7)
    gaps = gaps[(gaps < 300) | (gaps > 420)]
    gauge = 500.0 + 20.0 * noise[3]
    gauge[:40] = 100.0 + 10.0 * np.arange(40)
    level = noise[4] + 30.0 * (np.arange(ROWS) > 500)
    level[900] += 40.0
    return {
        "counter": (times, counter),
        "stuck": (times, stuck),
        "leak": (times, leak),
        "job": (times, job),
        "gaps": (times[gaps], noise[5][gaps]),
        "constant": (times, np.full(ROWS, 7.0)),
        "gauge": (times, gauge),
        "level": (times, level),
        "days": (START + DAY_S * np.arange(140), noise[6][:140] + 40.0 * (np.arange(140) > 60)),
    }


def blank(count: int) -> Bank:
    bank = Bank(local=LOCAL)
    bank.grow(count)
    return bank


def take(bank: Bank, slots: Ints, times: Ints, values: Floats) -> Floats:
    return stack(bank.advance(slots, times, values))


def stack(found: Verdicts) -> Floats:
    return np.array([found.score, found.expected, found.lower, found.upper])


class Answer(NamedTuple):
    """What a metric gets alone, in one piece."""

    table: Floats
    state: bytes
    causes: set[str]


def alone(series: Series) -> Answer:
    bank = blank(1)
    found = bank.advance(np.zeros(series[0].size, np.int64), *series)
    causes = {remark.cause for remark in found.remarks.values()}
    return Answer(stack(found), bank.dump(0, 1), causes)


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    return {name: alone(series) for name, series in lives().items()}


def piled() -> tuple[Ints, Ints, Floats]:
    """All rows of all metrics in the order of time."""
    parts = list(lives().values())
    slots = np.concatenate([np.full(t.size, slot) for slot, (t, _) in enumerate(parts)])
    times = np.concatenate([t for t, _ in parts])
    values = np.concatenate([v for _, v in parts])
    order = np.lexsort((slots, times))
    return slots[order], times[order], values[order]


def test_every_nature_shows(answers: dict[str, Answer]) -> None:
    causes = {name: answer.causes for name, answer in answers.items()}
    for name, answer in answers.items():
        bank = blank(0)
        bank.load(0, answer.state)
        counter = Vitals(bank._state.vitals[:1].T).counter[0] > 0.0
        assert counter == (name == "counter"), name
    assert causes["counter"] >= {"value"}
    assert causes["stuck"] >= {"flat"}
    assert causes["leak"] >= {"trend"}
    assert causes["job"] >= {"missing"}
    assert causes["level"] >= {"value"}
    assert causes["constant"] == set()


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 2_500), max_size=12), st.booleans())
def test_among_others_in_pieces_and_over_restarts(
    answers: dict[str, Answer],
    sizes: list[int],
    restart: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    slots, times, values = piled()
    count = len(lives())
    bank, tables = blank(count), []
    cuts = np.cumsum(sizes)
    for part in np.split(np.arange(slots.size), cuts[cuts < slots.size]):
        tables.append(take(bank, slots[part], times[part], values[part]))
        if restart:
            saved, bank = bank.dump(0, count), Bank(local=LOCAL)
            bank.load(0, saved)
    table = np.concatenate(tables, axis=1)
    for slot, (name, answer) in enumerate(answers.items()):
        assert table[:, slots == slot].tobytes() == answer.table.tobytes(), name
        assert bank.dump(slot, slot + 1) == answer.state, name


RESTARTS = (5, 29, 30, 31, 36, 70, 130, 432, 540, 577, 580, 864)


def test_a_restart_at_any_row_changes_nothing(answers: dict[str, Answer]) -> None:
    """One bank is saved again and again; what was saved then goes on, all of it side by side."""
    slots, times, values = piled()
    count = len(lives())
    row = np.zeros_like(slots)
    for slot in range(count):
        row[slots == slot] = np.arange((slots == slot).sum())
    first, second = blank(count), Bank(local=LOCAL)
    rests, places = [], []
    for before, at in itertools.pairwise((0, *RESTARTS)):
        part = (before <= row) & (row < at)
        begun = take(first, slots[part], times[part], values[part])
        for slot, (name, answer) in enumerate(answers.items()):
            expected = answer.table[:, before:at]
            assert begun[:, slots[part] == slot].tobytes() == expected.tobytes(), name
        free = 3 + len(rests) * count
        second.load(free, first.dump(0, count))
        rests.append(np.flatnonzero(row >= at))
        places.append(free + slots[rests[-1]])
    rows, place = np.concatenate(rests), np.concatenate(places)
    table = take(second, place, times[rows], values[rows])
    for number, at in enumerate(RESTARTS):
        for slot, (name, answer) in enumerate(answers.items(), 3 + number * count):
            assert table[:, place == slot].tobytes() == answer.table[:, at:].tobytes(), (name, at)
            assert second.dump(slot, slot + 1) == answer.state, (name, at)


def test_a_day_of_another_clock_is_another_day(answers: dict[str, Answer]) -> None:
    times, values = lives()["job"]
    bank = Bank()
    bank.grow(1)
    table = take(bank, np.zeros(times.size, np.int64), times, values)
    assert table.tobytes() != answers["job"].table.tobytes()
