"""Cut the power a thousand times and look whether all is there that was acknowledged.

    python tests/bench/power_cut.py [--rounds 1000] [--seed 1] [--synchronous NORMAL|OFF]

Prints one line of figures and exits with 1 if any round found a fault. With --synchronous the store
syncs less than it wants to and faults must be found: that shows that the test can fail. Threads
make two runs with one seed differ.
"""

import argparse
import logging
import random
import sys
import time
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from store.power import Found, Outcome, play  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--synchronous", choices=["NORMAL", "OFF"])
    arguments = parser.parse_args()
    logging.disable()  # the store's complaints about the missing power
    rng = random.Random(arguments.seed)
    began = time.perf_counter()
    outcomes: list[Outcome] = []
    found = Found({}, {})
    for number in range(arguments.rounds):
        outcome, found = play(rng, found, synchronous=arguments.synchronous)
        outcomes.append(outcome)
        if outcome.faults:
            print(f"round {number} ({outcome.phase}): {'; '.join(outcome.faults)[:300]}")
        if outcome.faults or rng.random() < 0.3:
            found = Found({}, {})
    took_s = time.perf_counter() - began
    faulty = sum(bool(outcome.faults) for outcome in outcomes)
    phases = Counter(outcome.phase for outcome in outcomes)
    print(
        f"synchronous={arguments.synchronous or 'FULL'}: {len(outcomes)} rounds"
        f" ({phases['open']} cut while opening, {phases['writing']} while writing,"
        f" {phases['idle']} idle, {phases['closing']}"
        f" while closing), {sum(o.acknowledged for o in outcomes):,} datapoints acknowledged,"
        f" {sum(o.pruned for o in outcomes):,} old metrics pruned,"
        f" {sum(o.lost for o in outcomes):,} lost, {sum(o.torn for o in outcomes)} requests torn,"
        f" {sum(o.invented for o in outcomes)} invented, {faulty} faulty rounds,"
        f" {len(outcomes) / took_s:.0f} rounds/s"
    )
    return 1 if faulty else 0


if __name__ == "__main__":
    sys.exit(main())
