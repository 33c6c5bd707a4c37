"""Who is signed in to the pages: links that sign in once, sessions, and the optional password.

Secrets are 256 random bits, so their SHA-256 is all that is kept of them; a password isn't, so it
is kept as scrypt makes it (RFC 7914).
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import apsw

from fluxd.core.errors import BadRequestError

LINK_S = 600
SESSION_S = 30 * 86_400

# Sessions that there may be at once; the oldest gives way.
MAX_SESSIONS = 100

# scrypt's work: 32 MB and about 0.1 s for a try. OpenSSL's own limit is 32 MB and a little less.
COST = 1 << 15
BLOCK = 8
MEMORY = 64 << 20

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1_000


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session; times in Unix s."""

    digest: bytes
    created: int
    expires: int


class SessionRing:
    """The sessions that there are, by digest: each request is looked up here, not in the file."""

    def __init__(self) -> None:
        self._by_digest: Mapping[bytes, SessionRecord] = {}

    def load(self, connection: apsw.Connection) -> None:
        """Take the sessions from the table."""
        rows = connection.execute("SELECT digest, created, expires FROM sessions")
        self._by_digest = {digest: SessionRecord(digest, *rest) for digest, *rest in rows}

    def find(self, secret: str, now: float) -> SessionRecord | None:
        """Return the session with this secret that has not expired at `now` (Unix s), or None."""
        digest = digest_of(secret)
        found = self._by_digest.get(digest)
        if found is None or not hmac.compare_digest(found.digest, digest) or found.expires <= now:
            return None
        return found

    def count(self, now: float) -> int:
        """Return how many have not expired at `now` (Unix s)."""
        return sum(1 for session in self._by_digest.values() if session.expires > now)


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def add_link(connection: apsw.Connection, now: int) -> str:
    """Create a secret that signs in once, within LINK_S of `now` (Unix s), and return it."""
    connection.execute("DELETE FROM links WHERE expires <= ?", (now,))
    secret = secrets.token_urlsafe(32)
    connection.execute("INSERT INTO links VALUES (?, ?)", (digest_of(secret), now + LINK_S))
    return secret


def is_link(reader: apsw.Connection, secret: str, now: int) -> bool:
    """Whether a link would sign in at `now` (Unix s)."""
    row = reader.execute(
        "SELECT 1 FROM links WHERE digest = ? AND expires > ?", (digest_of(secret), now)
    ).fetchone()
    return row is not None


def redeem_link(connection: apsw.Connection, secret: str, now: int) -> bool:
    """Use a link up; whether it was good at `now` (Unix s)."""
    connection.execute(
        "DELETE FROM links WHERE digest = ?1 AND expires > ?2", (digest_of(secret), now)
    )
    return connection.changes() == 1


def add_session(connection: apsw.Connection, now: int) -> str:
    """Create a session that ends SESSION_S after `now` (Unix s), and return its secret."""
    connection.execute("DELETE FROM sessions WHERE expires <= ?", (now,))
    connection.execute(
        "DELETE FROM sessions WHERE digest IN"
        " (SELECT digest FROM sessions ORDER BY created DESC LIMIT -1 OFFSET ?)",
        (MAX_SESSIONS - 1,),
    )
    secret = secrets.token_urlsafe(32)
    connection.execute(
        "INSERT INTO sessions VALUES (?, ?, ?)", (digest_of(secret), now, now + SESSION_S)
    )
    return secret


def end_session(connection: apsw.Connection, digest: bytes) -> None:
    """End a session."""
    connection.execute("DELETE FROM sessions WHERE digest = ?", (digest,))


def end_other_sessions(connection: apsw.Connection, digest: bytes) -> int:
    """End every session but one; return how many those were."""
    connection.execute("DELETE FROM sessions WHERE digest <> ?", (digest,))
    return connection.changes()


def set_password(connection: apsw.Connection, password: str) -> None:
    """Have a password open the pages from now on. Raises BadRequestError for one too short."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadRequestError(
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters: "
            "four random words are easy to keep in mind"
        )
    salt = secrets.token_bytes(16)
    connection.execute(
        "INSERT OR REPLACE INTO password VALUES (1, ?, ?, ?)",
        (salt, _scrypt(password, salt, COST), COST),
    )


def remove_password(connection: apsw.Connection) -> None:
    """Let links alone open the pages."""
    connection.execute("DELETE FROM password")


def has_password(reader: apsw.Connection) -> bool:
    """Whether a password opens the pages."""
    return reader.execute("SELECT 1 FROM password").fetchone() is not None


@dataclass(frozen=True, slots=True)
class Password:
    """What is kept of the password."""

    salt: bytes
    digest: bytes
    cost: int

    def matches(self, password: str) -> bool:
        """Whether it is this one; takes about 0.1 s, whatever the answer."""
        offered = _scrypt(password[:LONGEST_PASSWORD], self.salt, self.cost)
        return hmac.compare_digest(self.digest, offered)


def read_password(reader: apsw.Connection) -> Password | None:
    """Return the password to compare with, None where there is none."""
    row = reader.execute("SELECT salt, digest, cost FROM password").fetchone()
    return Password(*row) if row else None


def _scrypt(password: str, salt: bytes, cost: int) -> bytes:
    given = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(given, salt=salt, n=cost, r=BLOCK, p=1, maxmem=MEMORY)


def note_address(connection: apsw.Connection, address: str) -> None:
    """Keep where the daemon listens, for the links that commands print."""
    connection.execute(
        "INSERT INTO meta VALUES ('address', ?1)"
        " ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        (address,),
    )


def read_address(reader: apsw.Connection) -> str | None:
    """Return where the daemon last listened, None before its first start."""
    row = reader.execute("SELECT value FROM meta WHERE name = 'address'").fetchone()
    return str(row[0]) if row else None
