"""Channels in the file: what is read, what is refused, and that secrets stay out of sight."""

import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.errors import ConfigError
from fluxd.daemon.channels import POLICY, ChannelConfig
from fluxd.daemon.config import Config, load_config
from fluxd.notify.kinds import KINDS, build

EXAMPLE = Path(__file__).parents[2] / "packaging" / "fluxd.toml"
SLACK = 'kind = "slack"\nurl = "https://hooks.slack.com/services/T0/B0/s3cret-token"\n'
MAIL = 'kind = "email"\nhost = "smtp.example.org"\nfrom = "a@example.org"\nto = "b@example.org"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fluxd.toml"


def load(file: Path, text: str, name: str = "ops") -> ChannelConfig:
    file.write_text(f"[channels.{name}]\n{text}")
    (channel,) = load_config(file, {}, credentials=True).channels
    return channel


def refused(file: Path, text: str, name: str = "ops") -> str:
    with pytest.raises(ConfigError) as caught:
        load(file, text, name)
    assert str(file) in caught.value.message
    return caught.value.message


def test_without_a_table_there_are_none(file: Path) -> None:
    file.write_text("[server]\nthreads = 8\n")
    assert load_config(file, {}).channels == () == Config().channels


def test_a_channel_has_its_kinds_fields_and_the_policys_defaults(file: Path) -> None:
    channel = load(file, MAIL)
    assert (channel.name, channel.kind) == ("ops", "email")
    assert channel.settings["host"] == "smtp.example.org"
    assert channel.settings["security"] == "starttls"
    assert (channel.min_severity, channel.metrics, channel.quiet_hours) == ("normal", (), "")
    assert (channel.daily_cap, channel.digest, channel.resolved) == (20, "off", True)
    build(channel.kind, channel.settings)


def test_a_channel_says_which_messages_it_gets(file: Path) -> None:
    policy = 'min_severity = "high"\nmetrics = ["db-*", "*.errors"]\nquiet_hours = "22:00-07:00"\n'
    channel = load(file, f"{SLACK}{policy}daily_cap = 3\ndigest = 'only'\nresolved = false\n")
    assert channel.min_severity == "high"
    assert channel.metrics == ("db-*", "*.errors")
    assert channel.quiet_hours == "22:00-07:00"
    assert (channel.daily_cap, channel.digest, channel.resolved) == (3, "only", False)


def test_fields_may_be_numbers_and_lists_and_channels_come_by_name(file: Path) -> None:
    file.write_text(
        f"[channels.b]\n{SLACK}[channels.a]\n"
        'kind = "email"\nhost = "localhost"\nport = 2525\nsecurity = "none"\n'
        'from = "fluxd <a@example.org>"\nto = ["b@example.org", "c@example.org"]\n'
    )
    first, second = load_config(file, {}).channels
    assert (first.name, second.name) == ("a", "b")
    assert first.settings["port"] == "2525"
    assert first.settings["to"] == "b@example.org, c@example.org"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "channels.ops.kind is missing; it must be one of webhook, email, slack, ntfy, app"),
        ('kind = "fax"', "channels.ops.kind is 'fax'; it must be one of webhook, email"),
        ("kind = 3", "channels.ops.kind is 3; it must be one of"),
        ('kind = "slack"', "channels.ops.url is missing: the incoming webhook's"),
        (f"{MAIL}port = 99999", "ops.port is '99999'; it must be a port from 1 to 65535"),
        (f"{MAIL}port = true", "ops.port must be text in quotes, a whole number, or a list"),
        (f"{MAIL}user = 'x'", "channels.ops.password is missing: user and password go together"),
        (
            f"{MAIL}sekurity = 'tls'",
            "ops: email has no sekurity; did you mean security? Known: kin",
        ),
        (f"{MAIL}host_file = '/x'", "channels.ops: email has no host_file"),
        (f"{MAIL}security = 'ssl'", 'must be one of "starttls", "tls", "none" (default: starttls)'),
        (
            f"{SLACK}daily_cap = -1",
            "ops.daily_cap is -1; it must be a whole number of messages a day",
        ),
        (f"{SLACK}daily_cap = 1001", "from 0 to 1000 (default: 20)"),
        (f"{SLACK}digest = 1", 'ops.digest is 1; it must be "off", "also" or "only"'),
        (f"{SLACK}min_severity = 'mild'", '"high" or "critical" (default: "normal")'),
        (f"{SLACK}metrics = 'db-*'", "ops.metrics is 'db-*'; it must be a list of patterns"),
        (f"{SLACK}metrics = ['']", 'such as ["db-*", "web.*.errors"] (default: [])'),
        (
            f"{SLACK}quiet_hours = '22-7'",
            'it must be hours of the day such as "22:00-07:00", or ""',
        ),
        (f"{SLACK}quiet_hours = '24:00-07:00'", "ops.quiet_hours is '24:00-07:00'"),
        (f"{SLACK}quiet_hours = '07:00-07:00'", '(default: "")'),
    ],
)
def test_what_is_wrong_is_told_with_its_path_and_its_mend(file: Path, text: str, told: str) -> None:
    assert told in refused(file, text)


