"""Digests: once a day what happened, where a channel wants that, and what was over its cap."""

import functools
import json
from collections import Counter
from collections.abc import Sequence

from fluxd.core.hush import read_quiet_hours
from fluxd.core.message import rank, to_json
from fluxd.core.sending import digest_due
from fluxd.jobs.composing import Composer
from fluxd.store import Store, outbox
from fluxd.store.channels import StoredChannel, digested_until, note_digested, read_channels
from fluxd.store.connection import Connection
from fluxd.store.incident_list import StoredIncident, get_incident, read_found_between
from fluxd.store.incident_members import gather
from fluxd.store.notices import wants

# Incidents that a digest lists: the worst; it counts the others.
LISTED = 50

# Incidents of a day that are looked at.
MOST_READ = 5_000


class Digester:
    """The job."""

    def __init__(self, store: Store, composer: Composer) -> None:
        self._store = store
        self._composer = composer

    def step(self, now: int) -> None:
        """Queue the digests that are due at `now` (Unix s)."""
        due = digest_due(now, self._composer.local.offset(now))
        with self._store.read() as reader:
            reach = [(one, digested_until(reader, one.id)) for one in read_channels(reader)]
        for channel, until in reach:
            if until > now:  # the clock was set back since
                self._store.writer.run(
                    functools.partial(note_digested, number=channel.id, until=now)
                )
            elif channel.enabled and until < due:
                self._put(channel, due, now)

    def _put(self, channel: StoredChannel, due: int, now: int) -> None:
        """Queue a digest up to `due`, in the transaction that notes that it reaches there.

        A day of thousands of incidents is read beside the writer, which has datapoints to store.
        """
        key = outbox.new_key()
        with self._store.read() as reader:
            since = digested_until(reader, channel.id)
            withheld = outbox.read_withheld(reader, channel.id)
            told, notes = self._told(reader, channel, since, due, withheld)
        notes += _over_cap(channel, withheld)
        quiet = read_quiet_hours(channel.quiet_hours)
        left = 0 if quiet is None else quiet.left_s(now, self._composer.local.offset(now))
        message = self._composer.digest(key, told, since=since, until=due, notes=notes)

        def write(connection: Connection) -> None:
            note_digested(connection, channel.id, due)
            if channel.digest == "off" and not withheld:
                return
            outbox.put(
                connection,
                channel.id,
                "digest",
                severity=message.severity,
                due=now + left,
                now=now,
                written=(key, json.dumps(to_json(message), separators=(",", ":"))),
            )
            outbox.end_withheld(connection, channel.id, withheld, now=now)

        self._store.writer.run(write)

    def _told(
        self,
        reader: Connection,
        channel: StoredChannel,
        since: int,
        until: int,
        withheld: Sequence[int],
    ) -> tuple[list[StoredIncident], list[str]]:
        """Return the incidents of a digest, and what it says of those that it leaves out."""
        found = {number: get_incident(reader, number) for number in withheld}
        silent: Counter[str] = Counter()
        if channel.digest != "off":
            for one in read_found_between(reader, since, until, limit=MOST_READ):
                if one.silent is not None:
                    silent[one.silent] += 1
                elif not channel.metrics or wants(channel, gather(reader, one.id).heard):
                    found[one.id] = one
        told = [one for one in found.values() if one is not None]
        worst = sorted(told, key=lambda one: (-rank(one.severity), one.started))[:LISTED]
        notes = [f"{len(told) - LISTED:,} more are on the pages."] if len(told) > LISTED else []
        notes += [f"{count:,} kept silent: {reason}." for reason, count in silent.most_common(5)]
        return sorted(worst, key=lambda one: one.started), notes


def _over_cap(channel: StoredChannel, withheld: Sequence[int]) -> list[str]:
    if not withheld:
        return []
    were = "was" if len(withheld) == 1 else "were"
    least = f"this channel takes at most {channel.daily_cap} messages a day"
    return [f"{len(withheld):,} of them {were} not sent when they began: {least}."]
