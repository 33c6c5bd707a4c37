"""What a score means: how seldom a quiet metric has one such."""

import numpy as np

from fluxd.core.detect.layout import DAY_S, THRESHOLD

# Measured on quiet metrics, pooled: Gaussian, Laplace, Poisson (5 and 100), autoregressive noise
# and a daily wave, 1,296 metrics of a week each after three days: -log10 of the share of datapoints
# with such a score or more. The step at the threshold is there since what is no anomaly is ordered
# another way.
SCORES = (0.0, 0.12, 0.15, 0.18, 0.20, 0.22, 0.24, 0.26, 0.31, 0.34, 0.36, 0.40, 1.0)
POWERS = (0.0, 1.65, 2.50, 3.31, 3.80, 4.20, 4.52, 4.72, 4.88, 4.96, 5.10, 5.95, 12.0)
USUAL_S = 60.0  # between two datapoints of those metrics
# An anomaly is the more seldom by the datapoint, the more often a metric reports: see `cadence`.
# Measured on the same by 10, 300, 900 and 3,600 s: by .82, .44, .63 and .75 tenfolds a tenfold.
SELDOMER = 0.75


def rows_between(score: float, interval: float | None = None) -> float:
    """Return in how many datapoints of a quiet metric one such score is expected.

    It reports every `interval` seconds; as if once a minute while that is not known.
    """
    anomalies = _share(max(score, THRESHOLD))
    others = _share(score) - anomalies
    more: float = ((interval or USUAL_S) / USUAL_S) ** SELDOMER
    return 1.0 / min(others + anomalies * more, 1.0)


def days_between(score: float, interval: float) -> float:
    """Return the same in days, of a metric that reports every `interval` seconds."""
    return rows_between(score, interval) * interval / DAY_S


def _share(score: float) -> float:
    return float(10.0 ** -np.interp(score, SCORES, POWERS))
