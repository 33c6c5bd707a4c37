"""The settings: what each is for, its default, its bounds, and where its value comes from.

A value comes from the command line, else from the environment (`FLUXD_SECTION__KEY`), else from
the TOML file, else it is the default. A setting appears here with the code that reads it, never
before: one that has no effect would be a lie to the operator. `packaging/fluxd.toml` shows the
same settings to users; a test holds the two together.
"""

import dataclasses
import difflib
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from fluxd.core.budget import BUDGET
from fluxd.core.errors import ConfigError
from fluxd.core.sensitivity import THRESHOLDS
from fluxd.daemon.addresses import Address, HostNames, HostPort, Url
from fluxd.daemon.channels import ChannelConfig, read_channels
from fluxd.daemon.kinds import Choice, Duration, Kind, Size, Truth, Whole, Zone
from fluxd.daemon.timezone import SYSTEM

FILE_NAME = "fluxd.toml"
CHANNELS = "channels"
_PREFIX = "FLUXD_"

HOUR_S = 3_600
DAY_S = 86_400
YEAR_S = 365 * DAY_S


def _whole(default: int, low: int, high: int, unit: str) -> int:
    return field(default=default, metadata={"kind": Whole(low, high, unit)})


def _duration(default: int, low: int, high: int) -> int:
    return field(default=default, metadata={"kind": Duration(low, high)})


@dataclass(frozen=True, slots=True)
class Server:
    """`[server]`: the HTTP server."""

    # HOST:PORT to listen on; an IPv6 address in brackets. Default 127.0.0.1:3589 (F-L-U-X on a
    # phone): the server speaks no TLS, so keys leave the machine only where the operator says
    # so, best behind a proxy. Port 0 takes a free one, for tests.
    listen: Address = field(default=Address("127.0.0.1", 3589), metadata={"kind": HostPort()})

    # Threads that answer requests. Default 16, 4 to 256. A thread is held from the last byte of a
    # request until its datapoints are on stable storage, so threads are the number of POSTs that
    # can share one commit; with fewer than 4 a page and a health check queue behind senders.
    threads: int = _whole(16, 4, 256, "threads")

    # Names under which pages are shown, beside loopback's and the address of `listen`. Default
    # none: a browser can be led to 127.0.0.1 under any name (DNS rebinding), and would then show
    # them to whoever owns that name. Behind a proxy it's the proxy's. Keys work under all.
    hosts: tuple[str, ...] = field(default=(), metadata={"kind": HostNames()})

    # Where people find the pages, for the links in notifications. Default "", the address of
    # `listen`, which nobody but this machine can open while that is loopback; behind a proxy its
    # own, such as "https://flux.example.org".
    url: str = field(default="", metadata={"kind": Url()})


@dataclass(frozen=True, slots=True)
class Ingest:
    """`[ingest]`: what is accepted from senders."""

    # Oldest timestamp accepted without `fill`, in seconds before now. Default 3600, 60 to
    # 31,536,000 (a year): an hour lets an agent catch up after an outage, and anything older is
    # more often a wrong clock than news. Below a minute ordinary delays would be refused.
    max_age: int = _whole(3_600, 60, 31_536_000, "seconds")

    # Largest body once inflated, in bytes. Default 8 MiB, 1 MiB to 64 MiB: 1 MiB is what may come
    # over the wire, so less would refuse bodies that were never compressed; metrics as JSON
    # shrink about eightfold. Each thread may hold one such body, and what it parses to, at once.
    max_inflated_bytes: int = _whole(8 << 20, 1 << 20, 64 << 20, "bytes")

    # Whether GET /flux/metric_data stores datapoints too. Default false: its key is part of the
    # URL, and URLs end up in proxies' logs and shells' histories.
    allow_get: bool = field(default=False, metadata={"kind": Truth()})


