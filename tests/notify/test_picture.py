"""Charts as PNG: what is in them, and that any numbers can be drawn."""

import dataclasses
import io
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notify.samples import STARTED, picture
from PIL import Image

from fluxd.core.message import Picture
from fluxd.core.plot import ticks
from fluxd.notify.picture import GROUND, HEIGHT, ODD, WIDTH, png

NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True)


def drawn(one: Picture, offset: int = 3_600) -> Image.Image:
    image = Image.open(io.BytesIO(png(one, offset)))
    assert (image.format, image.size) == ("PNG", (WIDTH, HEIGHT))
    return image.convert("RGB")


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def pixels(image: Image.Image, colour: str, near: int = 40) -> list[tuple[int, int]]:
    """Return where a colour is, the palette's roundings allowed for."""
    wanted = rgb(colour)
    found = []
    for x in range(0, WIDTH, 2):
        for y in range(0, HEIGHT, 2):
            seen: Any = image.getpixel((x, y))
            if all(abs(a - b) <= near for a, b in zip(seen, wanted, strict=True)):
                found.append((x, y))
    return found


def test_the_anomaly_stands_out_where_it_was() -> None:
    odd = pixels(drawn(picture()), ODD)
    assert len(odd) > 100
    assert min(x for x, _ in odd) > WIDTH * 0.8  # it began after 9,000 of 10,740 s
    assert min(y for _, y in odd) < HEIGHT * 0.3  # and goes up


def test_an_anomaly_that_is_over_ends_in_the_picture() -> None:
    over = dataclasses.replace(picture(), started=STARTED - 6_000, ended=STARTED - 4_000)
    assert max(x for x, _ in pixels(drawn(over), ODD)) < WIDTH * 0.55


def test_a_chart_is_small_enough_for_a_mail() -> None:
    assert len(png(picture(), 3_600)) < 40_000


def test_the_same_numbers_make_the_same_bytes() -> None:
    assert png(picture(), 0) == png(picture(), 0)
    assert png(picture(), 0) != png(picture(), 7_200)


def test_without_datapoints_there_is_no_picture() -> None:
    assert png(Picture((), (), (), (), (), STARTED, None, "a.b"), 0) == b""


def test_what_has_stopped_is_shown_until_its_end() -> None:
    before = picture(150)
    stopped = dataclasses.replace(before, started=before.timestamps[-1], ended=STARTED + 3_600)
    shown = pixels(drawn(stopped), "#fdebe3", near=6)
    assert max(x for x, _ in shown) > WIDTH - 40


def test_a_long_name_leaves_room_for_the_legend() -> None:
    image = drawn(dataclasses.replace(picture(), title="µ–" + "very.long.name." * 20 + "ü"))
    gap: Any = [image.getpixel((x, 40)) for x in range(940, 970)]
    assert set(gap) == {rgb(GROUND)}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2**40), *[NUMBERS] * 4), min_size=1, max_size=20),
    st.integers(0, 2**40),
    st.none() | st.integers(0, 2**40),
    st.text(max_size=300),
    st.integers(-50_000, 50_000),
)
def test_any_numbers_can_be_drawn(
    rows: list[tuple[Any, ...]], started: int, ended: int | None, title: str, offset: int
) -> None:
    rows = sorted({row[0]: row for row in rows}.values(), key=lambda row: row[0])
    columns = zip(*rows, strict=True)
    drawn(Picture(*columns, started, ended, title), offset)  # type: ignore[arg-type]


@given(st.floats(-1e300, 1e300), st.floats(1e-12, 1e300), st.integers(2, 12))
def test_ticks_are_few_and_within_their_range(low: float, width: float, most: int) -> None:
    high = low + width
    found = ticks(low, high, most)
    assert 1 <= len(found) <= most
    slack = 1e-9 * max(abs(low), abs(high))
    assert all(low - slack <= one <= high + slack for one in found)


@pytest.mark.parametrize("module", ["fluxd.daemon.daemon", "fluxd.notify.kinds"])
def test_neither_pillow_nor_apprise_is_imported_before_it_is_used(module: str) -> None:
    looked = f"import sys, {module}; print([m for m in ('PIL', 'apprise') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", looked], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
