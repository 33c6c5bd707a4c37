"""What a change of an incident has to tell: queued in the transaction of the change itself."""

from collections.abc import Collection, Sequence

import apsw

from fluxd.core.hush import matches
from fluxd.core.incidents.lifecycle import State
from fluxd.core.incidents.notices import decide
from fluxd.core.message import Severity
from fluxd.store import outbox
from fluxd.store.channels import StoredChannel, read_channels


def queue_notices(
    connection: apsw.Connection,
    incident: int,
    *,
    state: State,
    severity: Severity,
    metrics: int,
    down: int,
    heard: Collection[str],
    now: int,
) -> None:
    """Queue what each channel is to be told of an incident as it is now.

    `metrics` is how many it has, `down` how many hosts of it have stopped, `heard` are the names of
    those that nobody has silenced.
    """
    for channel in read_channels(connection):
        if not channel.enabled or channel.digest == "only":
            continue
        decision = decide(
            state,
            severity,
            metrics,
            outbox.told(connection, channel.id, incident),
            least=channel.least,
            wanted=wants(channel, heard),
            now=now,
            down=down,
        )
        outbox.cancel(connection, channel.id, incident, decision.cancel, now=now)
        if decision.latest is not None:
            outbox.hurry(connection, channel.id, incident, latest=decision.latest)
        if decision.queue is not None:
            outbox.put(
                connection,
                channel.id,
                decision.queue,
                severity=severity,
                due=decision.due,
                now=now,
                incident=incident,
            )


def wants(channel: StoredChannel, heard: Collection[str]) -> bool:
    """Whether a channel is for one of some metrics."""
    globs: Sequence[str] = channel.metrics
    return any(matches(name, globs) for name in heard)
