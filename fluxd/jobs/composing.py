"""Messages are written when they are tried first, from what is known of their incident then."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fluxd.core.detect import LocalTime
from fluxd.core.message import Links, Member, Message, MessageKind, Picture, worst
from fluxd.core.wording import moment
from fluxd.store.anomalies import StoredAnomaly, get_evidence
from fluxd.store.channels import StoredChannel
from fluxd.store.connection import Connection
from fluxd.store.incident_list import (
    StoredIncident,
    count_down,
    get_incident,
    read_leading,
    read_memberships,
)
from fluxd.store.incident_members import lasting_since
from fluxd.store.outbox import Entry, first_key

# Anomalies that a message lists; it counts the others.
LISTED = 8


@dataclass(slots=True)
class Composer:
    """Writes messages; `url` is where the pages are ("" if unknown), `host` names the machine."""

    url: str
    host: str
    local: LocalTime

    def compose(self, reader: Connection, entry: Entry, notes: Sequence[str]) -> Message | None:
        """Return the message of an entry of the outbox, None where its incident is gone."""
        incident = None if entry.incident is None else get_incident(reader, entry.incident)
        if incident is None:
            return None
        kind = self._kind(entry, incident)
        leading = read_leading(reader, incident.id, limit=1)
        members = [one.anomaly for one in read_memberships(reader, incident.id, limit=LISTED)]
        offset = self.local.offset(incident.started)
        return Message(
            kind=kind,
            key=entry.key,
            thread=first_key(reader, entry.channel, incident.id) or entry.key,
            incident=incident.id,
            severity=incident.severity,
            subject=self._subject(reader, incident, kind),
            sentence=incident.explanation,
            started=incident.started,
            ended=incident.ended,
            members=tuple(self._member(one) for one in members),
            metrics=incident.metrics,
            links=self._links(incident),
            picture=picture_of(reader, leading[0]) if leading else None,
            offset=offset,
            host=self.host,
            notes=tuple(notes),
            down=count_down(reader, incident.id),
        )

    def test(self, channel: StoredChannel, key: str, now: int) -> Message:
        """Return what a channel's test button sends."""
        return Message(
            kind="test",
            key=key,
            thread=key,
            incident=None,
            severity="normal",
            subject=f"Test of the channel {channel.name}",
            sentence="This is a test: whoever reads it is reached when metrics of "
            f"{self.host} behave oddly.",
            started=now,
            ended=None,
            members=(),
            metrics=0,
            links=Links(open=self.url),
            picture=None,
            offset=self.local.offset(now),
            host=self.host,
        )

    def digest(
        self,
        key: str,
        incidents: Sequence[StoredIncident],
        *,
        since: int,
        until: int,
        notes: Sequence[str],
    ) -> Message:
        """Return what a digest tells of a time: its incidents, the first to begin first."""
        offset = self.local.offset(until)
        count = len(incidents)
        what = "All quiet" if not count else f"{count} incident{'s' if count != 1 else ''}"
        begin = moment(since, self.local.offset(since))
        return Message(
            kind="digest",
            key=key,
            thread=key,
            incident=None,
            severity=worst(one.severity for one in incidents) or "low",
            subject=f"{what} on {self.host}",
            sentence=f"{what} from {begin} to {moment(until, offset)}.",
            started=since,
            ended=until,
            members=(),
            metrics=0,
            links=Links(open=self.url),
            picture=None,
            offset=offset,
            host=self.host,
            notes=tuple(notes),
            stories=tuple(
                (one.title, one.explanation, self._address(f"/incidents/{one.id}"))
                for one in incidents
            ),
        )

    def _kind(self, entry: Entry, incident: StoredIncident) -> MessageKind:
        """Return what kind of message it is: what is over by now is told as over."""
        return "resolved" if incident.state == "resolved" else entry.notice

    def _subject(self, reader: Connection, incident: StoredIncident, kind: MessageKind) -> str:
        """Return what reads on a watch: what, and since when what lasts of it does."""
        if kind == "resolved":
            return incident.title
        since = lasting_since(reader, incident.id) or incident.started
        clock = moment(since, self.local.offset(since)).split(" on ")[0]
        return f"{incident.title}, since {clock}"

    def _member(self, one: StoredAnomaly) -> Member:
        return Member(
            one.metric,
            one.kind,
            one.direction,
            one.started,
            one.ended,
            one.score,
            one.explanation,
            self._address(f"/anomalies/{one.id}"),
        )

    def _links(self, incident: StoredIncident) -> Links:
        page = f"/incidents/{incident.id}"
        metric = quote(incident.leading or "", safe="")
        return Links(
            open=self._address(page),
            acknowledge=self._address(f"{page}#acknowledge"),
            mute=self._address(f"/settings/silence?metric={metric}#mute"),
        )

    def _address(self, path: str) -> str:
        return f"{self.url}{path}" if self.url else ""


def picture_of(reader: Connection, leading: StoredAnomaly) -> Picture | None:
    """Return what the chart of an anomaly shows, from the datapoints kept with it, if any are."""
    columns: dict[str, Any] = (get_evidence(reader, leading.id) or {}).get("datapoints") or {}
    if not columns.get("timestamps"):
        return None
    return Picture(
        timestamps=tuple(int(at) for at in columns["timestamps"]),
        values=tuple(columns["values"]),
        expected=tuple(columns["expected"]),
        lower=tuple(columns["lower"]),
        upper=tuple(columns["upper"]),
        started=leading.started,
        ended=leading.ended,
        title=leading.metric,
    )
