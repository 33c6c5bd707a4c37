"""Which metrics are kin: their names share a part that few others have, such as a host."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

_PART = re.compile(r"[^./=:{},\"]+")
_LABEL = re.compile(r"[^./=:{},\"]+=$")

# A part of a name tells something where no more than so many of all metrics have it: a host of
# twenty, a service; what half of them have ("prod", "system") tells nothing. Among few metrics
# every part is frequent, so SEVERAL of them may always share one that stands behind the same parts
# in all their names: a host. What stands behind many ("cpu", of each host) is a kind.
RARE_SHARE = 0.1
SEVERAL = 12

# So many of an incident's metrics must have a part before it stands for the incident.
COMMON_SHARE = 0.2


def parts_of(name: str) -> frozenset[str]:
    """Return what a name consists of, bare numbers (a disk's, a core's) left out.

    >>> sorted(parts_of("prod.web-1.disk.0.await"))
    ['await', 'disk', 'prod', 'web-1']
    """
    return frozenset(part for part, _ in _placed(name))


def _placed(name: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of a name, and what each stands behind: of a label's value the label."""
    for found in _PART.finditer(name):
        part, before = found[0], name[: found.start()]
        if len(part) > 1 and not part.isdigit():
            yield part, _LABEL.findall(before)[-1] if before.endswith("=") else before


class Fleet:
    """How many metrics have each part in their names, and how many each sender (key id) has."""

    def __init__(self) -> None:
        self.metrics = 0
        self._parts: Counter[str] = Counter()
        self._behind: dict[str, str | None] = {}  # what each part stands behind, None: various
        self._senders: Counter[int] = Counter()

    def add(self, metrics: Iterable[tuple[str, int]]) -> None:
        """Count metrics in, by name and sender."""
        for name, sender in metrics:
            self.metrics += 1
            self._parts.update(parts_of(name))
            for part, before in _placed(name):
                if self._behind.setdefault(part, before) != before:
                    self._behind[part] = None
            self._senders[sender] += 1

    @property
    def _few(self) -> float:
        return max(RARE_SHARE * self.metrics, min(SEVERAL, self.metrics / 2))

    def tells(self, part: str) -> bool:
        """Whether few enough metrics have a part in their names."""
        count = self._parts[part]
        if count <= RARE_SHARE * self.metrics:
            return True
        return count <= self._few and self._behind.get(part) is not None

    def tells_sender(self, sender: int) -> bool:
        """Whether few enough metrics come from a sender."""
        return self._senders[sender] <= self._few

    def akin(
        self,
        parts: Iterable[str],
        sender: int,
        common: Mapping[str, int],
        senders: Mapping[int, int],
        size: int,
    ) -> bool:
        """Whether a metric is kin to so many others, of which `common` counts parts of names."""
        least = COMMON_SHARE * size
        if senders.get(sender, 0) > least and self.tells_sender(sender):
            return True
        return any(common.get(part, 0) > least and self.tells(part) for part in parts)
