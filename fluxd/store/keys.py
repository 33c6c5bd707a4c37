"""Keys: the table, and the ring that a running daemon looks them up in."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import apsw

from fluxd.core.errors import NotFoundError, StoreError
from fluxd.core.keys import Key, Scope
from fluxd.core.names import is_prefix
from fluxd.store.places import MAX_SERIES

# A key that is used every second is written this often.
SEEN_STEP_S = 300

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it is listed; times in Unix seconds."""

    key: Key
    created: int
    revoked: int | None
    metrics: int


class KeyRing:
    """The keys that are valid now, by secret.

    Secrets are looked up by their SHA-256 and then compared in constant time, so that how long a
    look-up takes tells nothing about a secret.
    """

    def __init__(self) -> None:
        self._by_digest: Mapping[bytes, tuple[bytes, Key]] = {}
        self.seen: dict[int, int] = {}  # by id: when it was last used (Unix s), since the start
        self._written: dict[int, int] = {}

    def load(self, connection: apsw.Connection) -> None:
        """Take the valid keys from the table."""
        rows = connection.execute(
            "SELECT secret, id, name, prefix, quota, scope FROM keys WHERE revoked IS NULL"
        )
        self._by_digest = {
            hashlib.sha256(secret.encode()).digest(): (secret.encode(), Key(*rest))
            for secret, *rest in rows
        }

    def find(self, secret: str) -> Key | None:
        """Return the key with this secret, or None."""
        offered = secret.encode("utf-8", "surrogatepass")
        found = self._by_digest.get(hashlib.sha256(offered).digest())
        if found is None or not hmac.compare_digest(found[0], offered):
            return None
        return found[1]

    def secret_of(self, name: str) -> str | None:
        """Return the secret of the valid key with this name, for the page that shows it."""
        for secret, key in self._by_digest.values():
            if key.name == name:
                return secret.decode()
        return None

    def valid(self) -> list[Key]:
        """Return the keys that are valid, in the order of their creation."""
        return sorted((key for _, key in self._by_digest.values()), key=lambda key: key.id)

    def take_seen(self) -> dict[int, int]:
        """Return what is to be written of `seen`: uses SEEN_STEP_S after the last one written."""
        due = {
            key: second
            for key, second in list(self.seen.items())
            if second - self._written.get(key, 0) >= SEEN_STEP_S
        }
        self._written |= due
        return due

    def __len__(self) -> int:
        return len(self._by_digest)


def add_key(
    connection: apsw.Connection,
    name: str,
    *,
    now: int,
    prefix: str | None = None,
    quota: int | None = None,
    scope: Scope = "ingest",
) -> str:
    """Create a key and return its secret. Raises StoreError with the fix where it can't be."""
    if not _NAME.fullmatch(name):
        raise StoreError(
            f"invalid key name {name!r}: use up to 64 of A-Z a-z 0-9 . _ - and begin with a "
            "letter or a digit"
        )
    if prefix is not None and not is_prefix(prefix):
        raise StoreError(
            f"invalid prefix {prefix!r}: use dotted parts of A-Z a-z 0-9 + - % _ / = : "
            "and at most 510 characters"
        )
    if quota is not None and not 0 <= quota <= MAX_SERIES:
        raise StoreError(f"invalid quota {quota}: give the number of metrics, 0 to {MAX_SERIES}")
    secret = secrets.token_urlsafe(24)
    try:
        connection.execute(
            "INSERT INTO keys (name, secret, prefix, quota, scope, created)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            (name, secret, prefix, quota, scope, now),
        )
    except apsw.ConstraintError as error:
        raise StoreError(
            f"there is a key named {name!r} already: revoke it first, or take another name"
        ) from error
    return secret


def revoke_key(connection: apsw.Connection, name: str, *, now: int) -> None:
    """End a key's validity. Raises NotFoundError for a name that no valid key has."""
    connection.execute(
        "UPDATE keys SET revoked = ?2 WHERE name = ?1 AND revoked IS NULL", (name, now)
    )
    if not connection.changes():
        raise NotFoundError(f"there is no key named {name!r}: `fluxd key list` shows them")


def list_keys(connection: apsw.Connection) -> list[KeyRecord]:
    """Return every key, the revoked ones too, in the order of their creation."""
    rows = connection.execute(
        "SELECT id, name, prefix, quota, scope, created, revoked, coalesce(metrics, 0) FROM keys"
        " LEFT JOIN (SELECT key, count(*) AS metrics FROM series GROUP BY key) ON key = keys.id"
        " ORDER BY id"
    )
    return [KeyRecord(Key(*row[:5]), *row[5:]) for row in rows]


def read_seen(reader: apsw.Connection) -> dict[int, int]:
    """Return when keys were last used (Unix s), by id, as far as that was written."""
    rows = reader.execute("SELECT id, seen FROM keys WHERE seen IS NOT NULL")
    return {int(key): int(second) for key, second in rows}


def write_seen(connection: apsw.Connection, seen: Mapping[int, int]) -> None:
    """Keep when keys were last used (Unix s), by id."""
    connection.executemany(
        "UPDATE keys SET seen = ?2 WHERE id = ?1 AND coalesce(seen, 0) < ?2", list(seen.items())
    )