@dataclass(frozen=True, slots=True)
class Retention:
    """`[retention]`: how long what is kept, in seconds."""

    # How long datapoints are kept as they were sent. Default 30 days, 1 hour to 10 years. They take
    # 2.1 to 2.5 bytes each where values have few decimals (9 with all their digits): a metric with
    # one a minute about 95 kB for 30 days, 10,000 such metrics 1 GB. They are deleted block by
    # block, so the oldest may stay up to a quarter longer; history counts from when it came. A
    # metric silent for that long leaves the analysis and frees its place in its key's quota.
    raw: int = _duration(30 * DAY_S, HOUR_S, 10 * YEAR_S)

    # How long the minimum, maximum, mean and count of each hour are kept, and never shorter than
    # the datapoints are. Default 2 years, 1 day to 100 years. They take about 11 bytes an hour,
    # however often a metric reports: about 190 kB for 2 years, 10,000 metrics 2 GB.
    rollup: int = _duration(730 * DAY_S, DAY_S, 100 * YEAR_S)

    # How long expected, lower, upper and score of each datapoint are kept, for charts. Default 14
    # days, 1 hour to 1 year. They take 1.5 bytes a datapoint: a metric with one a minute about
    # 30 kB for 14 days, 10,000 such metrics 0.3 GB. Anomalies keep their own numbers.
    band: int = _duration(14 * DAY_S, HOUR_S, YEAR_S)


@dataclass(frozen=True, slots=True)
class Store:
    """`[store]`: how large the store may become."""

    # Largest size of the store, its log included, in bytes. Default 0: the disk is the limit; else
    # 16 MiB or more, below which there is no room for an hour of anything. At the limit POSTs are
    # refused (503) until retention has made room; from 90 % on /healthz warns.
    max_bytes: int = field(default=0, metadata={"kind": Size(16 << 20, "no limit but the disk's")})

    # Most metrics. Default 1,000,000, 1 to 10,000,000. At the limit a POST with a new metric is
    # refused (503), one with known metrics is not. A metric takes 6 kB of memory, whether it
    # reports or not, so a million that an agent invents by mistake would be 6 GB.
    max_metrics: int = _whole(1_000_000, 1, 10_000_000, "metrics")


@dataclass(frozen=True, slots=True)
class Detection:
    """`[detection]`: what is told."""

    # How many anomalies a metric may have in a week before a further one has a low severity
    # (severity "low"), unless it is stronger than the strongest few of that week. Default 3, 0 to
    # 1,000; 0 lets none have one. A metric that alarms every day is no news every day; nothing is
    # hidden by it.
    budget: int = _whole(BUDGET, 0, 1_000, "anomalies a metric and week")

    # From which score on a datapoint is anomalous: .40, .31 or .25. Default "normal", at which a
    # quiet metric has less than one false alarm in ten days. A change teaches nothing anew.
    sensitivity: str = field(default="normal", metadata={"kind": Choice(tuple(THRESHOLDS))})

    # The clock that daily and weekly patterns follow, and that anomalies are told by. Default
    # "system", the machine's own; else a name of the time zone database, where the machine's clock
    # is not that by which people are at work. So summer time begins without alarms. After a change
    # of this setting patterns are learnt by the new clock over the next days.
    timezone: str = field(default=SYSTEM, metadata={"kind": Zone()})


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting, by section, and the channels that the file has."""

    server: Server = Server()
    ingest: Ingest = Ingest()
    retention: Retention = Retention()
    store: Store = Store()
    detection: Detection = Detection()
    channels: tuple[ChannelConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `section.key` as in TOML, what it may hold, and its default."""

    section: str
    key: str
    kind: Kind
    default: object

    @property
    def path(self) -> str:
        """The name in messages."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable that overrides the file."""
        return f"{_PREFIX}{self.section.upper()}__{self.key.upper()}"


def _settings() -> Iterator[Setting]:
    for section in dataclasses.fields(Config):
        if section.name == CHANNELS:  # names are the user's
            continue
        for key in dataclasses.fields(cast("type[Server]", section.type)):
            yield Setting(section.name, key.name, key.metadata["kind"], key.default)


SETTINGS: Mapping[str, Setting] = MappingProxyType({one.path: one for one in _settings()})
_VARIABLES = {one.variable: one for one in SETTINGS.values()}


def find_config(given: Path | None, data: Path) -> Path | None:
    """Return the file to load: the one `given`, else `fluxd.toml` in the data directory, if any."""
    if given is not None:
        return given
    beside_store = data / FILE_NAME
    # Not `exists()`, which raises where the directory is another user's: that is told later.
    return beside_store if os.access(beside_store, os.F_OK) else None


