"""Whole series at once, through the same code that the daemon runs row by row."""

from collections.abc import Sequence

import numpy as np

from fluxd.core.detect.bank import Bank
from fluxd.core.detect.layout import Floats, Ints

CHUNK_ROWS = 200_000  # given to the bank at once


def score_many(pairs: Sequence[tuple[Ints, Floats]]) -> list[Floats]:
    """Score series side by side, round r taking the r-th row of each.

    A series is (timestamps: int64 seconds, values: finite float64), both of shape (n,); the answer
    has one array of scores in [0, 1] each. A row that is not later than those before it scores 0.
    """
    bank = Bank()
    bank.grow(len(pairs))
    scores = [np.zeros(len(values)) for _, values in pairs]
    depth = max(1, CHUNK_ROWS // max(len(pairs), 1))
    longest = max((len(values) for _, values in pairs), default=0)
    for start in range(0, longest, depth):
        _score_chunk(bank, pairs, scores, slice(start, start + depth))
    return scores


def _score_chunk(
    bank: Bank, pairs: Sequence[tuple[Ints, Floats]], scores: list[Floats], part: slice
) -> None:
    values = [np.asarray(v[part], np.float64) for _, v in pairs]
    sizes = [len(v) for v in values]
    slots = np.repeat(np.arange(len(pairs)), sizes)
    times = np.concatenate([np.asarray(t[part], np.int64) for t, _ in pairs])
    verdicts = bank.advance(slots, times, np.concatenate(values))
    chunk = np.where(verdicts.analysed, verdicts.score, 0.0)
    for series, found in zip(scores, np.split(chunk, np.cumsum(sizes)[:-1]), strict=True):
        series[part] = found


def score_series(timestamps: Ints, values: Floats) -> Floats:
    """Score one series; see `score_many`.

    >>> times = 60 * np.arange(1, 301)
    >>> values = np.sin(times)
    >>> values[250] = 20.0
    >>> int(score_series(times, values).argmax())
    250
    """
    return score_many([(timestamps, values)])[0]
