"""The chart of an incident's leading metric as PNG, for mails.

Mail programs show no SVG. Pillow draws it: it is imported when the first chart is drawn, so that
neither a start nor a daemon without mails pays for it (0.1 s, 20 MB). Shapes are drawn with twice
the pixels and scaled down, since Pillow's lines have hard edges; text is drawn at its own size in
the font that Pillow brings along, so the chart looks alike on every machine.
"""

import io
import itertools
from typing import TYPE_CHECKING

from fluxd.core.chart import clock
from fluxd.core.message import Picture
from fluxd.core.plot import EXPECTED, LOWER, UPPER, VALUE, Box, Plot, Point, rounded, ticks
from fluxd.core.wording import DAY_S, HOUR_S, MINUTE_S, number

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

WIDTH, HEIGHT = 1_280, 480  # pixels; shown at half of it
FINER = 2  # pixels of the drawing for one of the picture, each way
COLOURS = 96  # of the palette: a third of the bytes, and no difference to see

GROUND, INK, INK_2, LINE = "#ffffff", "#18211f", "#53605d", "#e3e8e6"
ACCENT, BAND, DASH = "#17636c", (23, 99, 108, 38), (23, 99, 108, 130)
ODD, ODD_SOFT = "#b23a0e", "#fdebe3"

TITLE_PX, LABEL_PX = 30, 22
TOP, RIGHT, BOTTOM = 76, 28, 52
LEAST_LEFT, LABEL_GAP = 60, 14
LEGEND_Y, LEGEND_VALUE, LEGEND_BAND, SWATCH = 40, 275, 150, 36  # from the right edge
MOST_VALUES, MOST_TIMES = 5, 7

AIR = 0.07  # of the height
LEAST_HEIGHT = 0.01  # of the numbers' size: less would make much of nothing

_STEPS = (
    *(one * MINUTE_S for one in (1, 2, 5, 10, 15, 30)),
    *(one * HOUR_S for one in (1, 2, 3, 6, 12)),
    *(one * DAY_S for one in (1, 2, 7, 14, 30, 90, 365)),
)

# What the font lacks, in letters that it has.
_LETTERS = str.maketrans({"–": "-", "—": "-", "−": "-", "×": "x", "µ": "u", "·": "-"})


def png(picture: Picture, offset: int) -> bytes:
    """Return the chart, times by a clock `offset` s ahead of UTC; b"" without datapoints."""
    if not picture.timestamps:
        return b""
    from PIL import Image, ImageDraw  # noqa: PLC0415  # see the head

    image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), GROUND)
    plot = _plot(picture)
    _Shapes(plot, ImageDraw.Draw(image, "RGBA")).draw(picture, offset)
    image = image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    _Labels(plot, ImageDraw.Draw(image)).draw(picture, offset)
    return _packed(image)


def _packed(image: "Image.Image") -> bytes:
    from PIL import Image  # noqa: PLC0415  # see the head

    file = io.BytesIO()
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _plot(picture: Picture) -> Plot:
    columns = {
        name: getattr(picture, name)
        for name in ("timestamps", "values", "expected", "lower", "upper")
    }
    # What has stopped has no datapoints where it is odd.
    until = max(picture.timestamps[-1], picture.started, picture.ended or 0)
    since = min(picture.timestamps[0], picture.started)
    flat = _aired(Plot(columns, Box(0, 0, 1, 1)))
    longest = max(len(_value(flat, at)) for at in _values(flat))
    left = max(LEAST_LEFT, longest * LABEL_PX * 0.56 + 2 * LABEL_GAP)
    box = Box(left, TOP, WIDTH - left - RIGHT, HEIGHT - TOP - BOTTOM)
    return _aired(Plot(columns, box, since, until))


