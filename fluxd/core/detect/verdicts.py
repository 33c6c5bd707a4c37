"""What the detector says about rows."""

from dataclasses import dataclass, field

import numpy as np

from fluxd.core.detect.layout import Bools, Floats


@dataclass(slots=True)
class Remark:
    """What the sentence about one remarkable row needs, as known when it was analysed."""

    forecast_rarity: float  # -log10 of the chance of such an error
    novelty_rarity: float  # the same of such a course of the last rows
    interval: float  # s
    datapoints: int  # analysed before it
    since: int  # timestamp of the first of them
    days: list[tuple[int, float, float]]  # day number, lowest, highest; newest first


@dataclass(slots=True)
class Verdicts:
    """One entry per row given: `score` is 0 and the band NaN during the warm-up.

    Rows that were not analysed have NaN throughout. `remarks` has the rows at or over THRESHOLD.
    """

    analysed: Bools
    score: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    remarks: dict[int, Remark] = field(default_factory=dict)

    @classmethod
    def blank(cls, rows: int) -> "Verdicts":
        """Verdicts of rows that were not analysed."""
        nans = np.full((4, rows), np.nan)
        return cls(np.zeros(rows, np.bool_), nans[0], nans[1], nans[2], nans[3])
