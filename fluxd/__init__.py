"""fluxd: anomaly detection on your own metrics, on your own machine."""

__version__ = "0.1.0"
