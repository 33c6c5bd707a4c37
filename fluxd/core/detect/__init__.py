"""The streaming detector; see `bank` for how it works and `layout` for what it remembers."""

from fluxd.core.detect.bank import Bank
from fluxd.core.detect.layout import THRESHOLD, VERSION, WARMUP
from fluxd.core.detect.localtime import UTC, LocalTime
from fluxd.core.detect.meaning import days_between, rows_between
from fluxd.core.detect.scoring import score_many, score_series
from fluxd.core.detect.verdicts import Cause, Remark, Traits, Verdicts

__all__ = [
    "THRESHOLD",
    "UTC",
    "VERSION",
    "WARMUP",
    "Bank",
    "Cause",
    "LocalTime",
    "Remark",
    "Traits",
    "Verdicts",
    "days_between",
    "rows_between",
    "score_many",
    "score_series",
]
