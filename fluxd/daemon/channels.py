"""`[channels.NAME]`: notification channels in the file, each a table of its own.

    [channels.ops]
    kind = "email"                        # fluxd.notify.kinds has them, with their fields
    host = "smtp.example.org"
    password_file = "/run/credentials/fluxd.service/smtp"     # or password = "…"
    min_severity = "high"                 # the rest says which messages it gets

A field can be text, a whole number, or a list of texts. A secret one can be in a file of its own,
named by FIELD_file, so that the settings may be read by others and systemd's LoadCredential= works.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fluxd.core.errors import ChannelError, ConfigError
from fluxd.core.hush import read_quiet_hours
from fluxd.core.message import SEVERITIES, Severity
from fluxd.core.sending import CHANNEL_NAME, DAILY_CAP, DIGESTS, Digest
from fluxd.daemon.kinds import Choice, Kind, Truth, Whole
from fluxd.notify.kinds import KINDS, check

SUFFIX = "_file"
MOST_SECRET_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class Globs:
    """A list of patterns of metric names."""

    wants: str = 'a list of patterns of metric names, such as ["db-*", "web.*.errors"]'

    def read(self, given: object) -> tuple[str, ...]:
        """Return the patterns of a TOML array of strings."""
        if not isinstance(given, list) or not all(_is_line(one) for one in given):
            raise ValueError(given)
        return tuple(given)

    def read_text(self, given: str) -> tuple[str, ...]:
        """Return the patterns in a text, apart by blanks."""
        return self.read(given.split())

    def show(self, value: object) -> str:
        """Return `value` as TOML."""
        return str(list(value) if isinstance(value, tuple) else value).replace("'", '"')


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, `"22:00-07:00"`, or none."""

    wants: str = 'hours of the day such as "22:00-07:00", or "" for none'

    def read(self, given: object) -> str:
        """Return the hours of a TOML string."""
        if not isinstance(given, str):
            raise ValueError(given)  # noqa: TRY004  # one refusal for all kinds
        read_quiet_hours(given)
        return given

    def read_text(self, given: str) -> str:
        """Return the hours."""
        return self.read(given)

    def show(self, value: object) -> str:
        """Return `value` as TOML."""
        return f'"{value}"'


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """One channel: its kind's settings, and which messages it gets."""

    name: str
    kind: str
    settings: Mapping[str, str] = field(repr=False)

    # The least severity that is sent. Default "normal": what is "low" alarms too often to call.
    min_severity: Severity = "normal"

    # Patterns of metric names; a message goes out if one of its metrics fits. Default none: all.
    metrics: tuple[str, ...] = ()

    # Hours of the day, by the daemon's clock, in which nothing is sent. Default none.
    quiet_hours: str = ""

    # Most messages a day, up to 1,000, 0 for any number; what is beyond goes into a digest. Default
    # 20: who gets more than that a day reads none of them.
    daily_cap: int = DAILY_CAP

    # Whether a message a day tells all that happened: beside the others ("also"), or in their place
    # ("only"). Default "off".
    digest: Digest = "off"

    # Whether it is told that an incident is over. Default true: else somebody has to look.
    resolved: bool = True


POLICY: Mapping[str, Kind] = MappingProxyType(
    {
        "min_severity": Choice(SEVERITIES),
        "metrics": Globs(),
        "quiet_hours": Hours(),
        "daily_cap": Whole(0, 1_000, "messages a day"),
        "digest": Choice(DIGESTS),
        "resolved": Truth(),
    }
)


_DEFAULTS = {one.name: one.default for one in dataclasses.fields(ChannelConfig)}


def read_channels(given: object, path: Path, *, credentials: bool) -> tuple[ChannelConfig, ...]:
    """Return the channels in the parsed table `channels` of the file at `path`, by name.

    Without `credentials` no FIELD_file is read, and channels that have one are checked but for
    their fields and left out: only the daemon itself may be able to read it. Raises ConfigError.
    """
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise ConfigError(f"{path}: each channel is a table of its own: write [channels.NAME]")
    found = (_channel(name, given[name], path, credentials=credentials) for name in sorted(given))
    return tuple(one for one in found if one is not None)


