"""Where the data directory is, how it comes to be, and as whom a command works in it."""

import os
from collections.abc import Mapping
from pathlib import Path

from fluxd.core.errors import StoreError

# Where the systemd unit keeps its state; commands beside it find it here without an option.
SYSTEM_DIRECTORY = Path("/var/lib/fluxd")


def data_directory(given: Path | None, environ: Mapping[str, str]) -> Path:
    """Return the absolute path of the data directory, which need not exist.

    In this order: `given` (the option `--data`), $FLUXD_DATA, $STATE_DIRECTORY (systemd sets it),
    /var/lib/fluxd where it exists, ~/.local/share/fluxd. An empty variable counts as absent.
    """
    if given is not None:
        return _absolute(given)
    if environ.get("FLUXD_DATA"):
        return _absolute(Path(environ["FLUXD_DATA"]))
    if environ.get("STATE_DIRECTORY"):
        # A unit with several state directories gets them all, separated by colons.
        return _absolute(Path(environ["STATE_DIRECTORY"].split(":")[0]))
    if SYSTEM_DIRECTORY.exists():
        return SYSTEM_DIRECTORY
    return _absolute(Path("~/.local/share/fluxd"))


def create_data_directory(path: Path) -> None:
    """Create the data directory where it is missing, for its owner only (0700).

    One that exists keeps its mode: its owner chose it. Raises StoreError where it can't be used.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError as error:
        raise StoreError(f"the data directory {path} is no directory") from error
    except OSError as error:
        raise StoreError(
            f"the data directory {path} can't be created: {error.strerror}. "
            "Name another one with --data"
        ) from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise StoreError(
            f"the data directory {path} can't be written by this user. "
            "Name another one with --data, or run as its owner"
        )


def become_owner(store: Path) -> None:
    """Act from here on as the owner of the file or directory `store`, when run by root.

    SQLite creates files beside the store; created by root, they would lock its daemon out. Only
    the effective ids change. Raises StoreError where `store` is missing, or hidden from this user.
    """
    try:
        status = store.stat()
    except PermissionError as error:
        raise StoreError(
            f"{store.parent} belongs to another user: run this with sudo, or as its owner"
        ) from error
    except OSError as error:
        raise StoreError(
            f"there is no store at {store}: `fluxd serve` creates one, "
            "--data or $FLUXD_DATA names another directory"
        ) from error
    if os.geteuid() != 0 or status.st_uid == 0:
        return
    # The group first: without root's user id the other two may not be changed any more.
    os.setgroups([status.st_gid])
    os.setegid(status.st_gid)
    os.seteuid(status.st_uid)


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:  # no HOME, and a user whom the system does not know
        raise StoreError(
            f"this user has no home directory for {path}: name the data directory with --data"
        ) from error
