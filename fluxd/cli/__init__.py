"""The command line: one file a command, each with `register(commands)` and its function."""

import argparse
import sys
from collections.abc import Sequence

import fluxd
from fluxd.cli import (
    backup,
    check,
    doctor,
    explain,
    import_,
    key,
    link,
    metric,
    replay,
    selftest,
    serve,
    sql,
)
from fluxd.cli.options import FAILURE
from fluxd.core.errors import FluxdError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="fluxd",
        description="Anomaly detection on your own metrics, on your own machine.",
    )
    parser.add_argument("--version", action="version", version=f"fluxd {fluxd.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (
        serve,
        link,
        key,
        replay,
        explain,
        backup,
        import_,
        metric,
        check,
        selftest,
        sql,
        doctor,
    ):
        command.register(commands)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:  # the command's own usage says what there is
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        return int(arguments.run(arguments))
    except FluxdError as error:
        print(f"fluxd: {error.message}", file=sys.stderr)
        return FAILURE
    except UnicodeEncodeError as error:  # a byte of the command line that is no UTF-8
        print(f"fluxd: {error.object!r} is no text in UTF-8", file=sys.stderr)
        return FAILURE
    except BrokenPipeError:  # the reader of our output, such as head, has had enough
        sys.stderr.close()
        return FAILURE
    except KeyboardInterrupt:
        return 130
