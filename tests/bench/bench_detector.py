"""Cost of the detector: µs a datapoint and bytes a metric.

    python tests/bench/bench_detector.py

"round": one row of every metric a call, as when all report every minute. "bulk": thirty rows of
each a call, as after an import. "parts": five hundred metrics a call, as one POST brings them.
Processor time of this process, so that a busy machine does not spoil the figures.
"""

import time
from collections.abc import Callable

import numpy as np

from fluxd.core.detect import Bank

ROUND, BULK, PART = 60, 30, 500
KNOWN = 120  # rows before the clock runs, so that verdicts are given


def cost(rows: int, work: Callable[[], None]) -> float:
    """Microseconds a row."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / rows * 1e6


def measure(metrics: int) -> None:
    rng = np.random.default_rng(0)
    bank = Bank()
    bank.grow(metrics)
    slots = np.arange(metrics)
    clock = 1_700_000_000

    def rounds(count: int) -> None:
        nonlocal clock
        for _ in range(count):
            clock += ROUND
            bank.advance(slots, np.full(metrics, clock), rng.normal(size=metrics))

    def bulk() -> None:
        nonlocal clock
        times = np.repeat(clock + ROUND * np.arange(1, BULK + 1), metrics)
        clock += ROUND * BULK
        bank.advance(np.tile(slots, BULK), times, rng.normal(size=metrics * BULK))

    def parts() -> None:
        nonlocal clock
        clock += ROUND
        for part in np.array_split(rng.permutation(metrics), max(1, metrics // PART)):
            bank.advance(part, np.full(part.size, clock), rng.normal(size=part.size))

    rounds(KNOWN)
    repeats = max(1, 100_000 // metrics)
    per_round = cost(metrics * repeats, lambda: rounds(repeats))
    per_bulk = cost(metrics * BULK, bulk)
    per_part = cost(metrics, parts)
    print(
        f"{metrics:>9,} metrics  round {per_round:6.2f}  bulk {per_bulk:6.2f}"
        f"  parts {per_part:6.2f} µs a datapoint"
    )


if __name__ == "__main__":
    print(f"{Bank.bytes_per_metric:,} bytes a metric")
    for size in (1, 1_000, 10_000, 100_000):
        measure(size)
