"""`fluxd doctor`: what is wrong with this installation, and how to mend it.

Each question is a function of what was found out (a clock, a mode, an answer, a program's output)
and returns findings; `examine` finds it out. Nothing is changed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from fluxd.core.errors import ConfigError, FluxdError
from fluxd.daemon import doctor_files, doctor_machine, doctor_service, doctor_store
from fluxd.daemon.config import find_config, load_config
from fluxd.daemon.findings import Finding, Run, bad, note, run_program
from fluxd.daemon.offline import acting_as_owner, connect_offline, daemon_runs
from fluxd.store.connection import FILE_NAME, transaction
from fluxd.store.facts import Facts, read_facts


def examine(
    data: Path, config: Path | None, environ: Mapping[str, str], run: Run = run_program
) -> Iterator[Finding]:
    """Yield findings about the data directory `data` and the machine, part by part.

    `config` is the file that was named, None for the usual one; `run` runs other programs.
    """
    now = int(time.time())
    yield from _part("the programs", lambda: doctor_machine.versions(run))
    facts: Facts | None = None
    missing = _missing(data)
    if missing is not None:
        yield missing
    else:
        try:
            facts = _facts(data / FILE_NAME, now)
            yield from doctor_store.contents(data / FILE_NAME, facts)
        except FluxdError as error:
            yield bad("the store can't be read", error.message)
        yield from _part("the files", lambda: doctor_files.files(data))
        daily = facts.daily if facts else 0.0
        yield from _part("the disk", lambda: doctor_files.disk(data, daily))
    latest = facts.latest if facts else None
    yield from _part("the clock", lambda: doctor_machine.clock(now, latest, run))
    yield from _part("the service", lambda: doctor_service.service(data, run))
    yield from _part("the daemon", lambda: _daemon(data, config, environ))
    yield from _part("the log", lambda: doctor_service.log(run))


def _part(name: str, findings: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield a part's findings; what it stumbles over is a finding too."""
    try:
        yield from findings()
    except ConfigError as error:
        yield bad("the configuration is wrong", error.message)
    except OSError as error:
        yield bad(f"{name} can't be looked at: {error}", "run this with sudo, or as fluxd's user")


def _missing(data: Path) -> Finding | None:
    """Say why there is no store to look at, None where there is one."""
    try:
        if (data / FILE_NAME).exists():
            return None
        backup = "`fluxd restore FILE` puts a backup there"
        if data.exists():
            return note(f"there is no store in {data}", f"`fluxd serve` creates one; {backup}")
        return note(f"there is no directory {data}", "`fluxd serve` creates it, and the store")
    except PermissionError:
        return bad(
            f"{data} belongs to another user", "run this with sudo, or as its owner; or name --data"
        )


def _facts(path: Path, now: int) -> Facts:
    with (
        acting_as_owner(path),
        connect_offline(path.parent) as reader,
        transaction(reader, "DEFERRED"),
    ):
        return read_facts(reader, now)


def _daemon(data: Path, config: Path | None, environ: Mapping[str, str]) -> Iterator[Finding]:
    settings = load_config(find_config(config, data), environ)
    return doctor_service.daemon(settings.server.listen, runs=daemon_runs(data))
