"""What happened together: anomalies of many metrics whose beginnings lie close to each other."""

from collections.abc import Iterable

# Agents report once a minute, a detector needs a datapoint or two, clocks differ: one cause shows
# on all its metrics within five minutes.
TOGETHER_S = 300


def together(starts: Iterable[int], window_s: int = TOGETHER_S) -> list[list[int]]:
    """Group times (Unix s): places in `starts`, the earliest first, the latest group first.

    A group is what begins within `window_s` of its first, so that no group grows without end.

    >>> together([1000, 5000, 1200, 1400])
    [[1], [3], [0, 2]]
    """
    groups: list[list[int]] = []
    first = 0
    for started, place in sorted((started, place) for place, started in enumerate(starts)):
        if not groups or started - first > window_s:
            groups.append([])
            first = started
        groups[-1].append(place)
    return groups[::-1]
