"""`fluxd serve`: the daemon."""

import argparse
import os
import sys
from typing import Any

from fluxd.cli.options import USAGE, add_command
from fluxd.core.errors import ConfigError
from fluxd.daemon.config import find_config, load_config
from fluxd.daemon.daemon import serve
from fluxd.daemon.paths import data_directory


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(commands, "serve", "run the daemon")
    parser.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="where to listen (default: server.listen, 127.0.0.1:3589)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    data = data_directory(arguments.data, os.environ)
    try:
        config = load_config(
            find_config(arguments.config, data),
            os.environ,
            listen=arguments.listen,
            credentials=True,
        )
    except ConfigError as error:
        print(f"fluxd: {error.message}", file=sys.stderr)
        return USAGE
    return serve(data, config, os.environ)