def test_a_channel_is_a_table_with_a_plain_name(file: Path) -> None:
    assert "a channel's name has at most 40 letters" in refused(file, SLACK, name='"o p s"')
    for text in ('channels = "slack"', 'channels = ["slack"]', '[channels]\nops = "slack"'):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r"write \[channels.NAME\]"):
            load_config(file, {})


def test_a_section_that_is_nearly_channels_is_told_so(file: Path) -> None:
    file.write_text(f"[channel.ops]\n{SLACK}")
    with pytest.raises(ConfigError, match="no setting channel; did you mean channels"):
        load_config(file, {})


def test_a_secret_may_be_in_a_file_of_its_own(file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "smtp"
    secret.write_text("hunter2\n")
    channel = load(file, f'{MAIL}user = "fluxd"\npassword_file = "{secret}"\n')
    assert channel.settings["password"] == "hunter2"
    assert "password_file" not in channel.settings


def test_only_the_daemon_reads_files_of_secrets(file: Path, tmp_path: Path) -> None:
    missing = tmp_path / "credentials" / "smtp"
    text = f'{MAIL}user = "fluxd"\npassword_file = "{missing}"\n'
    file.write_text(f"[channels.ops]\n{text}[channels.chat]\n{SLACK}")
    assert [one.name for one in load_config(file, {}).channels] == ["chat"]
    told = refused(file, text)
    assert (
        f"channels.ops.password_file: {missing} can't be read (No such file or directory)" in told
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "must hold the secret and nothing else"),
        (b"x" * 5_000, "must hold the secret and nothing else"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_file_that_holds_no_secret_is_refused(
    file: Path, tmp_path: Path, content: bytes, told: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(content)
    assert told in refused(file, f'kind = "slack"\nurl_file = "{secret}"\n')


def test_a_secret_stands_in_one_place_by_its_full_path(file: Path) -> None:
    assert "there are url and url_file" in refused(file, f'{SLACK}url_file = "/x"\n')
    assert "full path, from / on" in refused(file, 'kind = "slack"\nurl_file = "secrets/slack"\n')


@pytest.mark.parametrize(
    "text",
    [
        'kind = "slack"\nurl = "hooks.slack.com/services/s3cret-token"\n',
        'kind = "webhook"\nurl = "ftp://s3cret-token"\n',
        'kind = "webhook"\nurl = "https://example.org"\nsecret = "whsec_s3cret-token"\n',
        'kind = "ntfy"\ntopic = "s3cret-token is mine"\n',
        'kind = "slack"\nurl = ["s3cret-token", 3]\n',
        'kind = "apprise"\nurl = "s3cret-token"\n',
    ],
)
def test_a_refusal_does_not_show_secrets(file: Path, text: str) -> None:
    assert "s3cret-token" not in refused(file, text)


def test_secrets_are_in_no_representation(file: Path) -> None:
    channel = load(file, SLACK)
    assert channel.settings["url"].endswith("s3cret-token")
    assert "s3cret" not in repr(channel)
    assert "s3cret" not in repr(load_config(file, {}))


def test_the_example_shows_a_channel_of_each_kind_and_every_policy() -> None:
    text = EXAMPLE.read_text()
    lines = re.findall(r"^# (\[channels\.\w+\]|\w+ = .*)$", text, flags=re.MULTILINE)
    tables = tomllib.loads("\n".join(lines))["channels"]
    assert {one["kind"] for one in tables.values()} == set(KINDS)
    for key in POLICY:
        assert f"#   {key} " in text


def test_the_examples_channels_are_taken_as_they_are(file: Path) -> None:
    lines = re.findall(r"^# (\[channels\.\w+\]|\w+ = .*)$", EXAMPLE.read_text(), flags=re.MULTILINE)
    file.write_text("\n".join(lines))
    channels = load_config(file, {}).channels
    assert len(channels) == len(KINDS)
    for one in channels:
        assert "secret" not in repr(build(one.kind, one.settings))


@given(hours=st.from_regex(r"[0-9:-]{0,12}", fullmatch=True))
def test_hours_are_taken_or_refused_and_nothing_else(hours: str) -> None:
    kind = POLICY["quiet_hours"]
    try:
        assert kind.read(hours) == hours
    except ValueError:
        return
    assert hours == "" or (len(hours) == 11 and hours[:5] != hours[6:])


def test_a_variable_is_no_way_to_a_channel() -> None:
    with pytest.raises(ConfigError, match="FLUXD_CHANNELS__OPS names no setting"):
        load_config(None, {**os.environ, "FLUXD_CHANNELS__OPS": "x"})
