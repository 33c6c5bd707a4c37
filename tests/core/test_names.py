from string import ascii_letters, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.names import name_fault, stored_name

ALLOWED = ascii_letters + digits + "+-%._/=:"


@pytest.mark.parametrize(
    "name",
    ["a", "test.nginx-1.cpu.user", "a" * 255, "disk:/var/log=50%.used", "+", "-.-", "A.b.9"],
)
def test_good_names(name: str) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "invalid metric - "),
        (".a", "invalid metric - .a"),
        ("a.", "invalid metric - a."),
        (".", "invalid metric - ."),
        ("a..b", "invalid metric - a..b"),
        ("é..b", "invalid metric - é..b"),  # dots are looked at before characters
        ("a" * 300 + ".", f"invalid metric - {'a' * 300}."),
        ("a b", "invalid metric - a b - invalid characters in name"),
        ("a\n", "invalid metric - a\n - invalid characters in name"),
        ("a\x00", "invalid metric - a\x00 - invalid characters in name"),
        ("cpu{host}", "invalid metric - cpu{host} - invalid characters in name"),
        ("１２", "invalid metric - １２ - invalid characters in name"),
        ("é" * 300, f"invalid metric - {'é' * 300} - invalid characters in name"),
        ("a" * 256, f"invalid metric - {'a' * 256} - longer than 255 characters"),
    ],
)
def test_faulty_names(name: str, fault: str) -> None:
    assert name_fault(name) == fault


def test_the_name_as_stored_has_a_length_too() -> None:
    name = "a" * 255
    assert name_fault(name, "p" * 256) is None  # 256 + 1 + 255 = 512
    assert name_fault(name, "p" * 257) == f"invalid metric - {name} - name too long"
    inside = "p" * 255
    assert name_fault(inside, inside) is None


def naive_fault(name: str, prefix: str) -> str | None:
    """Take the contract's rows one by one, character by character."""
    previous = "."
    for character in name + ".":
        if character == "." and previous == ".":
            return f"invalid metric - {name}"
        previous = character
    for character in name:
        if character not in ALLOWED:
            return f"invalid metric - {name} - invalid characters in name"
    if len(name) > 255:
        return f"invalid metric - {name} - longer than 255 characters"
    stored = name if name == prefix or name.startswith(prefix + ".") else prefix + "." + name
    if prefix and len(stored) > 512:
        return f"invalid metric - {name} - name too long"
    return None


names = st.one_of(
    st.text(max_size=20),
    st.text(ALLOWED, max_size=300),
    st.text("ab.\n é", max_size=12),
    st.builds(str.__mul__, st.sampled_from(["a", "a.", "ab.c", "é"]), st.integers(0, 256)),
)


@given(names, st.sampled_from(["", "p", "a", "a.a", "p" * 250, "p" * 510]))
def test_agrees_with_the_naive_twin(name: str, prefix: str) -> None:
    assert name_fault(name, prefix) == naive_fault(name, prefix)


@pytest.mark.parametrize(
    ("prefix", "name", "stored"),
    [
        (None, "cpu", "cpu"),
        ("", "cpu", "cpu"),
        ("web", "cpu", "web.cpu"),
        ("web", "web", "web"),
        ("web", "web.cpu", "web.cpu"),
        ("web", "website.cpu", "web.website.cpu"),
        ("web.one", "web.cpu", "web.one.web.cpu"),
    ],
)
def test_stored_names(prefix: str | None, name: str, stored: str) -> None:
    assert stored_name(prefix, name) == stored


@given(st.text(ALLOWED, min_size=1, max_size=9), st.text(ALLOWED, min_size=1, max_size=9))
def test_a_key_never_writes_outside_its_prefix(prefix: str, name: str) -> None:
    stored = stored_name(prefix, name)
    assert stored == prefix or stored.startswith(prefix + ".")
    assert stored_name(prefix, stored) == stored
