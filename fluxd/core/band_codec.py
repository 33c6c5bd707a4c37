"""One metric's band as bytes: about 1.2 a datapoint of a day, 2 of an hour.

Expected value and sides are whole multiples of a quantum, the power of two that makes the
narrowest band 33 to 64 of them wide: the decoded expected value is off by at most 1/64 of that
width, lower and upper by at most 1/32. The score has steps of 0.005 and stays on its side of the
threshold. So what was decoded is encoded again without a further loss, alone or joined with other
such rows.

Numbers that have no such quantum (infinite, NaN, no width anywhere, ranges beyond 52 bits) are
kept as they are.

A body is a header and a deflated stream of columns: differences from row to row, each column in
the fewest of 1, 2, 4 or 8 bytes and turned, so that its first bytes come first, then its second.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from fluxd.core.bands import Band, Floats, Ints
from fluxd.core.detect import THRESHOLD

# Flags, sizes of the columns (two bits each: log2 of the bytes), exponent of the quantum, first
# expected value.
HEADER = struct.Struct("<BBhq")
EVEN, SYMMETRIC, EXACT = 1, 2, 4  # equal gaps; as far above as below; no quantum

WIDTH_BITS = 6  # the narrowest band is at most 2^6 quanta wide
LEAST_EXPONENT = -1074  # of any double
LARGEST = 1e300  # rounding up stays finite
LARGEST_WHOLE = 2.0**52

SCORE_STEPS = 200
UNKNOWN_SCORE = 255
ANOMALOUS = next(step for step in range(SCORE_STEPS + 1) if step / SCORE_STEPS >= THRESHOLD)

# From so many rows on a column of its own block, with its own code, is smaller than one for all.
BLOCK_ROWS = 256


def encode(band: Band) -> bytes:
    """Return a band as bytes; its timestamps ascend, none is twice, and there is at least one."""
    gaps = band.timestamps[1:] - band.timestamps[:-1]
    flags = 0 if len(gaps) and gaps.min() != gaps.max() else EVEN
    exponent, expected, below, above = _quantised(band)
    if exponent is None:
        exponent, flags = 0, flags | EXACT
    beside = above - below
    if not beside.any():
        flags |= SYMMETRIC
    change = below.copy()
    change[1:] -= below[:-1]
    columns = (
        gaps[:0] if flags & EVEN else gaps,
        expected[1:] - expected[:-1],
        change,
        beside[:0] if flags & SYMMETRIC else beside,
    )
    sizes, parts = 0, []
    for at, column in enumerate(columns):
        log = _log_size(column)
        sizes |= log << 2 * at
        parts.append(_turned(column, 1 << log))
    parts.append(_steps(band.score).tobytes())
    header = HEADER.pack(flags, sizes, exponent, int(expected[0]))
    return header + _deflated(parts, apart=len(band) >= BLOCK_ROWS)


def decode(body: bytes, first: int, last: int, count: int) -> Band:
    """Return the band of `count` rows in [first, last] (s). Raises ValueError for a damaged one."""
    try:
        flags, sizes, exponent, start = HEADER.unpack_from(body)
        packed = memoryview(zlib.decompress(body[HEADER.size :], wbits=-zlib.MAX_WBITS))
        columns, steps = _columns(packed, flags, sizes, count)
    except (struct.error, zlib.error) as error:
        raise ValueError(f"damaged band: {error}") from error
    gaps, rises, change, beside = columns
    if flags & EVEN:
        gaps = np.full(count - 1, (last - first) // max(count - 1, 1))
    times, expected = _summed(first, gaps), _summed(start, rises)
    if times[-1] != last:
        raise ValueError("damaged band: not the timestamps that it should have")
    below = np.cumsum(change)
    above = below if flags & SYMMETRIC else below + beside
    if flags & EXACT:
        limits = [column.view(np.float64) for column in (expected, below, above)]
    else:
        whole = np.array([expected, expected - below, expected + above], np.float64)
        limits = list(np.ldexp(whole, exponent))
    return Band(times, limits[0], limits[1], limits[2], _scores(steps))


def _quantised(band: Band) -> tuple[int | None, Ints, Ints, Ints]:
    """Return the exponent of the quantum, and expected, below and above in it.

    Without a quantum: None, and the bits of expected, lower and upper.
    """
    numbers = np.array([band.expected, band.lower, band.upper])
    with np.errstate(over="ignore", invalid="ignore"):
        usual = (np.abs(numbers) < LARGEST).all()
        bits = numbers.view(np.int64).copy()
        numbers[1] = band.expected - band.lower
        numbers[2] = band.upper - band.expected
        width = numbers[1] + numbers[2]
        narrowest = np.min(width, initial=np.inf, where=width > 0)
        if usual and np.isfinite(narrowest):
            mantissa, exponent = np.frexp(narrowest)
            power_of_two = mantissa == 0.5  # noqa: PLR2004  # so `frexp` has it
            least = max(int(exponent) - int(power_of_two) - WIDTH_BITS, LEAST_EXPONENT)
            numbers = np.rint(np.ldexp(numbers, -least))
            if (np.abs(numbers) < LARGEST_WHOLE).all():
                whole = numbers.astype(np.int64)
                return least, whole[0], whole[1], whole[2]
    return None, bits[0], bits[1], bits[2]


def _steps(score: Floats) -> npt.NDArray[np.uint8]:
    steps: Floats = np.rint(np.minimum(np.maximum(score, 0.0), 1.0) * SCORE_STEPS)
    anomalous = score >= THRESHOLD
    steps = np.where(anomalous, np.maximum(steps, ANOMALOUS), np.minimum(steps, ANOMALOUS - 1))
    steps[np.isnan(steps)] = UNKNOWN_SCORE
    return steps.astype(np.uint8)


def _scores(steps: npt.NDArray[np.uint8]) -> Floats:
    scores = steps / SCORE_STEPS
    scores[steps == UNKNOWN_SCORE] = np.nan
    return scores


def _log_size(column: Ints) -> int:
    """Return log2 of the bytes that every number of a column fits into."""
    low, high = int(column.min(initial=0)), int(column.max(initial=0))
    bits = max(high.bit_length(), (~low).bit_length()) + 1
    return max(0, (bits - 1).bit_length() - 3)


def _turned(column: Ints, size: int) -> bytes:
    return column.astype(f"<i{size}").view(np.uint8).reshape(-1, size).T.tobytes()


def _unturned(planes: memoryview, size: int) -> Ints:
    turned = np.frombuffer(planes, np.uint8).reshape(size, -1).T
    return np.ascontiguousarray(turned).view(f"<i{size}").reshape(-1).astype(np.int64)


def _columns(
    packed: memoryview, flags: int, sizes: int, count: int
) -> tuple[list[Ints], npt.NDArray[np.uint8]]:
    """Return gaps, differences of expected and below, above beside below; and the scores' steps."""
    times = 0 if flags & EVEN else count - 1
    lengths = (times, count - 1, count, 0 if flags & SYMMETRIC else count)
    columns, at = [], 0
    for number, length in enumerate(lengths):
        size = 1 << (sizes >> 2 * number & 3)
        columns.append(_unturned(packed[at : at + size * length], size))
        at += size * length
    if at + count != len(packed):
        raise ValueError(f"damaged band: {len(packed)} bytes instead of {at + count}")
    return columns, np.frombuffer(packed[at:], np.uint8)


def _summed(start: int, differences: Ints) -> Ints:
    """Return the numbers that begin with `start` and have these differences."""
    numbers = np.empty(len(differences) + 1, np.int64)
    numbers[0] = start
    numbers[1:] = differences
    return np.cumsum(numbers)


def _deflated(parts: list[bytes], *, apart: bool) -> bytes:
    """Compress; runs and frequent bytes are all there is to find, so nothing else is looked for."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    packed = []
    for part in parts:
        packed.append(deflate.compress(part))
        if apart:
            packed.append(deflate.flush(zlib.Z_BLOCK))
    packed.append(deflate.flush())
    return b"".join(packed)
