"""Slots that are forgotten, retired or learnt anew."""

import numpy as np

from fluxd.core.detect import Bank
from fluxd.core.knowledge import Knowledge

NOW = 1_700_000_000


def taught(*slots: int) -> Knowledge:
    """Return knowledge of 120 datapoints of each slot, the last one an anomaly."""
    knowledge = Knowledge()
    knowledge.grow(4)
    times = NOW + 60 * np.arange(120)
    values = np.sin(times) + 5.0
    values[-1] = 100.0
    for slot in slots:
        history = np.zeros(len(times), np.bool_)
        knowledge.learn(np.full(len(times), slot), times, values, history)
    return knowledge


def test_a_slot_forgotten_is_as_if_it_had_never_been() -> None:
    knowledge = taught(1, 2)
    knowledge.count_late(np.array([1]), np.array([NOW - 60]))
    knowledge.forget(np.array([1]))
    assert knowledge.dump(0, 4) == taught(2).dump(0, 4)


def test_loading_blank_slots_blanks_them() -> None:
    for loaded in (taught(1, 3), taught(1, 2, 3), Knowledge()):
        loaded.load(0, taught(2).dump(0, 4))
        assert loaded.dump(0, 4) == taught(2).dump(0, 4)


def test_a_retired_slot_keeps_its_count_and_ends_its_anomaly() -> None:
    knowledge = taught(1)
    ended = knowledge.retire(1)
    assert ended is not None
    assert ended.started == ended.ended == NOW + 60 * 119
    assert knowledge.retire(1) is None
    status = knowledge.status(1, NOW)
    assert (status.state, status.datapoints, status.first) == ("learning", 120, NOW)


def test_a_rebuilt_slot_counts_what_was_added() -> None:
    knowledge, bank = taught(1), Bank()
    bank.grow(3)
    times = NOW - 600 + 60 * np.arange(130)
    bank.advance(np.full(130, 2), times, np.sin(times))
    knowledge.rebuild(1, bank.dump(2, 3), added=10, first=NOW - 600)
    status = knowledge.status(1, NOW)
    assert (status.datapoints, status.first, status.last) == (130, NOW - 600, NOW + 60 * 119)
    assert knowledge.bank.dump(1, 2) == bank.dump(2, 3)
    knowledge.rebuild(3, bank.dump(2, 3), added=131, first=NOW - 600)
    assert (knowledge.status(3, NOW).datapoints, int(knowledge.tally.late[3])) == (131, 1)
