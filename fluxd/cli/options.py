"""Options that every command has."""

import argparse
from pathlib import Path
from typing import Any

# Exit codes: a wrong command line or configuration (argparse's own), and everything else.
USAGE = 2
FAILURE = 1


def add_command(commands: Any, name: str, summary: str) -> argparse.ArgumentParser:  # noqa: ANN401
    """Add a command with `--data` and `--config`; argparse's own type for `commands` is private."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="data directory (default: $FLUXD_DATA, else $STATE_DIRECTORY, else /var/lib/fluxd "
        "where it exists, else ~/.local/share/fluxd)",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration (default: fluxd.toml in the data directory, if it is there)",
    )
    parser.set_defaults(parser=parser)
    return parser