def _channel(
    name: str, table: Mapping[str, Any], path: Path, *, credentials: bool
) -> ChannelConfig | None:
    where = f"{path}: channels.{name}"
    if not CHANNEL_NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: a channel's name has at most 40 letters, digits, - and _, such as "
            "[channels.ops]"
        )
    kind = table.get("kind")
    if kind is None:
        raise ConfigError(f"{where}.kind is missing; it must be one of {', '.join(KINDS)}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(f"{where}.kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    policy = {key: _checked(key, table[key], where) for key in POLICY if key in table}
    fields = {key: one for key, one in table.items() if key != "kind" and key not in POLICY}
    _refuse_unknown(kind, fields, where)
    settings = _settings(kind, fields, where, credentials=credentials)
    return None if settings is None else ChannelConfig(name, kind, settings, **policy)


def _settings(
    kind: str, fields: Mapping[str, object], where: str, *, credentials: bool
) -> Mapping[str, str] | None:
    texts = {}
    for key, one in fields.items():
        if not _is_file(kind, key):
            texts[key] = _text(one, f"{where}.{key}")
            continue
        name = key.removesuffix(SUFFIX)
        if name in fields:
            raise ConfigError(f"{where}: there are {name} and {key}: remove one of them")
        file = _file(one, f"{where}.{key}")
        if not credentials:
            return None
        texts[name] = _secret(file, f"{where}.{key}")
    try:
        return MappingProxyType(check(kind, texts))
    except ChannelError as error:
        raise ConfigError(f"{where}{'.' if error.field else ': '}{error.message}") from None


def _is_file(kind: str, key: str) -> bool:
    """Whether `key` names the file that a secret field is in."""
    secrets = {f"{one.name}{SUFFIX}" for one in KINDS[kind].fields if one.secret}
    return key in secrets


def _refuse_unknown(kind: str, fields: Mapping[str, object], where: str) -> None:
    names = [one.name for one in KINDS[kind].fields]
    for key in fields:
        if key in names or _is_file(kind, key):
            continue
        known = ["kind", *names, *POLICY]
        likely = difflib.get_close_matches(key, known, n=1)
        hint = f"; did you mean {likely[0]}?" if likely else "."
        raise ConfigError(f"{where}: {kind} has no {key}{hint} Known: {', '.join(known)}")


def _checked(key: str, given: object, where: str) -> Any:  # noqa: ANN401  # its kind knows
    kind, default = POLICY[key], _DEFAULTS[key]
    try:
        return kind.read(given)
    except ValueError:
        raise ConfigError(
            f"{where}.{key} is {given!r}; it must be {kind.wants} (default: {kind.show(default)})"
        ) from None


def _text(given: object, path: str) -> str:
    """Return a field as text. The value is not shown: it may be a secret."""
    match given:
        case bool():
            pass
        case str() | int():
            return str(given)
        case list() if given and all(isinstance(one, str) for one in given):
            return ", ".join(given)
    raise ConfigError(f"{path} must be text in quotes, a whole number, or a list of texts")


def _file(given: object, path: str) -> Path:
    if not isinstance(given, str) or not given.startswith("/"):
        raise ConfigError(f"{path} is {given!r}; it must be a file's full path, from / on")
    return Path(given)


def _secret(file: Path, path: str) -> str:
    try:
        with file.open("rb") as opened:
            secret = opened.read(MOST_SECRET_BYTES + 1).decode().strip()
    except OSError as error:
        raise ConfigError(
            f"{path}: {file} can't be read ({error.strerror}): it must be there, and readable by "
            "the daemon's user"
        ) from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: {file} is not UTF-8 text") from None
    if not secret or len(secret) > MOST_SECRET_BYTES:
        raise ConfigError(f"{path}: {file} must hold the secret and nothing else")
    return secret


def _is_line(given: object) -> bool:
    return isinstance(given, str) and given.strip() != "" and given.isprintable()
