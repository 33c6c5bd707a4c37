"""Saved states: what comes back of them."""

import zlib

from hypothesis import given
from hypothesis import strategies as st
from store.posting import NOW, fresh_store

from fluxd.store.states import STRIDE, SavedState, pack_state, read_states, write_state


@given(st.lists(st.tuples(st.binary(max_size=3 * STRIDE), st.booleans()), max_size=4))
def test_a_state_comes_back_whatever_its_bytes(bodies: list[tuple[bytes, bool]]) -> None:
    states = [SavedState(index, 7, 1, body) for index, (body, _) in enumerate(bodies)]
    with fresh_store() as store:
        for state, (body, ready) in zip(states, bodies, strict=True):
            packed = pack_state(body) if ready else None
            store.writer.run(lambda c, s=state, p=packed: write_state(c, s, now=NOW, packed=p))
        with store.read() as reader:
            assert read_states(reader, 1) == states


def test_states_of_earlier_versions_and_damaged_ones_are_read() -> None:
    bodies = [zlib.compress(b"before", 1), b"\0", b"", b"\0\xff\xff", pack_state(b"now" * 99)]
    with fresh_store() as store:
        for index, body in enumerate(bodies):
            store.writer.run(
                lambda c, row=(index, 7, 1, NOW, body): c.execute(
                    "INSERT INTO states (slice, seq, version, saved, body) VALUES (?, ?, ?, ?, ?)",
                    row,
                )
            )
        with store.read() as reader:
            found = [state.body for state in read_states(reader, 1)]
    assert found == [b"before", b"", b"", b"", b"now" * 99]
