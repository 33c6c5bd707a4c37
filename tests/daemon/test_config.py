"""Settings: defaults, the three places that they come from, and what a mistake is told."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.errors import ConfigError
from fluxd.core.sensitivity import THRESHOLDS
from fluxd.daemon.addresses import HostNames, HostPort, hosts_of
from fluxd.daemon.config import SETTINGS, Address, Config, find_config, load_config
from fluxd.daemon.detection import read_sensitivity, settings_of
from fluxd.daemon.kinds import Duration, Size


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fluxd.toml"


def refused(path: Path | None = None, listen: str | None = None, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ, listen=listen)
    return caught.value.message


def test_without_a_file_everything_has_its_default() -> None:
    config = load_config(None, {"PATH": "/bin"})
    assert config == Config()
    assert str(config.server.listen) == "127.0.0.1:3589"
    assert config.server.threads == 16
    assert config.ingest.max_age == 3600
    assert config.ingest.max_inflated_bytes == 8 << 20
    assert config.ingest.allow_get is False
    days = [config.retention.raw, config.retention.rollup, config.retention.band]
    assert [seconds / 86_400 for seconds in days] == [30, 730, 14]
    assert config.store.max_bytes == 0
    assert config.store.max_metrics == 1_000_000
    assert config.detection.budget == 3
    assert config.detection.sensitivity == "normal"
    assert config.detection.timezone == "system"


def test_a_file_sets_what_it_names(file: Path) -> None:
    file.write_text('[server]\nlisten = "[::1]:4000"\n[ingest]\nallow_get = true\n')
    config = load_config(file, {})
    assert config.server.listen == Address("::1", 4000)
    assert config.server.threads == 16
    assert config.ingest.allow_get is True


def test_an_option_wins_over_the_environment_and_that_over_the_file(file: Path) -> None:
    file.write_text('[server]\nlisten = "127.0.0.1:1"\nthreads = 8\n')
    environ = {"FLUXD_SERVER__LISTEN": "127.0.0.1:2", "FLUXD_INGEST__ALLOW_GET": "true"}
    assert load_config(file, environ).server.listen.port == 2
    assert load_config(file, environ).server.threads == 8
    assert load_config(file, environ).ingest.allow_get is True
    assert load_config(file, environ, listen="127.0.0.1:3").server.listen.port == 3


def test_every_setting_has_a_default_that_its_own_kind_takes() -> None:
    for setting in SETTINGS.values():
        environ = {setting.variable: setting.kind.show(setting.default).strip('"')}
        assert load_config(None, environ) == Config(), setting.path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[server]\nthread = 8", "no setting server.thread; did you mean server.threads?"),
        ("[server]\nqqq = 8", "server.qqq. Known: server.listen, server.threads"),
        ("[srver]\nthreads = 8", "no setting srver; did you mean server? Known: server.listen, s"),
        ("threads = 8", "no setting threads; did you mean server.threads?"),
        ("[zoo]\n", "no setting zoo. Known: server.listen"),
        ("server = 8", "server is a section: write [server] above its keys"),
        ("[server.threads]\nx = 1", "server.threads is {'x': 1}"),
    ],
)
def test_an_unknown_name_is_told_with_its_path_and_its_neighbours(
    file: Path, text: str, told: str
) -> None:
    file.write_text(text)
    message = refused(file)
    assert str(file) in message
    assert told in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[server]\nthreads = 1000",
            "is 1000 in {file}; it must be a whole number of threads from 4 to 256 (default: 16)",
        ),
        ("[server]\nthreads = true", "server.threads is True in {file}"),
        ("[server]\nthreads = 16.0", "server.threads is 16.0 in {file}"),
        ('[server]\nthreads = "16"', "server.threads is '16' in {file}"),
        ("[server]\nlisten = 3589", "server.listen is 3589 in {file}; it must be HOST:PORT"),
        ("[ingest]\nmax_age = 59", "a whole number of seconds from 60 to 31536000"),
        ("[ingest]\nmax_inflated_bytes = 1", "of bytes from 1048576 to 67108864"),
        ("[ingest]\nallow_get = 1", "ingest.allow_get is 1 in {file}; it must be true or false"),
        (
            '[retention]\nraw = "30"',
            'raw is \'30\' in {file}; it must be a time from "1h" to "10y"',
        ),
        ('[retention]\nraw = "30 days"', 'such as "90m", "12h" or "30d", or whole seconds'),
        ("[retention]\nrollup = 86399", 'a time from "1d" to "100y"'),
        ('[retention]\nband = "53w"', 'from "1h" to "1y": a number with a unit (s m h d w y)'),
        ("[retention]\nband = true", "retention.band is True in {file}"),
        ("[retention]\nband = 1e6", '(default: "14d")'),
        (
            '[store]\nmax_bytes = "20G"',
            'must be 0 (no limit but the disk\'s) or a size from "16MiB"',
        ),
        ("[store]\nmax_bytes = 16777215", "or whole bytes (default: 0)"),
        ("[store]\nmax_bytes = false", "store.max_bytes is False"),
        ('[store]\nmax_bytes = "-1GB"', "(kB MB GB TB KiB MiB GiB TiB)"),
        ("[store]\nmax_metrics = 0", "a whole number of metrics from 1 to 10000000"),
        ("[detection]\nbudget = 1001", "of anomalies a metric and week from 0 to 1000"),
        (
            '[detection]\nsensitivity = "hi"',
            'must be "low", "normal" or "high" (default: "normal")',
        ),
        ("[detection]\nsensitivity = 0.3", "detection.sensitivity is 0.3 in {file}"),
        (
            '[detection]\ntimezone = "Berlin"',
            'must be "system" or the name of a time zone that this machine knows, such as "E',
        ),
        ("[detection]\ntimezone = 1", '(default: "system")'),
    ],
)
def test_a_wrong_value_is_told_with_bounds_unit_and_default(
    file: Path, text: str, told: str
) -> None:
    file.write_text(text)
    assert told.format(file=file) in refused(file)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        (
            "FLUXD_SERVER__THREADS",
            "many",
            "server.threads is 'many' in the variable FLUXD_SERVER__",
        ),
        ("FLUXD_SERVER__THREADS", "", "from 4 to 256"),
        ("FLUXD_INGEST__ALLOW_GET", "yes", "it must be true or false"),
        ("FLUXD_RETENTION__RAW", "59m", 'it must be a time from "1h"'),
        ("FLUXD_STORE__MAX_BYTES", "much", "it must be 0 (no limit"),
        ("FLUXD_SERVER__THREAD", "8", "names no setting; did you mean FLUXD_SERVER__THREADS?"),
        ("FLUXD_SERVER_LISTEN", "[::1]:1", "did you mean FLUXD_SERVER__LISTEN?"),
    ],
)
def test_a_variable_is_held_to_the_same(variable: str, value: str, told: str) -> None:
    assert told in refused(**{variable: value})


def test_variables_that_are_no_settings_are_left_alone() -> None:
    environ = {"FLUXD_DATA": "/srv/fluxd", "FLUXD_PORT": "tcp://10.0.0.1:3589"}
    assert load_config(None, environ) == Config()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"[server]\nthreads = \n", "line 2"),
        (b"[server]\nlisten = '''\n\n", "line 2, the end"),
        (b"[server]\n# \xff\n", "not UTF-8 text, from byte 11"),
    ],
)
def test_a_broken_file_is_told_with_its_place(file: Path, text: bytes, told: str) -> None:
    file.write_bytes(text)
    message = refused(file)
    assert str(file) in message
    assert told in message


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert "No such file" in refused(tmp_path / "absent.toml")
    assert "can't be read" in refused(tmp_path)


def test_the_file_is_the_one_given_else_the_one_in_the_data_directory(
    tmp_path: Path, file: Path
) -> None:
    given = tmp_path / "other.toml"
    assert find_config(None, tmp_path) is None
    assert find_config(given, tmp_path) == given
    file.touch()
    assert find_config(None, tmp_path) == file
    assert find_config(given, tmp_path) == given


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:3589", "127.0.0.1", 3589),
        ("0.0.0.0:80", "0.0.0.0", 80),  # noqa: S104  # read, not bound
        ("[::1]:3589", "::1", 3589),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
        ("localhost:0", "localhost", 0),
        ("flux-1.example.org:65535", "flux-1.example.org", 65535),
    ],
)
def test_addresses_are_read(text: str, host: str, port: int) -> None:
    address = HostPort().read(text)
    assert (address.host, address.port) == (host, port)
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "3589", ":3589", "localhost", "localhost:", "localhost:65536", "localhost:-1"),
        *("::1:3589", "[::1]", "[::1]3589", "[localhost]:1", "256.0.0.1:1", "1.2.3:1", "*:1"),
        *("a b:1", "h:1\n", "-h:1", "http://localhost:1", "unix:/run/fluxd.sock"),
        "h:\N{ARABIC-INDIC DIGIT ONE}",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert "HOST:PORT" in refused(listen=text)
    assert "with --listen" in refused(listen=text)


@given(st.text())
def test_no_text_is_anything_but_an_address_or_refused(text: str) -> None:
    try:
        address = HostPort().read_text(text)
    except ValueError:
        return
    assert HostPort().read_text(str(address)) == address


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("90m", 5_400),
        ("12h", 43_200),
        ("30d", 2_592_000),
        ("30 d", 2_592_000),
        ("2w", 1_209_600),
        ("2y", 63_072_000),
        ("5400", 5_400),
    ],
)
def test_times_are_read(text: str, seconds: int) -> None:
    kind = Duration(90, 10**9)
    assert kind.read(text) == kind.read(seconds) == kind.read_text(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("0GB", 0),
        ("500B", 500),
        ("3kB", 3_000),
        ("20GB", 20 * 10**9),
        ("20 GB", 20 * 10**9),
        ("500MiB", 500 << 20),
        ("2TB", 2 * 10**12),
        ("1TiB", 1 << 40),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    kind = Size(500, "none")
    assert kind.read(text) == kind.read(size) == kind.read_text(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "d", "30D", "1.5d", "-1d", "+1d", "1d ", "1  d", "1d2h", "1e3s", "1_000s", "½d", "9" * 16],
)
def test_what_is_no_time_or_size_is_refused(text: str) -> None:
    for kind in (Duration(0, 10**12), Size(1, "none")):
        with pytest.raises(ValueError, match=r"^"):
            kind.read(text)


@given(st.integers(0, 10**12))
def test_amounts_come_back_as_they_are_shown(amount: int) -> None:
    for kind in (Duration(0, 10**12), Size(1, "none")):
        assert kind.read_text(kind.show(amount).strip('"')) == amount


def test_what_is_said_of_detection_is_what_the_detector_gets(file: Path) -> None:
    file.write_text('[detection]\nbudget = 7\nsensitivity = "high"\ntimezone = "Europe/Berlin"\n')
    settings = settings_of(load_config(file, {}))
    assert (settings.budget, settings.threshold) == (7, THRESHOLDS["high"])
    assert settings.local.offset(1_720_000_000) == 7_200
    environ = {"FLUXD_DETECTION__TIMEZONE": "UTC", "FLUXD_DETECTION__SENSITIVITY": "low"}
    settings = settings_of(load_config(file, environ))
    assert settings.threshold == THRESHOLDS["low"] > THRESHOLDS["normal"] > THRESHOLDS["high"]
    assert settings.local.offset(1_720_000_000) == 0


def test_a_sensitivity_may_be_a_score() -> None:
    assert read_sensitivity("0.5") == 0.5
    assert read_sensitivity("low") == THRESHOLDS["low"]
    for text in ("", "lower", "1.5", "-1", "nan"):
        with pytest.raises(ConfigError, match=r"low, normal, high or a score \(0 to 1\)"):
            read_sensitivity(text)


def test_names_for_the_pages() -> None:
    kind = HostNames()
    assert kind.read(["flux.example.org", "[::1]", "10.0.0.1"]) == (
        *("flux.example.org", "::1", "10.0.0.1"),
    )
    assert kind.read_text(" a.example , b.example") == ("a.example", "b.example")
    assert kind.read_text('["a.example"]') == ("a.example",)
    assert kind.read_text("") == kind.read([]) == ()
    assert kind.show(("a.example", "::1")) == '["a.example", "::1"]'
    with pytest.raises(ValueError, match=r"^$"):
        kind.read_text("a.example,,b.example")


@pytest.mark.parametrize(
    "value", ["a.example", ["https://a.example"], ["a:80"], [1], ["a b"], [""], ["*"]]
)
def test_what_is_no_list_of_names_is_refused(file: Path, value: object) -> None:
    file.write_text(f"[server]\nhosts = {json.dumps(value)}\n")
    with pytest.raises(ConfigError, match=r"server\.hosts is .* must be a list of host names"):
        load_config(file, {})


def test_the_address_listened_on_is_a_name_too() -> None:
    assert hosts_of(Address("192.0.2.1", 1), ("a.example",)) == ("a.example", "192.0.2.1")
    assert hosts_of(Address("0.0.0.0", 1), ("a.example",)) == ("a.example",)  # noqa: S104
