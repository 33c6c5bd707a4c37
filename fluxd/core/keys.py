"""What a key allows its holder."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["ingest", "read"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret.

    `quota` is the number of distinct metrics that it may create (None: no limit); `prefix` is the
    namespace that every name of its metrics begins with (None: none).
    """

    id: int
    name: str
    prefix: str | None = None
    quota: int | None = None
    scope: Scope = "ingest"
