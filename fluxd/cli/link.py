"""`fluxd link`: a fresh sign-in link for the pages."""

import argparse
import sys
import time
from typing import Any

from fluxd.cli.options import add_command
from fluxd.daemon.links import fresh_link
from fluxd.daemon.offline import daemon_runs, open_offline, store_path


def register(commands: Any) -> None:  # noqa: ANN401  # argparse's type for it is private
    """Add the command."""
    parser = add_command(
        commands, "link", "print a link that signs a browser in, once and within ten minutes"
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="how the browser reaches fluxd, such as https://flux.example.org behind a proxy "
        "(default: the address that the daemon listens on)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a link, alone on the last line."""
    data = store_path(arguments.data).parent
    with open_offline(arguments.data, write=True) as connection:
        link = fresh_link(connection, int(time.time()), arguments.url)
    if not daemon_runs(data):
        print("The daemon is not running: start it first.", file=sys.stderr)
    print("Open this within ten minutes; it works once:")
    print(link)
    return 0
