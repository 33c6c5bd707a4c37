"""Bands as bytes: what comes back, how exactly, and in how many bytes."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fluxd.core.band_codec import EXACT, HEADER, LARGEST, decode, encode
from fluxd.core.bands import Band, join
from fluxd.core.detect import THRESHOLD, Bank

scores = st.one_of(
    st.floats(0, 1),
    st.sampled_from([THRESHOLD, np.nextafter(THRESHOLD, 0), 0.3099, 0.3101, math.nan]),
)
anything = st.floats(width=64)
usual = st.floats(-1e9, 1e9)
sides = st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, 1e-12, 1.0, 64.0, 31.5, 32.5]))


@st.composite
def timestamps(draw: st.DrawFn) -> np.ndarray:
    gaps = draw(
        st.one_of(
            st.lists(st.sampled_from([60, 60, 60, 120, 61]), max_size=30),
            st.lists(st.integers(1, 2**33), max_size=5),
            st.integers(0, 300).map(lambda n: [60] * n),
        )
    )
    first = draw(st.integers(0, 2**33))
    return np.cumsum([first, *gaps])


@st.composite
def any_bands(draw: st.DrawFn) -> Band:
    """Whatever numbers there are."""
    times = draw(timestamps())
    rows = st.lists(anything, min_size=len(times), max_size=len(times)).map(np.array)
    score = draw(st.lists(scores, min_size=len(times), max_size=len(times)).map(np.array))
    return Band(times, draw(rows), draw(rows), draw(rows), score)


@st.composite
def usual_bands(draw: st.DrawFn, *, symmetric: bool | None = None) -> Band:
    """Finite numbers, lower <= expected <= upper."""
    times = draw(timestamps())
    count = len(times)
    level, scale = draw(usual), draw(st.sampled_from([1e-9, 1.0, 1e6]))
    expected = level + scale * np.array(
        draw(st.lists(st.floats(-1, 1), min_size=count, max_size=count))
    )
    below = scale * np.array(draw(st.lists(sides, min_size=count, max_size=count)))
    above = below
    if not (draw(st.booleans()) if symmetric is None else symmetric):
        above = scale * np.array(draw(st.lists(sides, min_size=count, max_size=count)))
    score = draw(st.lists(scores, min_size=count, max_size=count).map(np.array))
    return Band(times, expected, expected - below, expected + above, score)


def coded(band: Band) -> Band:
    return decode(
        encode(band), int(band.timestamps[0]), int(band.timestamps[-1]), len(band.timestamps)
    )


def assert_same(one: Band, other: Band) -> None:
    for name in ("timestamps", "expected", "lower", "upper", "score"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def check_scores(band: Band, back: Band) -> None:
    np.testing.assert_array_equal(np.isnan(back.score), np.isnan(band.score))
    np.testing.assert_array_equal(back.score >= THRESHOLD, band.score >= THRESHOLD)
    np.testing.assert_allclose(back.score, band.score, atol=0.005)


@settings(deadline=None)  # machines are shared: time says nothing here
@given(any_bands())
def test_whatever_it_was_it_comes_back_in_time_and_kind(band: Band) -> None:
    back = coded(band)
    np.testing.assert_array_equal(back.timestamps, band.timestamps)
    check_scores(band, back)
    limits = np.stack([band.expected, band.lower, band.upper])
    if not (np.abs(limits) < LARGEST).all():
        assert_same(Band(band.timestamps, *limits, back.score), back)


@given(usual_bands())
def test_errors_are_small_beside_the_narrowest_width(band: Band) -> None:
    back = coded(band)
    np.testing.assert_array_equal(back.timestamps, band.timestamps)
    check_scores(band, back)
    width = (band.expected - band.lower) + (band.upper - band.expected)
    narrowest = np.min(width, initial=np.inf, where=width > 0)
    if math.isinf(narrowest):
        assert_same(band, Band(back.timestamps, back.expected, back.lower, back.upper, band.score))
        return
    rounding = 4 * np.spacing(np.abs([band.lower, band.upper]).max())  # of the numbers themselves
    assert np.abs(back.expected - band.expected).max() <= narrowest / 64 + rounding
    assert np.abs(back.lower - band.lower).max() <= narrowest / 32 + rounding
    assert np.abs(back.upper - band.upper).max() <= narrowest / 32 + rounding
    assert (back.lower <= back.expected).all()
    assert (back.expected <= back.upper).all()


@given(st.lists(usual_bands(), min_size=1, max_size=4))
def test_nothing_more_is_lost_by_joining_what_was_decoded(parts: list[Band]) -> None:
    decoded, first = [], 0
    for part in parts:
        times = part.timestamps - part.timestamps[0] + first
        first = int(times[-1]) + 60
        if not encode(part)[0] & EXACT:
            decoded.append(replace(coded(part), timestamps=times))
    joined = join(decoded)
    if decoded and not encode(joined)[0] & EXACT:
        assert_same(joined, coded(joined))


@example([0.0])
@given(st.lists(st.floats(-1e-300, 1e-300), min_size=1, max_size=5))
def test_the_smallest_numbers_come_back(values: list[float]) -> None:
    numbers = np.array(values)
    band = Band(60 * np.arange(len(values)), numbers, numbers - 5e-324, numbers + 5e-324, numbers)
    back = coded(band)
    np.testing.assert_allclose(back.expected, numbers, rtol=1e-15, atol=5e-324)


def test_a_constant_series_takes_next_to_nothing() -> None:
    times, flat = 60 * np.arange(1440), np.full(1440, 5.0)
    for half in (0.0, 1e-9, 1.0):
        assert len(encode(Band(times, flat, flat - half, flat + half, flat * 0))) < 150


def test_a_learnt_day_takes_less_than_a_byte_and_a_half_a_datapoint() -> None:
    rng = np.random.default_rng(1)
    times = 60 * np.arange(1, 4321)
    values = 100 + 30 * np.sin(times / 86400 * 2 * np.pi) + rng.normal(0, 3, 4320)
    bank = Bank()
    bank.grow(1)
    verdicts = bank.advance(np.zeros(4320, np.int64), times, values)
    day = slice(2880, 4320)
    band = Band(
        times[day],
        verdicts.expected[day],
        verdicts.lower[day],
        verdicts.upper[day],
        verdicts.score[day],
    )
    assert len(encode(band)) < 1.5 * 1440
    hour = band.pick(slice(0, 60))
    assert len(encode(hour)) < 3 * 60
    assert_same(coded(band).pick(slice(0, 60)).latest(), coded(band.pick(slice(0, 60))).latest())


def damaged(body: bytes) -> list[bytes]:
    flags, sizes, exponent, start = HEADER.unpack_from(body)
    return [
        b"",
        body[: HEADER.size],
        body[:-2],
        body[: HEADER.size] + b"\xff" * 20,
        HEADER.pack(flags ^ 1, sizes, exponent, start) + body[HEADER.size :],
        HEADER.pack(flags ^ 2, sizes, exponent, start) + body[HEADER.size :],
        HEADER.pack(flags, sizes ^ 255, exponent, start) + body[HEADER.size :],
    ]


@pytest.mark.parametrize("gap", [60, 61])
def test_damage_is_told(gap: int) -> None:
    times = np.array([0, 60, 60 + gap])
    numbers = np.array([1.0, 2.0, 3.0])
    body = encode(Band(times, numbers, numbers - 1, numbers + 1, numbers))
    last = int(times[-1])
    for broken in damaged(body):
        with pytest.raises(ValueError, match=r"."):
            decode(broken, 0, last, 3)
    for count in (-1, 0, 1, 2, 4):
        with pytest.raises(ValueError, match=r"."):
            decode(body, 0, last, count)
    with pytest.raises(ValueError, match="timestamps"):
        decode(body, 0, last + 1, 3)
