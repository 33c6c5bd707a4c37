"""A metric's chart as SVG: a small one inside a page, or a whole one at an address of its own.

What it shows is in its shapes as well as in its colours: an anomaly has a triangle above it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from fluxd.core.chart import clock
from fluxd.core.plot import (
    EXPECTED,
    LEAST,
    LOWER,
    MOST,
    UPPER,
    VALUE,
    Box,
    Column,
    Plot,
    Point,
    rounded,
)
from fluxd.core.wording import DAY_S, number

# In a page its style sheet colours the classes; a file of its own brings both schemes along.
_STYLE = (
    "svg{--ground:#fff;--ink:#18211f;--ink-2:#53605d;--line:#d9dfdd;--value:#17636c;"
    "--band:#17636c24;--band-line:#17636c80;--odd:#b23a0e;--odd-soft:#fdebe3;--span:#e0eff0}"
    "@media(prefers-color-scheme:dark){svg{--ground:#181f1d;--ink:#e7eeeb;--ink-2:#9fada9;"
    "--line:#2c3633;--value:#6fc3cd;--band:#6fc3cd26;--band-line:#6fc3cd80;--odd:#ff9c73;"
    "--odd-soft:#3a2119;--span:#17363a}}"
    "text{font:12px system-ui,sans-serif;fill:var(--ink-2)}.c-title{font-weight:600;"
    "fill:var(--ink)}.c-ground{fill:var(--ground)}.c-grid{stroke:var(--line)}"
    ".c-band{fill:var(--band)}.c-reach{fill:var(--value);stroke:var(--value);opacity:.5}.c-value{fill:none;stroke:var(--value);stroke-width:1.6;"
    "stroke-linejoin:round}.c-dot{fill:var(--value)}.c-expected{fill:none;"
    "stroke:var(--band-line);stroke-dasharray:4 4}.c-odd{fill:var(--odd-soft)}"
    ".c-mark{fill:var(--odd)}.c-ring{fill:none;stroke:var(--odd);stroke-width:2}"
    ".c-span{fill:var(--span)}.c-edge{fill:none;stroke:var(--value);stroke-dasharray:3 3}"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """An anomaly in the chart; times in Unix s, `ended` None while it lasts."""

    started: int
    ended: int | None
    peak: int
    value: float


@dataclass(frozen=True, slots=True)
class Span:
    """A time (Unix s) in which something was expected."""

    started: int
    ended: int
    title: str


def small(columns: Mapping[str, Column], marks: Iterable[Mark], *, width: int, height: int) -> str:
    """Return a chart without axes for a page; it says nothing that the text beside it doesn't."""
    plot = _Plot(columns, Box(6, 10, width - 12, height - 16))
    body = plot.draw(marks) if plot.rows else ""
    return (
        f'<svg class="chart-small" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" aria-hidden="true" focusable="false">{body}</svg>'
    )


def spark(columns: Mapping[str, Column], *, width: int, height: int) -> str:
    """Return a line alone as a file."""
    plot = _Plot(columns, Box(1, 2, width - 2, height - 4))
    return _file(width, height, plot.value_path(), "")


def whole(
    columns: Mapping[str, Column],
    marks: Iterable[Mark | Span],
    *,
    title: str,
    since: int,
    until: int,
    width: int,
    height: int,
    offset: int = 0,
) -> str:
    """Return a chart with axes and title as a file; `offset` is local time less UTC (s)."""
    given = list(marks)
    spans = [one for one in given if isinstance(one, Span)]
    anomalies = [one for one in given if isinstance(one, Mark)]
    plot = _Plot(columns, Box(64, 40, width - 96, height - 68), since, until)
    ground = f'<rect class="c-ground" width="{width}" height="{height}"/>'
    heading = f'<text class="c-title" x="12" y="22">{escape(_shortened(title, width // 8))}</text>'
    if plot.rows:
        body = plot.spans(spans) + plot.axes(offset) + plot.draw(anomalies)
    else:
        body = f'<text x="{width // 2}" y="{height // 2}" text-anchor="middle">no datapoints</text>'
    return _file(width, height, ground + heading + body, f"<title>{escape(title)}</title>")


def _file(width: int, height: int, body: str, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img">{title}<style>{_STYLE}</style>{body}</svg>'
    )


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


