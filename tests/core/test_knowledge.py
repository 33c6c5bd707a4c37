import threading

import numpy as np
import pytest

from fluxd.core.detect import WARMUP
from fluxd.core.knowledge import Knowledge

NOW = 1_700_000_000


def taught(*counts: int) -> Knowledge:
    """Return knowledge of as many datapoints per slot, a minute apart, the last one at NOW."""
    knowledge = Knowledge()
    for slot, count in enumerate(counts):
        times = NOW - 60 * np.arange(count, dtype=np.int64)[::-1]
        learn(knowledge, slot, times)
    knowledge.grow(len(counts))
    return knowledge


def learn(knowledge: Knowledge, slot: int, times: np.ndarray) -> np.ndarray:
    slots = np.full(len(times), slot, np.int64)
    history = np.zeros(len(times), np.bool_)
    _, done = knowledge.learn(slots, times, np.sin(times) + 5.0, history)
    return done


def test_a_metric_never_seen_is_learning() -> None:
    for slot in (0, 7):
        status = taught(0).status(slot, NOW)
        assert (status.datapoints, status.first, status.last) == (0, None, None)
        assert (status.interval, status.state, status.ready_in) == (None, "learning", None)
        assert status.progress == f"0/{WARMUP} datapoints"


def test_a_metric_tells_when_its_first_verdict_may_be_expected() -> None:
    status = taught(40).status(0, NOW + 30)
    assert (status.datapoints, status.state) == (40, "learning")
    assert (status.interval, status.ready_in) == (60.0, 60 * (WARMUP - 40) - 30)
    assert (status.first, status.last) == (NOW - 39 * 60, NOW)
    assert taught(WARMUP - 1).status(0, NOW + 90).ready_in == 0


def test_after_the_warm_up_it_is_analysed() -> None:
    status = taught(WARMUP).status(0, NOW)
    assert (status.state, status.ready_in) == ("analysed", None)
    assert status.progress == (
        f"{WARMUP} datapoints analysed; daily pattern from about 16 Nov; weekly pattern from about"
        " 28 Nov"
    )


def test_late_datapoints_count_and_are_not_analysed() -> None:
    knowledge = taught(10)
    late = np.array([NOW - 86_400, NOW - 30], np.int64)
    assert not learn(knowledge, 0, late).any()
    knowledge.count_late(np.zeros(2, np.int64), late)
    status = knowledge.status(0, NOW)
    assert (status.datapoints, status.first, status.last) == (12, NOW - 86_400, NOW)


def test_bands_are_kept_from_the_end_of_the_warm_up_on() -> None:
    knowledge = taught(WARMUP + 5)
    band = knowledge.bands.read(0, 0, NOW)
    assert band.timestamps.tolist() == [NOW - 60 * n for n in range(4, -1, -1)]
    assert np.all(band.lower <= band.upper)


def test_nothing_is_learnt_from_nothing() -> None:
    empty = np.zeros(0, np.int64)
    changed, done = Knowledge().learn(empty, empty, empty.astype(float), empty.astype(bool))
    assert (changed, done.tolist()) == ([], [])


def test_a_dump_comes_back_exactly() -> None:
    knowledge = taught(5, 0, WARMUP + 20, 1)
    body = knowledge.dump(1, 4)
    other = Knowledge()
    other.load(1, body)
    assert other.dump(1, 4) == body
    for slot in (1, 2, 3):
        assert other.status(slot, NOW) == knowledge.status(slot, NOW)
    for broken in (b"", body[:20], body[:-3], b"\1" * 100):
        with pytest.raises(ValueError):  # noqa: PT011  # of several parts, each with its own words
            Knowledge().load(0, broken)


def test_a_state_is_read_between_two_datapoints_or_not_at_all() -> None:
    knowledge = Knowledge()
    values = np.random.default_rng(0).normal(5.0, 1.0, 600)
    slots, live = np.zeros(1, np.int64), np.zeros(1, np.bool_)
    knowledge.learn(slots, np.array([60]), values[:1], live)
    whole = [knowledge.bank.dump(0, 1)]

    def learn() -> None:
        for n in range(1, values.size):
            knowledge.learn(slots, np.array([60 * (n + 1)]), values[n : n + 1], live)
            whole.append(knowledge.bank.dump(0, 1))

    thread = threading.Thread(target=learn)
    thread.start()
    seen = []
    while thread.is_alive():
        seen.append(knowledge.snapshot(0))
    thread.join()
    assert set(seen) - {None} <= set(whole)
    assert knowledge.snapshot(0) == whole[-1]


def test_no_state_is_read_while_one_is_changed() -> None:
    knowledge = Knowledge()
    knowledge.grow(2)
    with knowledge._moving():
        assert knowledge.snapshot(1) is None
    assert knowledge.snapshot(1) == knowledge.bank.dump(1, 2)
