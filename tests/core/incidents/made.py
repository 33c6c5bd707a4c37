"""Members of incidents as tests make them."""

from typing import Any

from fluxd.core.incidents.members import Member

NOW = 1_793_714_700  # 14:05 UTC on 2026-11-03


def member(number: int, metric: str, **other: Any) -> Member:
    usual: dict[str, Any] = {
        "started": NOW,
        "ended": None,
        "score": 0.4,
        "kind": "spike",
        "direction": "up",
        "minor": False,
    }
    return Member(number, number, metric, **(usual | other))
