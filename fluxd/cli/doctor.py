"""`fluxd doctor`: what is wrong with this installation and how to mend it, a line each."""

import argparse
import os
from typing import Any

from fluxd.cli.options import FAILURE, add_command
from fluxd.daemon.doctor import examine
from fluxd.daemon.paths import data_directory


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(
        commands, "doctor", "say what is wrong with this installation, and how to mend it"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print every finding; 1 where one is BAD."""
    data = data_directory(arguments.data, dict(os.environ))
    wrong = 0
    for finding in examine(data, arguments.config, os.environ):
        print(finding, flush=True)
        wrong += finding.level == "BAD"
    return FAILURE if wrong else 0
