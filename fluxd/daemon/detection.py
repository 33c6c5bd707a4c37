"""The settings of `[detection]` as the detector takes them."""

from fluxd.core.errors import ConfigError
from fluxd.core.replay import Settings
from fluxd.core.sensitivity import THRESHOLDS
from fluxd.daemon.config import Config
from fluxd.daemon.timezone import local_time


def settings_of(config: Config) -> Settings:
    """Return what of the configuration has a part in what is found."""
    detection = config.detection
    return Settings(
        threshold=THRESHOLDS[detection.sensitivity],
        budget=detection.budget,
        local=local_time(detection.timezone),
    )


def read_sensitivity(text: str) -> float:
    """Return the threshold that a word or a number asks for. Raises ConfigError."""
    if text in THRESHOLDS:
        return THRESHOLDS[text]
    try:
        threshold = float(text)
    except ValueError:
        threshold = -1.0
    if not 0.0 <= threshold <= 1.0:
        raise ConfigError(
            f"the sensitivity is {text!r}; it must be {', '.join(THRESHOLDS)} or a score (0 to 1)"
        )
    return threshold
