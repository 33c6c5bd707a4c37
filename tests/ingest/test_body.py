import gzip
import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.errors import BadRequestError, PayloadTooLargeError
from fluxd.ingest.body import inflate

CAP = 8 * 1024 * 1024
BODY = b'{"key": "secret"}'
GZIPPED = gzip.compress(BODY)


@pytest.mark.parametrize("encoding", [None, "", "identity", "Identity", " IDENTITY "])
def test_plain_bodies_pass_as_they_are(encoding: str | None) -> None:
    assert inflate(BODY, encoding, CAP) is BODY


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", "X-Gzip", " gzip "])
def test_gzip_is_inflated(encoding: str) -> None:
    assert inflate(GZIPPED, encoding, CAP) == BODY


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "gzip;q=1", "*"])
def test_any_other_coding_is_refused(encoding: str) -> None:
    with pytest.raises(BadRequestError, match=r"^invalid json data$"):
        inflate(GZIPPED, encoding, CAP)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BODY, id="not gzip"),
        pytest.param(GZIPPED[:-1], id="cut in the checksum"),
        pytest.param(GZIPPED[:12], id="cut in the data"),
        pytest.param(GZIPPED[:5], id="cut in the header"),
        pytest.param(GZIPPED[:-8] + b"\0" * 8, id="wrong checksum"),
        pytest.param(GZIPPED + b"\0", id="a trailing zero"),
        pytest.param(GZIPPED + b"garbage", id="trailing garbage"),
        pytest.param(GZIPPED + GZIPPED[:7], id="second member cut"),
        pytest.param(zlib.compress(BODY), id="zlib instead of gzip"),
    ],
)
def test_broken_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequestError, match=r"^invalid json data$"):
        inflate(body, "gzip", CAP)


def test_an_empty_body_is_empty_in_every_coding() -> None:
    assert inflate(b"", None, CAP) == b""
    assert inflate(b"", "gzip", CAP) == b""
    assert inflate(gzip.compress(b""), "gzip", CAP) == b""


def test_members_follow_each_other() -> None:
    assert inflate(gzip.compress(b'{"key":') + gzip.compress(b"1}"), "gzip", CAP) == b'{"key":1}'
    assert inflate(gzip.compress(b"") * 20_000, "gzip", CAP) == b""


@pytest.mark.parametrize("size", [0, 1, 16_000, 16_384, 65_536, 65_537, 131_072, 500_000])
def test_members_of_any_size_that_hardly_compress(size: int) -> None:
    noise = random.Random(size).randbytes(size)
    member = gzip.compress(noise)
    assert inflate(member + GZIPPED + member, "gzip", CAP) == noise + BODY + noise
    with pytest.raises(BadRequestError):
        inflate(member + GZIPPED + member[:-9], "gzip", CAP)


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(0, 600), st.integers(0, 9))
def test_agrees_with_the_standard_library(parts: list[bytes], repeats: int, level: int) -> None:
    sent = [part * repeats for part in parts]
    body = b"".join(gzip.compress(part, level) for part in sent)
    assert inflate(body, "gzip", CAP) == b"".join(sent)


@pytest.mark.parametrize("size", [CAP - 1, CAP])
def test_up_to_the_cap_is_fine(size: int) -> None:
    assert len(inflate(gzip.compress(bytes(size), 1), "gzip", CAP)) == size


def test_one_byte_over_the_cap_says_the_limit_and_the_fix() -> None:
    message = (
        "payload too large - the body inflates to more than 8388608 bytes, "
        "send fewer metrics per POST (500 is advised)"
    )
    for body in (gzip.compress(bytes(CAP + 1), 1), gzip.compress(bytes(CAP), 1) + GZIPPED):
        with pytest.raises(PayloadTooLargeError) as caught:
            inflate(body, "gzip", CAP)
        assert caught.value.message == message


def test_the_cap_holds_for_a_plain_body_too() -> None:
    with pytest.raises(PayloadTooLargeError):
        inflate(b"12345", None, 4)


def test_a_bomb_never_holds_more_than_the_cap() -> None:
    bomb = gzip.compress(bytes(100_000_000), 9)
    cap = 1024 * 1024
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLargeError):
            inflate(bomb, "gzip", cap)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # a buffer that grows by an eighth, one chunk, zlib's window
    assert peak < cap + cap // 8 + 256 * 1024
