"""What a request to /flux becomes, and what it's judged by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fluxd.core.errors import BadRequestError, UnauthorisedError
from fluxd.core.keys import Key

MAX_AHEAD = 60  # s; the contract's "more than 1 minute in the future"
FIRST_SECOND = 1_000_000_000  # the first Unix second of 10 digits; the last is in the year 2286


@dataclass(slots=True)
class Post:
    """Datapoints that every check has passed, one list each, in the order of the request.

    `names` are as sent; `ids` the metrics' ids, None where a metric isn't known yet; `timestamps`
    in Unix seconds; `fills` None where no datapoint is fill, the usual case. `test` is the body's
    own member; the header x-test-only isn't seen here.
    """

    key: Key
    names: list[str]
    ids: list[int | None]
    timestamps: list[int]
    values: list[float]
    fills: list[bool] | None
    test: bool


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """`{"status": …}`: is anybody there? Needs no key."""


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """`{"key": …, "validate_key": true}`: is this key good? It is, if this comes back."""

    key: Key


@dataclass(frozen=True, slots=True)
class Window:
    """Which timestamps are acceptable at the server's `now`; all in whole seconds."""

    now: int
    max_age: int

    @property
    def oldest(self) -> int:
        """The oldest second that is accepted without fill."""
        return self.now - self.max_age

    @property
    def newest(self) -> int:
        """The newest second that is accepted."""
        return self.now + MAX_AHEAD


@dataclass(frozen=True, slots=True)
class Admission:
    """What a request is judged by, beside what it sent.

    `credential` is the key of the `key` or Authorization header, None or empty where there is
    none; `known` gives the metrics that a key has, from the sender's name to the id.
    """

    credential: str | None
    find_key: Callable[[str], Key | None]
    known: Callable[[Key], Mapping[str, int]]
    window: Window

    def identify(self, sent: object) -> Key:
        """Return the sender's key; `sent` is the member `key`, None where it's absent.

        A header goes before the member. Null and the empty string are no key: they are what an
        unset variable leaves in a sender's template, and "no key passed" is what helps there.
        Anything else that isn't a string is a key that can't be known.
        """
        secret = self.credential or sent
        if secret is None or secret == "":
            raise BadRequestError("no key passed")
        key = self.find_key(secret) if isinstance(secret, str) else None
        if key is None or key.scope != "ingest":
            raise UnauthorisedError("invalid key")
        return key
