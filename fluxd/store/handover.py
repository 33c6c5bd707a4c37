"""What a request or a job hands to the writer thread, and how it waits for the answer."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import apsw

from fluxd.core.errors import UnavailableError
from fluxd.core.keys import Key

T = TypeVar("T")


@dataclass(slots=True)
class NewRow:
    """A datapoint of a metric that was not known when the request was read.

    `position` is its index in the request, `name` the name under which it is to be stored.
    """

    position: int
    name: str
    timestamp: int
    value: float
    history: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Packed datapoints (see `rows`) of one hour, or LATE; `history` were sent with fill."""

    hour: int
    history: bool
    packed: bytes


@dataclass(slots=True)
class Batch:
    """The datapoints of one request: of known metrics in `parts`, of new ones in `new`."""

    key: Key
    now: int
    rows: int
    parts: list[Part] = field(default_factory=list)
    new: list[NewRow] = field(default_factory=list)


class Claim:
    """Work for the writer: claimed by it once, or given up by the waiting caller once.

    A bare lock is the cheapest thing to wait on; an Event costs three times as much.
    """

    __slots__ = ("_done", "claimed", "error", "finished", "given_up")

    def __init__(self) -> None:
        self._done = threading.Lock()
        self._done.acquire()
        self.claimed = False
        self.given_up = False
        self.finished = False
        self.error: Exception | None = None

    def finish(self, error: Exception | None = None) -> None:
        """Let the caller go on; with `error` it is raised there."""
        self.error = error
        self.finished = True
        self._done.release()

    def await_turn(self, claims: threading.Lock, *, patience_s: float, commit_s: float) -> None:
        """Wait to be finished; raises UnavailableError when that takes too long."""
        if not self._done.acquire(timeout=patience_s):
            with claims:
                if not self.claimed:
                    self.given_up = True
            if self.given_up or not self._done.acquire(timeout=commit_s):
                raise UnavailableError("the store is busy: send the request again")
        if self.error is not None:
            raise self.error


class Submission(Claim):
    """A request's datapoints; `rejected` are the positions that the key's quota refused."""

    __slots__ = ("batch", "rejected")

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch = batch
        self.rejected: list[int] = []


class Task(Claim, Generic[T]):
    """A function to call in a transaction of its own, or (`bare`) in none."""

    __slots__ = ("bare", "function", "result")

    def __init__(self, function: Callable[[apsw.Connection], T], *, bare: bool = False) -> None:
        super().__init__()
        self.function = function
        self.bare = bare
        self.result: T | None = None
