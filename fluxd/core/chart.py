"""The evidence of an anomaly as lines of text: a table with a chart beside it."""

import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from fluxd.core.excerpt import NAMES
from fluxd.core.wording import DAY_S, LAST_TIME, number

Column: TypeAlias = Sequence[float | None]
Row: TypeAlias = Sequence[float | None]
"""Timestamp, value, expected, lower, upper, score."""

CHART_COLUMNS = 36
BEFORE_LINES, OWN_LINES = 10, 30
USUAL, ODD, EXPECTED, BAND = "o", "*", "|", "-"

_ROW = "{:<14}  {:>12}  {:>12}  {:>12}  {:>12}  {:>5}  {}"
_HEADINGS = ("TIME", "VALUE", "EXPECTED", "LOWER", "UPPER", "SCORE", "")


def chart_lines(
    datapoints: Mapping[str, Column],
    *,
    started: int,
    ended: int | None,
    peak: Row | None = None,
    offset: int = 0,
) -> list[str]:
    """Return a heading and a line for each datapoint, those before and long anomalies thinned out.

    `datapoints` are columns as `Excerpt` has them, `offset` is local time less UTC (s). `peak` is
    the row of the peak, which is among them always. The last line says how many are left out.
    """
    rows: list[Any] = list(zip(*(datapoints.get(name, ()) for name in NAMES), strict=True))
    if rows and peak is not None and all(row[0] != peak[0] for row in rows):
        rows = sorted([*rows, peak], key=lambda row: row[0])
    first = next((at for at, row in enumerate(rows) if row[0] >= started), len(rows))
    own, spacing = len(rows) - first, _spacing(rows)
    rows = rows[max(0, first - BEFORE_LINES) : first] + _thin(rows[first:], peak)
    if not rows:
        return []
    # A band that an anomaly has widened would press all else together.
    usual = [row for row in rows if row[0] <= started] or rows
    known = [row[1] for row in rows] + [limit for row in usual for limit in row[3:5]]
    known = [one for one in known if one is not None]
    scale = _Scale(min(known, default=0.0), max(known, default=0.0))
    width = min((row[4] - row[3] for row in usual if None not in row[3:5]), default=math.nan)
    last = rows[-1][0] if ended is None else ended
    lines = [_ROW.format(*_HEADINGS).rstrip()]
    for row in rows:
        shown = ["" if one is None else number(one, width) for one in row[1:5]]
        score = "" if row[5] is None else f"{row[5]:.2f}"
        chart = scale.draw(row, odd=started <= row[0] <= last)
        at = clock(int(row[0]), offset, "%m-%d %H:%M:%S")
        lines.append(_ROW.format(at, *shown, score, chart).rstrip())
    if own > OWN_LINES or _spacing(rows[-own:]) > spacing > 0:
        lines.append("Of so long an anomaly the oddest datapoints are shown, and its peak.")
    return lines


def _spacing(rows: list[Any]) -> float:
    """Return the least time between two rows (s), 0 of fewer."""
    return min((later[0] - one[0] for one, later in itertools.pairwise(rows)), default=0)


def _thin(rows: list[Any], peak: Row | None) -> list[Any]:
    """Return at most OWN_LINES rows: of each group the oddest, or the peak."""
    size = -(-len(rows) // OWN_LINES) if rows else 1
    groups = (rows[at : at + size] for at in range(0, len(rows), size))
    at = None if peak is None else peak[0]
    return [max(group, key=lambda row: (row[0] == at, row[5] or 0.0)) for group in groups]


class _Scale:
    """Where a number stands on a line of CHART_COLUMNS characters."""

    def __init__(self, low: float, high: float) -> None:
        self._low = low
        self._per = (CHART_COLUMNS - 1) / (high - low) if high > low else 0.0

    def draw(self, row: Sequence[float | None], *, odd: bool) -> str:
        """Draw one datapoint: the band, what was expected, and above all what came."""
        _, value, expected, lower, upper, _ = row
        line = [" "] * CHART_COLUMNS
        if lower is not None and upper is not None:
            for at in range(self._at(lower), self._at(upper) + 1):
                line[at] = BAND
        if expected is not None:
            line[self._at(expected)] = EXPECTED
        if value is not None:
            line[self._at(value)] = ODD if odd else USUAL
        return "".join(line).rstrip()

    def _at(self, value: float) -> int:
        return min(max(round((value - self._low) * self._per), 0), CHART_COLUMNS - 1)


def clock(timestamp: int, offset: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    """Write a local time."""
    if not DAY_S <= timestamp <= LAST_TIME - DAY_S:
        return str(timestamp)
    return (datetime.fromtimestamp(timestamp, UTC) + timedelta(seconds=offset)).strftime(form)
