"""The doctor's questions about the machine: programs and clock."""

import platform
import time
from collections.abc import Iterator

import fluxd
from fluxd.daemon.findings import Finding, Run, bad, note, ok
from fluxd.store.facts import sqlite_versions

# STRICT tables came with SQLite 3.37; json_each and sqlar_uncompress the views need as well.
OLDEST_SHELL = (3, 37)

# A clock outside of these years was never set: fluxd did not exist, or nobody will read this.
PLAUSIBLE_YEARS = range(2025, 2100)

# The contract refuses datapoints that are further ahead than this.
AHEAD_S = 60


def versions(run: Run) -> Iterator[Finding]:
    """Yield what is to be said of fluxd, Python, SQLite and the stock shell."""
    yield ok(f"fluxd {fluxd.__version__} on Python {platform.python_version()}")
    sqlite, apsw, fit = sqlite_versions()
    if fit:
        yield ok(f"SQLite {sqlite}, by apsw {apsw}")
    else:
        yield bad(
            f"SQLite {sqlite} (by apsw {apsw}) can corrupt a store",
            "`pip install --upgrade apsw` where fluxd is installed",
        )
    yield stock_shell(
        run(("sqlite3", "-version")),
        run(("sqlite3", ":memory:", "SELECT sqlar_uncompress('[1]', 3)")),
    )


def stock_shell(version: str | None, unpacked: str | None) -> Finding:
    """Judge the stock `sqlite3` by its -version and by what it makes of '[1]'; None: no answer."""
    if version is None:
        return note(
            "there is no sqlite3 shell", "`sudo apt-get install sqlite3`, or do with `fluxd sql`"
        )
    number = version.split(" ")[0].strip()
    parts = tuple(int(part) for part in number.split(".")[:2] if part.isdecimal())
    if parts < OLDEST_SHELL or unpacked is None or unpacked.strip() != "[1]":
        return note(
            f"the sqlite3 shell {number} can't read a store",
            "use `fluxd sql`, or install the shell of SQLite 3.40 or newer",
        )
    return ok(f"sqlite3 shell {number}")


def clock(now: int, latest: int | None, run: Run) -> Iterator[Finding]:
    """Yield what is to be said of the clock.

    `latest` is the last second (s) that the store has analysed, None for none.
    """
    at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(now))
    mend = "`sudo timedatectl set-ntp true`, or set it with `date`"
    if time.gmtime(now).tm_year not in PLAUSIBLE_YEARS:
        yield bad(f"the clock says {at}", mend)
    elif latest is not None and latest > now + AHEAD_S:
        yield bad(
            f"the clock says {at}, and the store has datapoints {latest - now:,} s after that",
            f"{mend}; if it is right now, it was ahead before, and what was stored for the future "
            "is not analysed again",
        )
    else:
        yield ok(f"the clock says {at}")
    synchronised = run(("timedatectl", "show", "--property=NTPSynchronized", "--value"))
    if synchronised is not None and synchronised.strip() == "no":
        yield note("the clock is not synchronised", "`sudo timedatectl set-ntp true`")
    elif synchronised is not None:
        yield ok("the clock is synchronised")
