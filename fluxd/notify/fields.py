"""What a kind of channel is set up with: its fields, and how each is read.

A reader returns the field in its one written form, or raises ValueError with what it must be (the
half sentence after "it must be"). Every field is text, because pages and files give text.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import getaddresses
from typing import TypeAlias
from urllib.parse import quote, urlsplit

from fluxd.notify.channel import Channel

Settings: TypeAlias = Mapping[str, str]

_UNSAFE = re.compile(r"[\x00-\x20\x7f]")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_MOST_PORT = 65_535

# Of an address, what needs no encoding, and what already is.
_URL_SAFE = "%/:?#[]@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a kind: what a form shows, and how it is read."""

    name: str
    label: str
    hint: str
    secret: bool = False
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()
    read: Callable[[str], str] = str


def _agree(_settings: Settings) -> None:
    """Ask for nothing beyond what each field does."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of channel. `make` takes all its fields, as `check` in `kinds` gives them.

    `agree` raises ChannelError where fields that are right by themselves don't go together.
    """

    name: str
    title: str
    fields: tuple[Field, ...]
    make: Callable[[Settings], Channel]
    agree: Callable[[Settings], None] = _agree

    def build(self, settings: Settings) -> Channel:
        """Return the channel; a field that is absent has its default."""
        return self.make({one.name: settings.get(one.name, one.default) for one in self.fields})


def read_line(given: str) -> str:
    """Read a text of one line."""
    if any(not character.isprintable() for character in given):
        raise ValueError("one line of plain text")
    return given


def read_url(given: str) -> str:
    """Read an http or https address."""
    wants = "an address that begins with https:// or http:// and has a host"
    if _UNSAFE.search(given):
        raise ValueError(f"{wants}, without spaces")
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise ValueError(wants) from None
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(_ascii_host(parts.hostname)):
        raise ValueError(wants)
    if port == 0:
        raise ValueError(f"{wants}; its port is from 1 to {_MOST_PORT}")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{wants}, without user and password")
    # In the host, IDNA is for the connection to do; elsewhere bytes are percent-encoded.
    tail = quote(given[len(parts.scheme) + 3 + len(parts.netloc) :], safe=_URL_SAFE)
    return f"{parts.scheme}://{parts.netloc}{tail.partition('#')[0]}"


def _ascii_host(host: str | None) -> str:
    try:
        return (host or "").encode("idna").decode()
    except UnicodeError:
        return ""


def read_host(given: str) -> str:
    """Read a host's name or address."""
    if not _HOST.fullmatch(_ascii_host(given)) or given.count(":") == 1:
        raise ValueError("a host's name or address such as smtp.example.org, without its port")
    return given


def read_port(given: str) -> str:
    """Read a TCP port; empty where the default follows from elsewhere."""
    if not given.isascii() or not given.isdecimal() or not 1 <= int(given) <= _MOST_PORT:
        raise ValueError(f"a port from 1 to {_MOST_PORT}")
    return str(int(given))


def read_addresses(given: str) -> str:
    """Read mail addresses, with or without names, apart by commas.

    >>> read_addresses("ops@example.org,Night Shift <night@example.org>")
    'ops@example.org, Night Shift <night@example.org>'
    """
    found = addresses(given)
    if not found:
        raise ValueError("mail addresses such as ops@example.org, apart by commas")
    return ", ".join(str(one) for one in found)


def read_address(given: str) -> str:
    """Read one mail address, with or without a name."""
    found = addresses(given)
    if len(found) != 1:
        raise ValueError('one mail address such as "fluxd <fluxd@example.org>"')
    return str(found[0])


def addresses(given: str) -> list[Address]:
    """Return the addresses in a text; none where one of them is no address.

    Non-ASCII local parts are refused: most servers still do.
    """
    if any(not character.isprintable() for character in given):
        return []
    found = []
    for name, mailbox in getaddresses([given]):
        if not name and not mailbox:
            continue
        if not _MAILBOX.fullmatch(mailbox) or ".." in mailbox or mailbox.startswith("."):
            return []
        found.append(Address(name, addr_spec=mailbox))
    return found