def _aired(plot: Plot) -> Plot:
    """Leave room above and below what is drawn, for a ring and for lines that hardly move."""
    middle = (plot.high + plot.low) / 2
    room = max(AIR * (plot.high - plot.low), abs(middle) * LEAST_HEIGHT - (plot.high - plot.low))
    below = 0.0 if 0.0 <= plot.low < room else plot.low - room  # nothing is below zero, so far
    plot.low, plot.high = below, plot.high + room
    return plot


class _Shapes:
    """What is drawn finer."""

    def __init__(self, plot: Plot, pen: "ImageDraw.ImageDraw") -> None:
        self._plot = plot
        self._pen = pen

    def draw(self, picture: Picture, offset: int) -> None:
        """Draw the grid, the anomaly's time, the band, what was expected, and what came."""
        box = self._plot.box
        left, right = box.left, box.left + box.width
        self._stretch(picture)
        for value in _values(self._plot):
            y = self._plot.y(value)
            self._line([(left, y), (right, y)], LINE, 1.5)
        for at in _times(self._plot, offset):
            x, bottom = self._plot.x(at), box.top + box.height
            self._line([(x, bottom), (x, bottom + 6)], INK_2, 1.5)
        for lower, upper in zip(self._plot.runs(LOWER), self._plot.runs(UPPER), strict=False):
            if len(upper) > 1:
                self._pen.polygon([_fine(one) for one in upper + lower[::-1]], fill=BAND)
        for run in self._plot.runs(EXPECTED):
            self._dashes(run)
        for run in self._plot.runs(VALUE):
            if len(run) > 1:
                self._line(run, ACCENT, 3.2)
            else:
                self._dot(run[0], 3.0, ACCENT)
        self._odd(picture)
        self._legend(right)

    def _stretch(self, picture: Picture) -> None:
        """Shade when it was odd, and mark its beginning."""
        box = self._plot.box
        left = self._plot.x(picture.started)
        ended = self._plot.until if picture.ended is None else picture.ended
        right = max(self._plot.x(ended), left + 4)
        corners = [_fine((left, box.top)), _fine((right, box.top + box.height))]
        self._pen.rectangle(corners, fill=ODD_SOFT)
        self._line([(left, box.top), (left, box.top + box.height)], (178, 58, 14, 90), 1.5)

    def _odd(self, picture: Picture) -> None:
        """Draw what came meanwhile in another colour, with a ring about the farthest of it."""
        ended = self._plot.until if picture.ended is None else picture.ended
        for run in self._plot.runs(VALUE):
            left, right = self._plot.x(picture.started), self._plot.x(ended)
            inside = [point for point in run if left <= point[0] <= right]
            if len(inside) > 1:
                self._line(inside, ODD, 4.0)
        peak = _peak(self._plot, picture.started, ended)
        if peak is not None:
            self._dot(peak, 9.0, GROUND)
            self._dot(peak, 9.0, ODD, hole=5.5)

    def _legend(self, right: float) -> None:
        """Show what the line and the band are, beside the labels that name them."""
        value, band = right - LEGEND_VALUE, right - LEGEND_BAND
        self._line([(value, LEGEND_Y), (value + SWATCH, LEGEND_Y)], ACCENT, 3.2)
        corners = [_fine((band, LEGEND_Y - 10)), _fine((band + SWATCH, LEGEND_Y + 10))]
        self._pen.rectangle(corners, fill=BAND)
        self._dashes([(band, LEGEND_Y), (band + SWATCH, LEGEND_Y)])

    def _line(self, points: list[Point], colour: str | tuple[int, ...], width: float) -> None:
        self._pen.line([_fine(one) for one in points], colour, round(width * FINER), joint="curve")

    def _dot(self, at: Point, radius: float, colour: str, hole: float = 0.0) -> None:
        x, y = _fine(at)
        reach = radius * FINER
        if hole:
            width = round((radius - hole) * FINER)
            self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), None, colour, width)
        else:
            self._pen.ellipse((x - reach, y - reach, x + reach, y + reach), colour)

    def _dashes(self, run: list[Point], dash: float = 9.0, gap: float = 7.0) -> None:
        """Draw a dashed line: Pillow has none."""
        left, drawing = dash, True
        for (x, y), (to_x, to_y) in itertools.pairwise(run):
            length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
            done = 0.0
            while done < length:
                step = min(left, length - done)
                if drawing:
                    ends = [
                        (x + (to_x - x) * at / length, y + (to_y - y) * at / length)
                        for at in (done, done + step)
                    ]
                    self._line(ends, DASH, 2.0)
                done += step
                left -= step
                if left <= 0.0:
                    drawing = not drawing
                    left = dash if drawing else gap


