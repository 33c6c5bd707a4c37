"""The doctor's questions about what is in the store."""

import time
from collections.abc import Iterator
from pathlib import Path

import fluxd
from fluxd.daemon.findings import Finding, bad, note, ok
from fluxd.store.facts import Facts


def contents(path: Path, facts: Facts) -> Iterator[Finding]:
    """Yield what is to be said of the schema, the keys and the refused requests."""
    yield schema(path, facts)
    if facts.keys:
        yield ok(f"{facts.keys} key{'' if facts.keys == 1 else 's'}, {facts.metrics:,} metrics")
    else:
        yield note("nobody has a key, so nothing can be sent", "`fluxd key add NAME`")
    for refused in facts.refused:
        sender = f"of the key {refused.key}" if refused.key else "without a key"
        yield note(
            f"{refused.count:,} requests {sender} were refused, last at {_clock(refused.last)}, "
            f'with "{refused.message}"',
            "mend the sender; `/api/v1/rejections` shows the element",
        )


def schema(path: Path, facts: Facts) -> Finding:
    """Judge the schema's number against the one that this fluxd knows."""
    text = f"{path} has schema {facts.schema}, written by fluxd {facts.written_by}"
    if facts.schema > facts.newest:
        return bad(
            f"{text}; this is fluxd {fluxd.__version__}, which knows {facts.newest}",
            f"install fluxd {facts.written_by} or newer",
        )
    if facts.schema < facts.newest:
        return note(
            f"{text}; this one's is {facts.newest}",
            "start the daemon once: it copies the store and brings it up to date",
        )
    return ok(f"{text} (`fluxd check` looks at every row)")


def _clock(timestamp: int) -> str:
    return time.strftime("%Y-%m-%d %H:%MZ", time.gmtime(timestamp))
