"""`fluxd check`: whether the store is sound; each problem comes with its mend."""

import argparse
from collections import Counter
from typing import Any

from fluxd.cli.options import FAILURE, add_command
from fluxd.cli.progress import progress_bar
from fluxd.daemon.offline import connect_offline, store_path
from fluxd.store.check import check_store

# Problems of one part that are shown; a damaged disk may make a million.
SHOWN = 20


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(
        commands, "check", "check that the store is sound, while the daemon runs or without it"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print every problem; 0 only where there is none."""
    found: Counter[str] = Counter()
    with connect_offline(arguments.data) as reader, progress_bar() as bar:
        for part, problem in check_store(reader, bar):
            found[part] += 1
            if found[part] <= SHOWN:
                bar.clear()
                print(f"BAD {problem.what}\n    mend: {problem.mend}")
    for part, count in found.items():
        if count > SHOWN:
            print(f"BAD {count - SHOWN:,} more problems of the {part}")
    path = store_path(arguments.data)
    if found:
        print(f"{path} has {found.total():,} problem{'' if found.total() == 1 else 's'}.")
        return FAILURE
    print(f"{path} is sound.")
    return 0
