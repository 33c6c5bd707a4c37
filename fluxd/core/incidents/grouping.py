"""Which incident an anomaly belongs to: by time first, then by kinship, then by what went together.

An anomaly joins an incident, the first of these that there is,

    that has its metric         while it lasts; a host that stops, within KIN_S of its beginnings
    that is a flood             within ALONE_S, whatever else happens
    that has its metric         up to REOPEN_S after its end, SPREAD_S where it was a flood: one
                                of its metrics that is odd again is no outage
    that began at its time      within ALONE_S, or less where much happens by chance anyway
    of kin, or of metrics that
    have gone together before   within KIN_S

and no incident draws others in for longer than SPREAD_S: two causes ten minutes apart are two.
What happens now does not join what was found in history: nobody was told of that.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from fluxd.core.incidents.kinship import Fleet
from fluxd.core.incidents.lifecycle import REOPEN_S

# Agents report once a minute, a detector needs a datapoint or two, clocks differ.
ALONE_S, KIN_S = 120, 300

# The beginnings of an incident's anomalies lie within this, but for those of its own metrics.
SPREAD_S = 480

# So many metrics that begin within ALONE_S have one cause.
FLOOD = 10

# Unrelated anomalies come at random. Time alone counts while it would join one of so many wrongly.
BY_CHANCE = 0.05


@dataclass(frozen=True, slots=True)
class Onset:
    """An anomaly that looks for its incident; `sender` is a key's id.

    `started` and `ended` are in Unix s, `ended` None while it lasts. One that goes on has `started`
    then. `history` says that it was over before it was found. `down`: a host, or a sender, stopped.
    """

    anomaly: int
    series: int
    started: int
    parts: frozenset[str]
    sender: int
    ended: int | None = None
    history: bool = False
    down: bool = False


@dataclass(slots=True)
class Cluster:
    """An incident as what may be joined: `incident` 0 until it is stored; times in Unix s.

    `first` and `last` are the beginnings of its first and last anomaly, those of metrics that it
    had already apart. `over` is when it was resolved, None while it lasts. `history`: all of it is.
    """

    incident: int
    first: int
    last: int
    over: int | None = None
    history: bool = False
    series: set[int] = field(default_factory=set)
    parts: Counter[str] = field(default_factory=Counter)
    senders: Counter[int] = field(default_factory=Counter)
    added: list[Onset] = field(default_factory=list)

    def take(self, onset: Onset) -> None:
        """Let an anomaly in."""
        self.added.append(onset)
        self.history = self.history and onset.history
        if self.over is not None:
            self.over = None if onset.ended is None else max(self.over, onset.ended)
        if onset.series in self.series:
            return
        self.first, self.last = min(self.first, onset.started), max(self.last, onset.started)
        self.know(onset)

    def know(self, onset: Onset) -> None:
        """Count one of its metrics."""
        self.series.add(onset.series)
        self.parts.update(onset.parts)
        self.senders[onset.sender] += 1

    def gap_s(self, started: int) -> int:
        """Return how far (s) a beginning lies outside those of its anomalies, 0 where inside."""
        return max(self.first - started, started - self.last, 0)

    def spread_s(self, started: int) -> int:
        """Return how far apart (s) its beginnings would be with that one."""
        return max(self.last, started) - min(self.first, started)

    def has(self, onset: Onset) -> bool:
        """Whether the anomaly's metric is in it, and it lasts or is over not long enough."""
        if onset.series not in self.series or onset.started < self.first - KIN_S:
            return False
        if self.over is None:  # a host that stops is more than one of its metrics that lasts
            return not onset.down or self.gap_s(onset.started) <= KIN_S
        within = SPREAD_S if len(self.series) >= FLOOD else REOPEN_S
        return onset.started <= self.over + within and self.is_for(onset)

    def is_for(self, onset: Onset) -> bool:
        """Whether it is no history that something joins which happens now."""
        return onset.history or not self.history


def alone_s(causes_per_day: float) -> float:
    """Return within which time (s) anomalies of strangers are taken to belong together.

    >>> alone_s(1.0), alone_s(100.0)
    (120.0, 43.2)
    """
    return min(float(ALONE_S), BY_CHANCE * 86_400 / max(causes_per_day, 1e-9))


class Grouping:
    """Finds or begins a cluster for each anomaly.

    `together(series, others)` says whether a metric has gone together with some of the others
    before; it is asked last, since that is a look into the past.
    """

    def __init__(
        self,
        clusters: Iterable[Cluster],
        fleet: Fleet,
        *,
        causes_per_day: float,
        together: Callable[[int, Sequence[int]], bool] = lambda _series, _others: False,
    ) -> None:
        self.clusters = list(clusters)
        self._fleet = fleet
        self._alone_s = alone_s(causes_per_day)
        self._together = together

    def place(self, onset: Onset) -> Cluster:
        """Return the cluster that takes an anomaly in, a new one where none does."""
        cluster = self._find(onset)
        if cluster is None:
            cluster = Cluster(0, onset.started, onset.started, onset.ended, onset.history)
            self.clusters.append(cluster)
        cluster.take(onset)
        return cluster

    def returns(self, onset: Onset) -> bool:
        """Whether an anomaly is of a metric that some incident has: it is better placed last.

        What begins with it may be the flood that it is a part of.
        """
        return any(onset.series in one.series for one in self.clusters)

    def _find(self, onset: Onset) -> Cluster | None:
        own = [one for one in self.clusters if one.has(onset)]
        latest = max(own, key=lambda one: one.first, default=None)
        if latest is not None and latest.over is None and latest.is_for(onset):
            return latest
        near = sorted(
            (one for one in self.clusters if self._in_reach(one, onset)),
            key=lambda one: (one.gap_s(onset.started), -len(one.series)),
        )
        flood = next((one for one in near if self._is_flood(one, onset)), None)
        if flood is not None or latest is not None:
            return flood or latest
        for fits in (self._at_its_time, self._of_kin, self._went_together):
            found = next((one for one in near if fits(one, onset)), None)
            if found is not None:
                return found
        return None

    def _in_reach(self, cluster: Cluster, onset: Onset) -> bool:
        started = onset.started
        in_time = cluster.gap_s(started) <= KIN_S and cluster.spread_s(started) <= SPREAD_S
        return in_time and cluster.is_for(onset)

    def _is_flood(self, cluster: Cluster, onset: Onset) -> bool:
        metrics = len(cluster.series) + (onset.series not in cluster.series)
        return metrics >= FLOOD and cluster.gap_s(onset.started) <= ALONE_S

    def _at_its_time(self, cluster: Cluster, onset: Onset) -> bool:
        return cluster.gap_s(onset.started) <= self._alone_s

    def _of_kin(self, cluster: Cluster, onset: Onset) -> bool:
        return self._fleet.akin(
            onset.parts, onset.sender, cluster.parts, cluster.senders, len(cluster.series)
        )

    def _went_together(self, cluster: Cluster, onset: Onset) -> bool:
        return self._together(onset.series, sorted(cluster.series))
