"""A channel as a form: what is sent becomes one, and one is told in words."""

import re
from collections.abc import Mapping

from fluxd.core.errors import BadRequestError
from fluxd.core.hush import MOST_NAME, read_quiet_hours
from fluxd.core.message import SEVERITIES, Severity
from fluxd.core.sending import CHANNEL_NAME, DAILY_CAP, DIGESTS, Digest
from fluxd.notify.kinds import KINDS, Kind, check, public
from fluxd.store.channels import StoredChannel

MOST_CAP = 1_000
MOST_GLOBS = 100

# As the configuration file has them: what is named here can be moved there.
_APART = re.compile(r"[\s,]+")

Form = Mapping[str, str]


def find_kind(name: str) -> Kind:
    """Return a kind of channel. Raises BadRequestError."""
    kind = KINDS.get(name)
    if kind is None:
        raise BadRequestError(f"there is no kind of channel {name[:40]!r}: {', '.join(KINDS)}")
    return kind


def read_channel(form: Form, old: StoredChannel | None) -> StoredChannel:
    """Return the channel that a form describes, in place of `old` where that is edited.

    A secret that is left empty stays what it was. Raises BadRequestError and ChannelError, none of
    which shows a secret.
    """
    kind = find_kind(form.get("kind", "") if old is None else old.kind)
    name = form.get("name", "").strip()
    if not CHANNEL_NAME.fullmatch(name):
        raise BadRequestError(
            "a channel's name has at most 40 letters, digits, - and _, such as ops-mail"
        )
    return StoredChannel(
        0 if old is None else old.id,
        name,
        kind.name,
        check(kind.name, _settings(form, kind, old)),
        least=_least(form),
        metrics=read_globs(form.get("metrics", "")),
        quiet_hours=_quiet_hours(form),
        daily_cap=_daily_cap(form),
        digest=_digest(form),
        resolved=form.get("resolved", "yes") == "yes",
        enabled=True if old is None else old.enabled,
    )


def read_globs(text: str) -> tuple[str, ...]:
    """Return the globs in a text, apart by blanks or commas. Raises BadRequestError.

    >>> read_globs("web-*, db.*.errors")
    ('web-*', 'db.*.errors')
    """
    globs = tuple(one for one in _APART.split(text) if one)
    if len(globs) > MOST_GLOBS or any(len(one) > MOST_NAME for one in globs):
        raise BadRequestError(
            f"at most {MOST_GLOBS} globs of at most {MOST_NAME} characters, such as web-*"
        )
    return globs


def _settings(form: Form, kind: Kind, old: StoredChannel | None) -> dict[str, str]:
    given = {}
    for one in kind.fields:
        text = form.get(f"f-{one.name}", "").strip()
        kept = one.secret and old is not None and not form.get(f"clear-{one.name}")
        if not text and kept and old is not None:
            text = old.settings.get(one.name, "")
        given[one.name] = text
    return given


def _least(form: Form) -> Severity:
    given = form.get("least", "normal")
    for one in SEVERITIES:
        if one == given:
            return one
    raise BadRequestError(f"the least severity is one of {', '.join(SEVERITIES)}")


def _digest(form: Form) -> Digest:
    given = form.get("digest", "off")
    for one in DIGESTS:
        if one == given:
            return one
    raise BadRequestError(f"the digest is one of {', '.join(DIGESTS)}")


def _quiet_hours(form: Form) -> str:
    text = form.get("quiet_hours", "").strip().replace(" ", "").replace("–", "-")
    try:
        read_quiet_hours(text)
    except ValueError:
        raise BadRequestError("quiet hours are written as 22:00-07:00, or left empty") from None
    return text


def _daily_cap(form: Form) -> int:
    text = form.get("daily_cap", str(DAILY_CAP)).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_CAP))):
        text = "-1"
    if not 0 <= int(text) <= MOST_CAP:
        raise BadRequestError(f"the daily cap is a number from 0 (none) to {MOST_CAP:,}")
    return int(text)


def filled(channel: StoredChannel) -> dict[str, str]:
    """Return a channel as the fields of its form, without its secrets."""
    secret = {one.name for one in find_kind(channel.kind).fields if one.secret}
    return {
        "name": channel.name,
        "least": channel.least,
        "metrics": " ".join(channel.metrics),
        "quiet_hours": channel.quiet_hours,
        "daily_cap": str(channel.daily_cap),
        "digest": channel.digest,
        "resolved": "yes" if channel.resolved else "no",
        **{f"f-{name}": text for name, text in channel.settings.items() if name not in secret},
    }


def shown(channel: StoredChannel) -> list[tuple[str, str]]:
    """Return the settings of a channel that may be shown, each with its label.

    Those of the configuration file's channels are not in the store: nothing of them is known.
    """
    kind = KINDS.get(channel.kind)
    if kind is None or channel.from_file:
        return []
    told = public(channel.kind, channel.settings)
    return [(one.label, told[one.name]) for one in kind.fields if told[one.name]]


def policy(channel: StoredChannel) -> str:
    """Say what a channel takes.

    >>> policy(StoredChannel(1, "ops", "ntfy", {}, metrics=("web-*",), quiet_hours="22:00-07:00"))
    'normal or worse of web-*; quiet 22:00-07:00 but for what is critical; at most 20 a day'
    """
    last = channel.least == SEVERITIES[-1]
    what = channel.least if last else f"{channel.least} or worse"
    parts = ["a daily digest only"] if channel.digest == "only" else [what]
    if channel.metrics:
        parts[0] += f" of {', '.join(channel.metrics)}"
    if channel.quiet_hours:
        parts.append(f"quiet {channel.quiet_hours} but for what is critical")
    if channel.daily_cap:
        parts.append(f"at most {channel.daily_cap:,} a day")
    if not channel.resolved and channel.digest != "only":
        parts.append("not told what is over")
    if channel.digest == "also":
        parts.append("a daily digest too")
    return "; ".join(parts)
