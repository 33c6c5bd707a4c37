"""Blocks: a series' sealed datapoints as compressed JSON, readable in plain SQL.

A body is zlib over a JSON array of values, null for a gap, or, where the spacing is irregular, over
an object from offset to value. Key k of either belongs to the second start + step * k. Compression
at level 9 gains a thousandth over 6 and takes twice as long.
"""

import zlib
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Compressed, a null costs a tenth of what the offset of a value costs.
GAPS_PER_VALUE = 4

LEVEL = 6

# Whole numbers up to here are written without ".0": they come back as the same doubles.
WHOLE_BELOW = 1e15

_encode = msgspec.json.Encoder().encode
_decode_array = msgspec.json.Decoder(list[float]).decode
_decode_gaps = msgspec.json.Decoder(list[float | None]).decode
_decode_object = msgspec.json.Decoder(dict[int, float]).decode

NOTHING: tuple[Ints, Floats] = (np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True, slots=True)
class Body:
    """A block's content as stored; `size` is that of the JSON in bytes."""

    start: int
    step: int
    count: int
    size: int
    body: bytes


def encode(timestamps: Ints, values: Floats) -> Body:
    """Return datapoints as a block's content; `timestamps` (s, at least one) ascend strictly."""
    count = len(timestamps)
    start = int(timestamps[0])
    offsets = timestamps - start
    step = int(np.gcd.reduce(offsets)) or 1
    slots = int(offsets[-1]) // step + 1
    numbers = _numbers(values)
    if slots == count:
        text = _encode(numbers)
    elif slots <= GAPS_PER_VALUE * count:
        array: list[float | None] = [None] * slots
        for at, number in zip((offsets // step).tolist(), numbers, strict=True):
            array[at] = number
        text = _encode(array)
    else:
        step = 1
        text = _encode(dict(zip(offsets.tolist(), numbers, strict=True)))
    return Body(start, step, count, len(text), compress(text))


def compress(text: bytes) -> bytes:
    """Return what sqlar_uncompress turns into `text`: what does not get shorter stays as it is."""
    packed = zlib.compress(text, LEVEL)
    return packed if len(packed) < len(text) else text


def decompress(body: bytes) -> bytes:
    """Return the JSON in a body. Raises ValueError for a damaged one."""
    if body[:1] in (b"[", b"{"):
        return body
    try:
        return zlib.decompress(body)
    except zlib.error as error:
        raise ValueError(f"a damaged block: {error}") from error


def _numbers(values: Floats) -> list[float]:
    whole = (values == np.trunc(values)) & (np.abs(values) < WHOLE_BELOW)
    if whole.all():
        return list(values.astype(np.int64).tolist())
    if not whole.any():
        return list(values.tolist())
    return [
        int(value) if is_whole else value
        for value, is_whole in zip(values.tolist(), whole, strict=True)
    ]


def decode(start: int, step: int, body: bytes) -> tuple[Ints, Floats]:
    """Return timestamps (s, ascending) and values of a block.

    Raises ValueError for a body that is none.
    """
    text = decompress(body)
    try:
        if text[:1] == b"[":
            if b"null" not in text:
                numbers = _decode_array(text)
                values = np.fromiter(numbers, np.float64, len(numbers))
                return start + step * np.arange(len(values), dtype=np.int64), values
            values = np.array(_decode_gaps(text), np.float64)  # None becomes NaN
            slots = np.flatnonzero(~np.isnan(values))
            return start + step * slots, values[slots]
        found = _decode_object(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"a damaged block: {error}") from error
    offsets = np.fromiter(found.keys(), np.int64, len(found))
    return start + step * offsets, np.fromiter(found.values(), np.float64, len(found))


def overlay(*parts: tuple[Ints, Floats]) -> tuple[Ints, Floats]:
    """Return all datapoints, ascending; of the same second the one in the last part stands."""
    filled = [part for part in parts if len(part[0])]
    if not filled:
        return NOTHING
    if len(filled) == 1:
        return filled[0]
    timestamps = np.concatenate([part[0] for part in filled])
    values = np.concatenate([part[1] for part in filled])
    if (timestamps[1:] > timestamps[:-1]).all():
        return timestamps, values
    order = np.argsort(timestamps, kind="stable")
    timestamps, values = timestamps[order], values[order]
    last = np.append(timestamps[1:] != timestamps[:-1], True)
    return timestamps[last], values[last]
