from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxd.core.errors import BadRequestError
from fluxd.store import Store, open_store
from fluxd.store.logins import (
    MAX_SESSIONS,
    add_link,
    add_session,
    digest_of,
    end_other_sessions,
    read_password,
    redeem_link,
    set_password,
)

NOW = 1_700_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "fluxd.db", create=True)
    yield opened
    opened.close()


def begin(store: Store, now: int = NOW) -> str:
    secret = store.writer.run(lambda writer: add_session(writer, now))
    store.writer.run(store.sessions.load)
    return secret


def test_expired_links_are_deleted(store: Store) -> None:
    store.writer.run(lambda writer: add_link(writer, NOW))
    fresh = store.writer.run(lambda writer: add_link(writer, NOW + 600))
    with store.read() as reader:
        assert reader.execute("SELECT digest FROM links").fetchall() == [(digest_of(fresh),)]
    assert not store.writer.run(lambda writer: redeem_link(writer, fresh, NOW + 1200))


def test_there_are_only_so_many_sessions(store: Store) -> None:
    secrets = [begin(store, NOW + second) for second in range(MAX_SESSIONS + 2)]
    found = [store.sessions.find(secret, NOW + 200) is not None for secret in secrets]
    assert found == [False, False] + [True] * MAX_SESSIONS
    assert store.sessions.count(NOW + 200) == MAX_SESSIONS


def test_the_others_can_be_ended(store: Store) -> None:
    mine, others = begin(store), [begin(store), begin(store)]
    assert store.writer.run(lambda writer: end_other_sessions(writer, digest_of(mine))) == 2
    store.writer.run(store.sessions.load)
    assert store.sessions.find(mine, NOW) is not None
    assert all(store.sessions.find(other, NOW) is None for other in others)


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 1001])
def test_a_password_has_a_length(store: Store, password: str) -> None:
    with pytest.raises(BadRequestError, match="12 to 1000"):
        store.writer.run(lambda writer: set_password(writer, password))


def test_the_last_password_stands(store: Store) -> None:
    for password in ("the first of two", "the second of two ✓"):
        store.writer.run(lambda writer, it=password: set_password(writer, it))
    with store.read() as reader:
        kept = read_password(reader)
    assert kept is not None
    assert kept.matches("the second of two ✓")
    assert not kept.matches("the first of two")
