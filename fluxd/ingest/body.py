"""Bodies as they come off the wire: the content codings of senders, inflated under a cap."""

import zlib
from io import BytesIO

from fluxd.core.errors import BadRequestError, PayloadTooLargeError
from fluxd.ingest.strict_json import INVALID_JSON

_PLAIN = {"", "identity"}
_GZIP = {"gzip", "x-gzip"}
_GZIP_WINDOW = 31  # 15 bits of window, and 16 for a gzip header and checksum
# What goes into and comes out of zlib in one call, in bytes. Slices bound what each call copies:
# its unused input comes back as a new object, and a body may hold 50,000 empty gzip members.
_SLICE = 16 * 1024
_CHUNK = 64 * 1024


def inflate(body: bytes, encoding: str | None, max_bytes: int) -> bytes:
    """Undo a `Content-Encoding`; the result is never longer than `max_bytes`.

    An empty body is empty in every coding that is known, so that its sender is told that nothing
    arrived rather than that its JSON is broken.
    Raises PayloadTooLargeError once the cap is passed, with at most one chunk inflated beyond it,
    and BadRequestError for an unknown coding, a damaged or cut stream, or trailing bytes.
    """
    coding = (encoding or "").strip().lower()
    if coding in _PLAIN:
        inflated = body
    elif coding in _GZIP:
        inflated = _gunzip(body, max_bytes)
    else:
        raise BadRequestError(INVALID_JSON)
    if len(inflated) > max_bytes:
        raise _too_large(max_bytes)
    return inflated


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    """Inflate one gzip member after another (RFC 1952, section 2.2) until the body is used up."""
    inflated = BytesIO()  # its getvalue() copies nothing, so that the cap is held once
    wire = memoryview(body)
    position = 0
    while position < len(body):
        member = zlib.decompressobj(_GZIP_WINDOW)
        while not member.eof:
            given = wire[position : position + _SLICE]
            if not given:  # the checksum at a member's end is still to come: the stream was cut
                raise BadRequestError(INVALID_JSON)
            try:
                chunk = member.decompress(given, _CHUNK)
            except zlib.error:
                raise BadRequestError(INVALID_JSON) from None
            unused = member.unused_data if member.eof else member.unconsumed_tail  # may be equal
            position += len(given) - len(unused)
            if inflated.tell() + len(chunk) > max_bytes:
                raise _too_large(max_bytes)
            inflated.write(chunk)
    return inflated.getvalue()


def _too_large(max_bytes: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f"payload too large - the body inflates to more than {max_bytes} bytes, "
        "send fewer metrics per POST (500 is advised)"
    )
