"""What background work says of itself: for the health check, the metrics page and the log."""

from dataclasses import dataclass


@dataclass(slots=True)
class JobReport:
    """One job's record; times in Unix seconds, `took_s` of the latest run."""

    name: str
    runs: int = 0
    failures: int = 0
    last_run: float | None = None
    last_error: str | None = None
    took_s: float = 0.0
