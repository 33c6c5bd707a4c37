"""When datapoints come, by fluxd's own clock: a sender's may be wrong, and it may send in batches.

Of each series: when the last datapoint came, and the longest time that usually passes from one to
the next. History (sent with fill, imported) is no arrival.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from fluxd.core.listening import Listening

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

# How fast the longest usual gap is forgotten: a weekend is still known after one in which the
# sender was there by exception.
FADE_S = 20 * 86_400

# A gap that was told as a stop is usual when it comes again: within a day, or at the same hour of
# another one (a machine that is off at night), give or take this much (a change to summer time).
SAME_DAY_S = 86_400
SAME_HOUR_S = 3_600

_ARRAYS = (
    ("arrived", np.int64),  # when the last datapoint came, Unix s; 0: none yet
    ("since", np.int64),  # when the first one came
    ("usual", np.float32),  # longest gap that is usual, s of listening
    ("told", np.bool_),  # its silence was told
    ("told_at", np.int64),  # when the last silence that was told began
    ("told_gap", np.float32),  # how long that was, s
    ("guessed", np.bool_),  # `arrived` is a guess
)
_UNSAVED = (
    ("stale", np.bool_),  # silent for longer than is usual, told or not
    ("look", np.int64),  # from when on a look whether it is stale is worth it, Unix s
)
_HEADER = struct.Struct("<BI")
_VERSION = 1


class Arrivals:
    """Arrays by slot, and the clock that counts only while fluxd listens."""

    def __init__(self) -> None:
        self.listening = Listening()
        self.arrived: Ints = np.zeros(0, np.int64)
        self.since: Ints = np.zeros(0, np.int64)
        self.usual: Singles = np.zeros(0, np.float32)
        self.told: Bools = np.zeros(0, np.bool_)
        self.told_at: Ints = np.zeros(0, np.int64)
        self.told_gap: Singles = np.zeros(0, np.float32)
        self.guessed: Bools = np.zeros(0, np.bool_)
        self.stale: Bools = np.zeros(0, np.bool_)
        self.look: Ints = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return len(self.arrived)

    def grow(self, count: int) -> None:
        """Make slots [0, count) exist."""
        missing = max(count, 2 * len(self)) - len(self) if count > len(self) else 0
        if missing:
            for name, kind in _ARRAYS + _UNSAVED:
                grown = np.concatenate([getattr(self, name), np.zeros(missing, kind)])
                setattr(self, name, grown)

    def note(self, slots: Ints, now: int) -> None:
        """Take in that datapoints came at `now` (s); a slot may be there more than once.

        Its gap counts as usual, unless it was told as a stop that was none before.
        """
        self.grow(int(slots.max(initial=-1)) + 1)
        last, told = self.arrived[slots], self.told[slots]
        fresh = last == 0
        gap = np.where(fresh, 0, np.maximum(self.listening.heard(last, now), 0)).astype(float)
        gap[self.guessed[slots]] = 0.0
        usual = self.usual[slots] * np.exp(gap / -FADE_S)
        if told.any():
            gap[told] = self._repeated(slots[told], last[told], gap[told])
        self.usual[slots] = np.maximum(usual, gap)
        self.since[slots] = np.where(fresh, now, self.since[slots])
        self.told[slots] = self.stale[slots] = self.guessed[slots] = False
        self.look[slots] = 0
        self.arrived[slots] = now

    def _repeated(self, slots: Ints, began: Ints, gaps: Floats) -> Floats:
        """Return how much of gaps that were told is usual by now: as much as there was before."""
        apart = began - self.told_at[slots]
        off = apart % SAME_DAY_S
        daily = np.minimum(off, SAME_DAY_S - off) <= SAME_HOUR_S
        again = (self.told_at[slots] > 0) & (daily | (apart <= SAME_DAY_S))
        usual: Floats = np.where(again, np.minimum(gaps, self.told_gap[slots]), 0.0)
        self.told_at[slots] = began
        self.told_gap[slots] = gaps
        return usual

    def note_unseen(self, slots: Ints, guesses: Ints, now: int) -> None:
        """Take in datapoints that came some time ago, nobody knows exactly when."""
        self.grow(int(slots.max(initial=-1)) + 1)
        came = np.minimum(guesses, now)
        self.guessed[slots[came > self.arrived[slots]]] = True
        np.maximum.at(self.arrived, slots, came)
        self.stale[slots] = False
        self.look[slots] = 0
        self.since[slots] = np.where(self.since[slots] == 0, came, self.since[slots])

    def turn_back(self, now: int) -> None:
        """Have nothing come later than `now`: the clock was set back."""
        np.minimum(self.arrived, now, out=self.arrived)
        np.minimum(self.since, now, out=self.since)
        self.look[:] = 0
        self.listening.turn_back(now)

    def forget(self, slots: Ints) -> None:
        """Make slots as if nothing had come of them."""
        known = slots[slots < len(self)]
        for name, _ in _ARRAYS + _UNSAVED:
            getattr(self, name)[known] = 0

    def dump(self, start: int, stop: int) -> bytes:
        """Return what is known of slots [start, stop)."""
        self.grow(stop)
        parts = [getattr(self, name)[start:stop].tobytes() for name, _ in _ARRAYS]
        return _HEADER.pack(_VERSION, stop - start) + zlib.compress(b"".join(parts), 1)

    def load(self, start: int, body: bytes) -> None:
        """Take back what `dump` returned. Raises ValueError for anything else."""
        if len(body) < _HEADER.size:
            raise ValueError("saved arrivals are too short")
        version, count = _HEADER.unpack_from(body)
        try:
            data = zlib.decompress(body[_HEADER.size :])
        except zlib.error as error:
            raise ValueError(f"saved arrivals are damaged: {error}") from error
        width = sum(np.dtype(kind).itemsize for _, kind in _ARRAYS)
        if version != _VERSION or len(data) != count * width:
            raise ValueError("saved arrivals are of another version")
        self.grow(start + count)
        at = 0
        for name, kind in _ARRAYS:
            getattr(self, name)[start : start + count] = np.frombuffer(data, kind, count, at)
            at += count * np.dtype(kind).itemsize
