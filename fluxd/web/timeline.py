"""An incident's anomalies as bars in the order in which they appeared, one line each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fluxd.core.hush import Window
from fluxd.store.anomalies import StoredAnomaly
from fluxd.store.incident_list import Membership, StoredIncident

MOST_LINES = 40

# A picture's own units: it is as wide as its place in the page, whatever that is.
WIDTH, HEIGHT = 1_000, 20
LEAST_BAR = 5

# What is shown beside the incident, and the least that is shown (s).
BESIDE, LEAST_S = 0.06, 300

MOST_TIMES = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the timeline; `bar` is its picture, made of numbers alone."""

    anomaly: StoredAnomaly
    silent: str | None
    bar: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """From `since` to `until` (Unix s); `more` anomalies have no line, `titles` are of windows."""

    since: int
    until: int
    lines: Sequence[Line]
    more: int
    titles: Sequence[str]

    @property
    def silent(self) -> bool:
        """Whether some of the lines are of what nobody is told of."""
        return any(one.silent for one in self.lines)

    @property
    def ticks(self) -> list[int]:
        """Times along it, at equal distances."""
        return [self.since + (self.until - self.since) * step // 4 for step in range(5)]


def timeline_of(
    incident: StoredIncident, members: Sequence[Membership], windows: Iterable[Window], now: int
) -> Timeline:
    """Return the timeline of an incident, with the windows that its metrics were expected in."""
    shown = members[:MOST_LINES]
    ends = [now if one.anomaly.ended is None else one.anomaly.ended for one in shown]
    first = min((one.anomaly.started for one in shown), default=incident.started)
    last = max([*ends, first])
    beside = int(max((last - first) * BESIDE, (LEAST_S - (last - first)) / 2, 1))
    since, until = first - beside, last + beside
    scale = _Scale(since, until)
    lines, titles = [], dict[str, None]()
    for one, end in zip(shown, ends, strict=True):
        spans: list[tuple[int, int]] = []
        for window in windows:
            if window.is_for(one.anomaly.metric):
                times = window.times(since, until, most=MOST_TIMES)
                spans += times
                if times:
                    titles[window.title] = None
        lines.append(Line(one.anomaly, one.silent, scale.draw(one, end, spans)))
    return Timeline(since, until, lines, incident.anomalies - len(shown), list(titles))


class _Scale:
    """Where a time is on a line."""

    def __init__(self, since: int, until: int) -> None:
        self._since = since
        self._per = WIDTH / (until - since)

    def draw(self, one: Membership, end: int, spans: Iterable[tuple[int, int]]) -> str:
        """Draw a line: windows behind, a quarter's grid, and the bar."""
        behind = "".join(
            f'<rect class="t-window" x="{self._x(begin):.1f}" y="0" height="{HEIGHT}" '
            f'width="{self._x(over) - self._x(begin):.1f}"/>'
            for begin, over in spans
        )
        grid = "".join(f"M{WIDTH * step / 4:g} 0v{HEIGHT}" for step in range(1, 4))
        left = self._x(one.anomaly.started)
        width = max(self._x(end) - left, LEAST_BAR)
        name = "t-bar" + (" is-silent" if one.silent else "")
        name += " is-lasting" if one.anomaly.ended is None else ""
        return (
            f'<svg class="t-line" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
            f'aria-hidden="true" focusable="false">{behind}<path class="t-grid" d="{grid}"/>'
            f'<rect class="{name}" x="{left:.1f}" y="6" width="{width:.1f}" '
            f'height="{HEIGHT - 12}"/></svg>'
        )

    def _x(self, at: int) -> float:
        return min(max((at - self._since) * self._per, 0.0), float(WIDTH))
