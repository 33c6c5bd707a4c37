"""A week of many series played as one installation: how many messages a person gets of it.

The series of a folder of CSV files (`timestamp,value`, one a metric) are moved so that they end
together, learnt up to a week before their end, and then played minute by minute: the shipped
detector, anomalies into a real store, the job that groups them, and a sender whose channel takes
everything. Without grouping each anomaly is a message; with it those that went out are counted, at
a channel's defaults.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from fleet import table
from jobs.happenings import CHANNEL, Happenings, happenings
from realseries import Series, load

from fluxd.core.anomalies import Anomaly, Stretches
from fluxd.core.detect import UTC, Bank
from fluxd.core.message import Message
from fluxd.jobs.composing import Composer
from fluxd.jobs.digests import Digester
from fluxd.jobs.sending import Sender
from fluxd.notify.channel import Answer
from fluxd.store.anomalies import write_anomalies

DAY_S, MINUTE_S = 86_400, 60
END = 1_700_006_400  # midnight UTC
CHUNK_ROWS = 200


class Inbox:
    """A channel that takes everything."""

    def __init__(self) -> None:
        self.got: list[Message] = []

    def send(self, message: Message, timeout_s: float) -> Answer:
        del timeout_s
        self.got.append(message)
        return Answer("taken")


class Detector:
    """All series side by side; slot n is the metric with id n."""

    def __init__(self, series: list[Series]) -> None:
        self._bank = Bank()
        self._bank.grow(len(series) + 1)
        self._stretches = Stretches()
        times = np.concatenate([one.timestamps for one in series])
        order = np.argsort(times, kind="stable")
        slots = [np.full(len(one.timestamps), n, np.int64) for n, one in enumerate(series, 1)]
        self._times = times[order]
        self._slots = np.concatenate(slots)[order]
        self._values = np.concatenate([one.values for one in series])[order]
        self._done = 0

    def until(self, now: int) -> list[Anomaly]:
        """Take the datapoints up to a time (s); return the anomalies that changed."""
        begin, self._done = self._done, int(np.searchsorted(self._times, now, side="right"))
        part = slice(begin, self._done)
        slots, times, values = self._slots[part], self._times[part], self._values[part]
        verdicts = self._bank.advance(slots, times, values)
        live = np.zeros(len(slots), np.bool_)
        return self._stretches.follow(self._bank, slots, times, values, live, verdicts)


def play(site: Happenings, detector: Detector, days: int) -> Iterator[list[Anomaly]]:
    """Play the last days minute by minute; yield what changed in each."""
    for now in range(END - days * DAY_S, END, MINUTE_S):
        site.now = now
        changed = detector.until(now)
        if changed:
            site.store.writer.run(lambda writer, some=changed: write_anomalies(writer, some))
        site.group()
        yield changed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=None, help="CSV files; without: made up")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--cap", type=int, default=CHANNEL.daily_cap)
    options = parser.parse_args()
    series = [one.ending(END) for one in load(options.folder)]
    names = [one.name for one in series]
    detector, inbox = Detector(series), Inbox()
    for now in range(END - 40 * DAY_S, END - options.days * DAY_S, CHUNK_ROWS * MINUTE_S):
        detector.until(now)
    with happenings(*names) as site:
        site.now = END - options.days * DAY_S

        def build(_kind: str, _settings: Mapping[str, str]) -> Inbox:
            return inbox

        composer = Composer("", "week", UTC)
        sender = Sender(site.store, composer, build, clock=lambda: site.now)
        digester = Digester(site.store, composer)
        site.add_channel()
        anomalies: set[tuple[int, int]] = set()
        for changed in play(site, detector, options.days):
            anomalies.update((one.slot, one.started) for one in changed)
            digester.step(site.now)
            while sender.send_next(1):
                pass
        kinds = Counter(one.kind for one in inbox.got)
        sizes = sorted((one.metrics for one in site.incidents), reverse=True)
        severities = Counter(one.severity for one in site.incidents)
    days = options.days
    table(
        {
            "metrics": len(series),
            "anomalies a day": f"{len(anomalies) / days:.1f}",
            "incidents a day": f"{len(sizes) / days:.1f}",
            "metrics of an incident, the largest": ", ".join(str(size) for size in sizes[:8]),
            "incidents by severity": dict(severities),
            "messages a day": f"{len(inbox.got) / days:.1f}",
            "messages by kind": dict(kinds),
        }
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
