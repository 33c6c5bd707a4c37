import apsw
import pytest
from store.posting import NOW, new_key, post

from fluxd.core.errors import NotFoundError, StoreError
from fluxd.core.keys import Key
from fluxd.store import Store
from fluxd.store.keys import KeyRing, add_key, list_keys, revoke_key


def test_a_key_is_found_by_its_secret_until_it_is_revoked(store: Store) -> None:
    def add(connection: apsw.Connection) -> str:
        return add_key(connection, "web", now=NOW, prefix="p.q", quota=3, scope="read")

    secret = store.writer.run(add)
    ring = KeyRing()
    ring.load(store.writer._connection)
    assert len(ring) == 2
    assert ring.find(secret) == Key(2, "web", "p.q", 3, "read")
    for wrong in ("", secret[:-1], secret + "x", "\ud800", "ä" * 1000):
        assert ring.find(wrong) is None
    with pytest.raises(StoreError, match="already"):
        store.writer.run(add)
    store.writer.run(lambda c: revoke_key(c, "web", now=NOW + 1))
    ring.load(store.writer._connection)
    assert ring.find(secret) is None
    with pytest.raises(NotFoundError):
        store.writer.run(lambda c: revoke_key(c, "web", now=NOW + 2))
    assert store.writer.run(add) != secret


def test_keys_are_listed_with_what_they_created(store: Store) -> None:
    key = new_key(store, "web", prefix="p")
    post(store, [("a", NOW, 1.0), ("b", NOW, 1.0)], key=key)
    store.writer.run(lambda c: revoke_key(c, "agent", now=NOW + 1))
    with store.read() as reader:
        records = list_keys(reader)
    assert [(r.key.name, r.created, r.revoked, r.metrics) for r in records] == [
        ("agent", NOW, NOW + 1, 0),
        ("web", NOW, None, 2),
    ]


@pytest.mark.parametrize(
    ("name", "prefix", "quota", "message"),
    [
        ("", None, None, "invalid key name"),
        ("-x", None, None, "invalid key name"),
        ("x" * 65, None, None, "invalid key name"),
        ("ok", "a..b", None, "invalid prefix"),
        ("ok", "", None, "invalid prefix"),
        ("ok", None, -1, "invalid quota"),
    ],
)
def test_a_key_that_can_not_be_is_refused_with_the_reason(
    store: Store, name: str, prefix: str | None, quota: int | None, message: str
) -> None:
    with pytest.raises(StoreError, match=message):
        store.writer.run(lambda c: add_key(c, name, now=NOW, prefix=prefix, quota=quota))