def load_config(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    listen: str | None = None,
    credentials: bool = False,
) -> Config:
    """Return the settings from `path` (None: no file), `environ` and the option `--listen`.

    Files that hold channels' secrets are read with `credentials` only: the daemon needs them.
    Raises ConfigError for a file that can't be read or parsed, for a setting that does not exist,
    and for a value of the wrong type or out of its bounds.
    """
    values: dict[str, object] = {}
    channels: tuple[ChannelConfig, ...] = ()
    if path is not None:
        table = _parse(path)
        channels = read_channels(table.pop(CHANNELS, {}), path, credentials=credentials)
        for setting, given in _from_file(path, table):
            values[setting.path] = _checked(setting, setting.kind.read, given, f"in {path}")
    for setting, text in _from_environ(environ):
        where = f"in the variable {setting.variable}"
        values[setting.path] = _checked(setting, setting.kind.read_text, text, where)
    if listen is not None:
        setting = SETTINGS["server.listen"]
        values[setting.path] = _checked(setting, setting.kind.read_text, listen, "with --listen")
    return dataclasses.replace(_build(values), channels=channels)


def _build(values: Mapping[str, object]) -> Config:
    sections: dict[str, dict[str, object]] = {}
    for path, value in values.items():
        section, key = path.split(".")
        sections.setdefault(section, {})[key] = value
    config = Config()
    built = {
        name: dataclasses.replace(getattr(config, name), **keys) for name, keys in sections.items()
    }
    return dataclasses.replace(config, **built)


def _from_file(path: Path, table: Mapping[str, object]) -> Iterator[tuple[Setting, object]]:
    for section, keys in table.items():
        if not any(one.section == section for one in SETTINGS.values()):
            raise ConfigError(f"{path}: there is no setting {section}{_near(section)}")
        if not isinstance(keys, dict):
            raise ConfigError(f"{path}: {section} is a section: write [{section}] above its keys")
        for key, value in keys.items():
            setting = SETTINGS.get(f"{section}.{key}")
            if setting is None:
                raise ConfigError(
                    f"{path}: there is no setting {section}.{key}{_near(section, key)}"
                )
            yield setting, value


def _parse(path: Path) -> dict[str, object]:
    try:
        text = path.read_bytes().decode()
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text, from byte {error.start} on") from error
    except tomllib.TOMLDecodeError as error:
        # The parser names line and column, but for a text that breaks off at its end.
        last = text.rstrip().count("\n") + 1
        reason = str(error).replace("at end of document", f"at line {last}, the end")
        raise ConfigError(f"{path} is not valid TOML: {reason}") from error


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[Setting, str]]:
    for name in sorted(environ):
        if not name.startswith(_PREFIX):
            continue
        setting = _VARIABLES.get(name)
        if setting is not None:
            yield setting, environ[name]
        elif "__" in name or _single_underscored(name):
            likely = difflib.get_close_matches(name, _VARIABLES, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"the variable {name} names no setting; did you mean {likely}? "
                f"Known: {', '.join(_VARIABLES)}"
            )


def _single_underscored(name: str) -> bool:
    """Say whether `name` is a setting's variable but for its double underscore.

    Other names are let pass: containers are given FLUXD_PORT and the like by their runtime.
    """
    return any(name == known.replace("__", "_") for known in _VARIABLES)


def _checked(setting: Setting, read: Callable[[Any], object], given: object, where: str) -> object:
    try:
        return read(given)
    except ValueError:
        raise ConfigError(
            f"{setting.path} is {given!r} {where}; it must be {setting.kind.wants} "
            f"(default: {setting.kind.show(setting.default)})"
        ) from None


def _near(section: str, key: str = "") -> str:
    """Return the hint that follows an unknown path: the likeliest one, and its neighbours."""
    known = [one for one in SETTINGS.values() if one.section == section] or SETTINGS.values()
    paths = {one.key: one.path for one in known}
    if not key:  # a section, or a key that stands above the first one
        paths |= {one.section: one.section for one in known} | {CHANNELS: CHANNELS}
    likely = difflib.get_close_matches(key or section, paths, n=1)
    hint = f"; did you mean {paths[likely[0]]}?" if likely else "."
    return f"{hint} Known: {', '.join(one.path for one in known)}"