class _Labels:
    """What is written."""

    def __init__(self, plot: Plot, pen: "ImageDraw.ImageDraw") -> None:
        from PIL import ImageFont  # noqa: PLC0415  # see the head

        self._plot = plot
        self._pen = pen
        self._title = ImageFont.load_default(TITLE_PX)
        self._label = ImageFont.load_default(LABEL_PX)

    def draw(self, picture: Picture, offset: int) -> None:
        """Write title, axes and legend."""
        box = self._plot.box
        right, bottom = box.left + box.width, box.top + box.height
        for x, text in ((LEGEND_VALUE, "value"), (LEGEND_BAND, "expected")):
            self._pen.text((right - x + SWATCH + 10, LEGEND_Y), text, INK_2, self._label, "lm")
        self._pen.text(
            (LABEL_GAP + 6, LEGEND_Y - 1),
            self._fitted(picture.title, right - LEGEND_VALUE - 50),
            INK,
            self._title,
            "lm",
        )
        for value in _values(self._plot):
            at = (box.left - LABEL_GAP, self._plot.y(value))
            self._pen.text(at, _value(self._plot, value), INK_2, self._label, "rm")
        form = _form(self._plot)
        for time in _times(self._plot, offset):
            text = clock(int(time), offset, form)
            half = self._label.getlength(text) / 2
            middle = min(max(self._plot.x(time), half + 4), WIDTH - half - 4)
            self._pen.text((middle, bottom + 16), text, INK_2, self._label, "ma")

    def _fitted(self, title: str, width: float) -> str:
        """Return a title that fits: of names the end says more than the beginning."""
        text = title.translate(_LETTERS).encode("ascii", "replace").decode()
        if self._title.getlength(text) <= width:
            return text
        while text and self._title.getlength(f"…{text}") > width:
            text = text[1:]
        return f"…{text}"


def _fine(point: Point) -> Point:
    return point[0] * FINER, point[1] * FINER


def _values(plot: Plot) -> list[float]:
    return ticks(plot.low, plot.high, MOST_VALUES)


def _value(plot: Plot, value: float) -> str:
    width = plot.high - plot.low
    return number(rounded(value, width), width)


def _times(plot: Plot, offset: int) -> list[float]:
    """Return round times by the local clock."""
    width = plot.until - plot.since
    years = _STEPS[-1] * (1 + width // (MOST_TIMES * _STEPS[-1]))
    step = next((one for one in _STEPS if width / one < MOST_TIMES), years)
    first = -(-(plot.since + offset) // step) * step - offset
    return [first + at * step for at in range(int((plot.until - first) // step) + 1)]


def _form(plot: Plot) -> str:
    return (
        "%H:%M"
        if plot.until - plot.since <= 1.5 * DAY_S
        else "%m-%d %H:%M"
        if (plot.until - plot.since <= 4 * DAY_S)
        else "%m-%d"
    )


def _peak(plot: Plot, started: float, ended: float) -> Point | None:
    """Place the datapoint of the anomaly that is farthest from what was expected."""
    odd = [row for row in plot.rows if started <= row[0] <= ended and row[VALUE] is not None]
    told = [row for row in odd if row[EXPECTED] is not None]
    if not told:
        return None
    row = max(told, key=lambda one: abs(one[VALUE] - one[EXPECTED]))
    return plot.x(row[0]), plot.y(row[VALUE])
