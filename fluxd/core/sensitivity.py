"""How much is told: the score from which a datapoint is anomalous."""

from collections.abc import Mapping
from types import MappingProxyType

from fluxd.core.detect import THRESHOLD

THRESHOLDS: Mapping[str, float] = MappingProxyType({"low": 0.40, "normal": THRESHOLD, "high": 0.25})
"""By the operator's word for it. What is far off is told with each of them."""
