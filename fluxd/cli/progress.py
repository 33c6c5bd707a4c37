"""A progress bar for people who wait: one line on a terminal, nothing where there is none."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

# How often the line is drawn; a terminal over a slow network should not be what is waited for.
REDRAW_S = 0.1

WIDTH = 30


class Progress:
    """A line such as `copying  [=======>      ]  43 %  12 s left`, on standard error.

    Call it with what is done, how much of it and how much in all, in any unit, however often.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._shown = self._stream.isatty()
        self._what = ""
        self._began = 0.0
        self._drawn = 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Draw the line, if it is time to."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._began, self._drawn = what, now, 0.0
        if not self._shown or (now - self._drawn < REDRAW_S and done < total):
            return
        self._drawn = now
        self._stream.write("\r\x1b[K" + line(what, done, total, now - self._began))
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown and self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Lend a bar that is gone afterwards, so that results and errors stand alone."""
    bar = Progress()
    try:
        yield bar
    finally:
        bar.clear()


def line(what: str, done: int, total: int, elapsed_s: float) -> str:
    """Return the line to draw.

    >>> line("copying", 5, 20, 10.0)
    'copying  [=======>                      ]  25 %, 30 s left'
    """
    share = min(done / total, 1.0) if total > 0 else 1.0
    full = int(share * WIDTH)
    bar = ("=" * full + ">" * (full < WIDTH)).ljust(WIDTH)
    left = f", {_duration(elapsed_s * (1 - share) / share)} left" if 0 < share < 1 else ""
    return f"{what}  [{bar}] {share:4.0%}".replace("%", " %") + left


def _duration(seconds: float) -> str:
    """Return a length of time as people say it.

    >>> _duration(42.4), _duration(150), _duration(9_000)
    ('42 s', '2 min 30 s', '2 h 30 min')
    """
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004  # seconds in a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004  # minutes in an hour
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
