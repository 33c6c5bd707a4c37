from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.keys import Key
from fluxd.core.names import name_fault, stored_name
from fluxd.store.catalog import Catalog

parts = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map(".".join)
names = parts | parts.map(lambda name: f"{name}.{'x' * 250}") | parts.map(lambda n: n + "y" * 253)
prefixes = st.none() | parts
steps = st.lists(
    st.tuples(st.just("add"), prefixes, names) | st.tuples(st.just("look"), prefixes, names),
    max_size=30,
)


def known_naively(stored: list[str], prefix: str | None) -> dict[str, int]:
    """Try every name that could be meant: each stored one, and each of its ends."""
    known = {}
    for series, name in enumerate(stored, start=1):
        for start in range(len(name)):
            sent = name[start:]
            if name_fault(sent, prefix) is None and stored_name(prefix, sent) == name:
                known[sent] = series
    return known


@given(steps)
def test_a_key_knows_the_metrics_that_it_can_name(steps: list[tuple[str, str | None, str]]) -> None:
    catalog = Catalog()
    stored: list[str] = []
    for what, prefix, name in steps:
        if what == "add":
            full = stored_name(prefix, name)
            if name_fault(name, prefix) is None and full not in stored:
                catalog.add([(catalog.next_id, full, 1, 0)])
                stored.append(full)
        assert catalog.known(Key(1, "k", prefix)) == known_naively(stored, prefix)
    assert len(catalog) == len(stored) == catalog.owned(1)
    for series, name in enumerate(stored, start=1):
        assert (catalog.id_of(name), catalog.name_of(series)) == (series, name)


def test_a_name_too_long_to_be_sent_is_not_known_by_it() -> None:
    catalog = Catalog()
    stored = stored_name("pre", "n" * 255)
    catalog.add([(1, stored, 1, 0)])
    assert catalog.id_of(stored) == 1
    assert catalog.known(Key(1, "k")) == {}
    assert catalog.known(Key(2, "p", "pre")) == {"n" * 255: 1}