class _Plot(Plot):
    """Datapoints in a box, as shapes."""

    def draw(self, marks: Iterable[Mark]) -> str:
        """Draw the band, what was expected, the value and the anomalies."""
        shapes = [self._stretch(mark) for mark in marks if self._shows(mark)]
        behind, above = "".join(one[0] for one in shapes), "".join(one[1] for one in shapes)
        band, reach = self._area("c-band", LOWER, UPPER), self._area("c-reach", LEAST, MOST)
        return f"{behind}{band}{self._expected()}{reach}{self.value_path()}{above}"

    def _shows(self, mark: Mark) -> bool:
        return mark.started <= self.until and (mark.ended is None or mark.ended >= self.since)

    def value_path(self) -> str:
        """Draw the value; a datapoint between two gaps is a dot."""
        runs = self.runs(VALUE)
        dots = "".join(
            f'<circle class="c-dot" cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="1.6"/>'
            for run in runs
            if len(run) == 1
        )
        lines = "".join(_path(run) for run in runs if len(run) > 1)
        return (f'<path class="c-value" d="{lines}"/>' if lines else "") + dots

    def _expected(self) -> str:
        lines = "".join(_path(run) for run in self.runs(EXPECTED) if len(run) > 1)
        return f'<path class="c-expected" d="{lines}"/>' if lines else ""

    def _area(self, name: str, low: int, high: int) -> str:
        """Fill what is between two columns: the band, or what a bucket's datapoints reached."""
        uppers, lowers = self.runs(high), self.runs(low)
        areas = "".join(
            _path(upper + lower[::-1]) + "Z"
            for upper, lower in zip(uppers, lowers, strict=False)
            if len(upper) > 1
        )
        return f'<path class="{name}" d="{areas}"/>' if areas else ""

    def _stretch(self, mark: Mark) -> tuple[str, str]:
        """Return what is behind and what is above the curve where an anomaly was."""
        left = self.x(mark.started)
        right = max(self.x(self.until if mark.ended is None else mark.ended), left + 2)
        top, height = self.box.top, self.box.height
        area = (
            f'<rect class="c-odd" x="{left:.1f}" y="{top:.1f}" '
            f'width="{right - left:.1f}" height="{height:.1f}"/>'
        )
        x = self.x(mark.peak)
        y = self.y(self._shown(mark))
        triangle = (
            f'<path class="c-mark" d="M{x - 4:.1f} {top - 8:.1f}h8l-4 6z"/>'
            f'<circle class="c-ring" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
        )
        return area, triangle

    def _shown(self, mark: Mark) -> float:
        """Return the value where the chart has the peak.

        An anomaly of a counter has the value of its rate, a chart of its datapoints their totals.
        """
        for row in self.rows:
            reached = [float(row[at]) for at in (VALUE, LEAST, MOST) if row[at] is not None]
            if row[0] == mark.peak and reached:
                return min(max(mark.value, min(reached)), max(reached))
        return mark.value

    def spans(self, spans: Iterable[Span]) -> str:
        """Draw what was expected: shaded, with dashed edges; its title is where a pointer rests."""
        top, height = self.box.top, self.box.height
        parts = []
        for one in spans:
            left, right = self.x(one.started), self.x(one.ended)
            parts.append(
                f"<g><title>expected: {escape(one.title)}</title>"
                f'<rect class="c-span" x="{left:.1f}" y="{top:.1f}" '
                f'width="{max(right - left, 1):.1f}" height="{height:.1f}"/>'
                f'<path class="c-edge" d="M{left:.1f} {top:.1f}v{height:.1f}'
                f'M{max(right, left + 1):.1f} {top:.1f}v{height:.1f}"/></g>'
            )
        return "".join(parts)

    def axes(self, offset: int) -> str:
        """Draw the grid with its numbers and times."""
        box, width = self.box, self.high - self.low
        parts = []
        for step in range(5):
            value = self.low + (self.high - self.low) * step / 4
            y = self.y(value)
            parts.append(
                f'<path class="c-grid" d="M{box.left} {y:.1f}h{box.width}"/>'
                f'<text x="{box.left - 8}" y="{y + 4:.1f}" text-anchor="end">'
                f"{escape(number(rounded(value, width), width))}</text>"
            )
        form = "%H:%M" if self.until - self.since <= 2 * DAY_S else "%m-%d"
        for at in (self.since + (self.until - self.since) * step / 4 for step in range(5)):
            text = escape(clock(int(at), offset, form))
            parts.append(
                f'<text x="{self.x(at):.1f}" y="{box.top + box.height + 20:.1f}" '
                f'text-anchor="middle">{text}</text>'
            )
        return "".join(parts)


def _path(points: Sequence[Point]) -> str:
    """Return SVG path commands.

    >>> _path([(0, 1), (2.25, 3)])
    'M0.0 1.0L2.2 3.0'
    """
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
