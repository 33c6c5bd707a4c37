"""Which incident an anomaly belongs to: by time first, then by kinship, then by what went together.

An anomaly joins an incident

    that has its metric         while it lasts and up to REOPEN_S after
    that began at its time      within ALONE_S, or less where much happens by chance anyway
    that is a flood             within ALONE_S, whatever else happens
    of kin, or of metrics that
    have gone together before   within KIN_S

and no incident draws others in for longer than SPREAD_S: two causes ten minutes apart are two.
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

    `started` and `ended` are in Unix s, `ended` None while it lasts.
    """

    anomaly: int
    series: int
    started: int
    parts: frozenset[str]
    sender: int
    ended: int | None = None


@dataclass(slots=True)
class Cluster:
    """An incident as what may be joined: `incident` 0 until it is stored; times in Unix s.

    `first` and `last` are the beginnings of its first and last anomaly, those of metrics that it
    had already apart. `over` is when it was resolved, None while it lasts.
    """

    incident: int
    first: int
    last: int
    over: int | None = None
    series: set[int] = field(default_factory=set)
    parts: Counter[str] = field(default_factory=Counter)
    senders: Counter[int] = field(default_factory=Counter)
    added: list[Onset] = field(default_factory=list)

    def take(self, onset: Onset) -> None:
        """Let an anomaly in."""
        self.added.append(onset)
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
        return self.over is None or onset.started <= self.over + REOPEN_S


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
            cluster = Cluster(0, onset.started, onset.started, onset.ended)
            self.clusters.append(cluster)
        cluster.take(onset)
        return cluster

    def _find(self, onset: Onset) -> Cluster | None:
        near = sorted(
            (one for one in self.clusters if self._in_reach(one, onset)),
            key=lambda one: (one.gap_s(onset.started), -len(one.series)),
        )
        own = [one for one in self.clusters if one.has(onset)]
        if own:
            return max(own, key=lambda one: one.first)
        for fits in (self._at_its_time, self._of_kin, self._went_together):
            found = next((one for one in near if fits(one, onset)), None)
            if found is not None:
                return found
        return None

    def _in_reach(self, cluster: Cluster, onset: Onset) -> bool:
        started = onset.started
        return cluster.gap_s(started) <= KIN_S and cluster.spread_s(started) <= SPREAD_S

    def _at_its_time(self, cluster: Cluster, onset: Onset) -> bool:
        gap = cluster.gap_s(onset.started)
        return gap <= self._alone_s or (gap <= ALONE_S and len(cluster.series) >= FLOOD)

    def _of_kin(self, cluster: Cluster, onset: Onset) -> bool:
        return self._fleet.akin(
            onset.parts, onset.sender, cluster.parts, cluster.senders, len(cluster.series)
        )

    def _went_together(self, cluster: Cluster, onset: Onset) -> bool:
        return self._together(onset.series, sorted(cluster.series))
