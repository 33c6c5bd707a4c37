"""The kinds of channels that there are; the settings page and the file read them alike."""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from fluxd.core.errors import ChannelError
from fluxd.notify import mail, ntfy, slack, via_apprise, webhook
from fluxd.notify.channel import Channel
from fluxd.notify.fields import Field, Kind, Settings
from fluxd.notify.scrub import HIDDEN, origin

__all__ = ["KINDS", "Field", "Kind", "build", "check", "public"]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {one.name: one for one in (webhook.KIND, mail.KIND, slack.KIND, ntfy.KIND, via_apprise.KIND)}
)


def check(kind: str, settings: Settings) -> dict[str, str]:
    """Return every field of the kind in its written form, defaults filled in.

    Raises ChannelError with the mend; its message begins with the field's name, if it has one, and
    never shows a secret.
    """
    known = _kind(kind)
    names = [one.name for one in known.fields]
    for name in settings:
        if name not in names:
            likely = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {likely[0]}?" if likely else "."
            raise ChannelError(f"{kind} has no field {name}{hint} Known: {', '.join(names)}")
    read = {one.name: _read(one, settings.get(one.name, "")) for one in known.fields}
    known.agree(read)
    return read


def build(kind: str, settings: Settings) -> Channel:
    """Return the channel of checked settings. Raises ChannelError for a kind that isn't there."""
    return _kind(kind).build(settings)


def public(kind: str, settings: Settings) -> dict[str, str]:
    """Return the fields as they may be shown: of secrets that they are set, of addresses the host.

    >>> public("slack", {"url": "https://hooks.slack.com/services/T0/B0/secret"})
    {'url': 'https://hooks.slack.com/***'}
    """
    shown = {}
    for one in _kind(kind).fields:
        given = settings.get(one.name, one.default)
        if one.secret and given.startswith(("http://", "https://")):
            shown[one.name] = f"{origin(given)}/{HIDDEN}"
        else:
            shown[one.name] = HIDDEN if one.secret and given else given
    return shown


def _kind(name: str) -> Kind:
    kind = KINDS.get(name)
    if kind is None:
        raise ChannelError(f"kind is {name!r}; it must be one of {', '.join(KINDS)}", field="kind")
    return kind


def _read(one: Field, given: str) -> str:
    given = given.strip()
    if not given:
        if one.required:
            raise ChannelError(f"{one.name} is missing: {one.hint}", field=one.name)
        return one.default
    if one.choices:
        if given not in one.choices:
            words = ", ".join(f'"{word}"' for word in one.choices)
            raise _wrong(one, given, f"one of {words}")
        return given
    try:
        return one.read(given)
    except ValueError as error:
        raise _wrong(one, given, str(error)) from None


def _wrong(one: Field, given: str, wants: str) -> ChannelError:
    said = "is not what it should be" if one.secret else f"is {given!r}"
    default = f" (default: {one.default})" if one.default else ""
    return ChannelError(f"{one.name} {said}; it must be {wants}{default}", field=one.name)
