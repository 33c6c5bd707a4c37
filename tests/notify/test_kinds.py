"""The kinds of channels: fields as they are read, what is refused, and what may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxd.core.errors import ChannelError
from fluxd.notify.fields import addresses, read_url
from fluxd.notify.kinds import KINDS, build, check, public
from fluxd.notify.scrub import hide, origin, secrets_of, snippet

WHOLE = {
    "webhook": {
        "url": "https://example.org/hooks/S3CRETPATH?k=S3CRETQUERY",
        "secret": "S3CRETSIGNING",
        "authorization": "Bearer S3CRETBEARER",
    },
    "email": {
        "host": "smtp.example.org",
        "port": "2525",
        "security": "tls",
        "user": "fluxd",
        "password": "S3CRETPASSWORD",
        "from": "fluxd <fluxd@example.org>",
        "to": "ops@example.org, night@example.org",
    },
    "slack": {"url": "https://hooks.slack.com/services/T0/B0/S3CRETTOKEN"},
    "ntfy": {"server": "https://ntfy.sh", "topic": "S3CRETTOPIC", "token": "S3CRETTOKEN"},
    "apprise": {"url": "tgram://S3CRETTOKEN/S3CRETCHAT"},
}


def refused(kind: str, **changes: str) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        check(kind, WHOLE.get(kind, {}) | {key.rstrip("_"): one for key, one in changes.items()})
    assert "S3CRET" not in caught.value.message
    return caught.value


def test_every_kind_is_tried_here() -> None:
    assert set(WHOLE) == set(KINDS)
    assert all(name == kind.name for name, kind in KINDS.items())


@pytest.mark.parametrize("kind", KINDS)
def test_checked_settings_stay_as_they_are_and_make_a_channel_without_secrets_to_see(
    kind: str,
) -> None:
    settings = check(kind, WHOLE[kind])
    assert check(kind, settings) == settings
    assert set(settings) == {one.name for one in KINDS[kind].fields}
    assert WHOLE[kind].items() <= settings.items()
    channel = build(kind, settings)
    for shown in (repr(channel), str(channel), repr(public(kind, settings))):
        assert "S3CRET" not in shown


@pytest.mark.parametrize("kind", KINDS)
def test_each_required_field_is_asked_for_by_its_name(kind: str) -> None:
    required = [one for one in KINDS[kind].fields if one.required]
    assert required
    for one in required:
        for empty in ("", "   "):
            error = refused(kind, **{one.name: empty})
            assert error.field == one.name
            assert error.message == f"{one.name} is missing: {one.hint}"


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_is(kind: str) -> None:
    for one in KINDS[kind].fields:
        assert one.label
        assert len(one.hint) > 5
        assert not (one.secret and one.default)
        assert not one.choices or one.default in one.choices


def test_a_field_that_came_later_has_its_default_in_older_settings() -> None:
    ntfy = build("ntfy", {"topic": "alerts"})
    assert "https://ntfy.sh" in repr(ntfy)


@pytest.mark.parametrize(
    ("kind", "changes", "field", "told"),
    [
        ("fax", {}, "kind", "kind is 'fax'; it must be one of webhook, email, slack, ntfy, appr"),
        ("slack", {"urll": "x"}, "", "slack has no field urll; did you mean url? Known: url"),
        ("webhook", {"url": "example.org"}, "url", "must be an address that begins with https://"),
        ("webhook", {"url": "ftp://example.org"}, "url", "or http:// and has a host"),
        ("webhook", {"url": "file:///etc/passwd"}, "url", "url is not what it should be"),
        ("webhook", {"url": "https://"}, "url", "has a host"),
        ("webhook", {"url": "https://a b/"}, "url", "without spaces"),
        ("webhook", {"url": "https://a/\r\nX: 1"}, "url", "without spaces"),
        ("webhook", {"url": "https://a:0/"}, "url", "its port is from 1 to 65535"),
        ("webhook", {"url": "https://a:99999/"}, "url", "has a host"),
        ("webhook", {"url": "https://[::1"}, "url", "has a host"),
        ("webhook", {"url": "https://u:p@a/"}, "url", "without user and password"),
        ("webhook", {"secret": "whsec_%%"}, "secret", "whsec_ and then base64"),
        ("webhook", {"secret": "whsec_"}, "secret", "more than whsec_ alone"),
        ("webhook", {"authorization": "Bearer ü"}, "authorization", "in ASCII"),
        ("webhook", {"authorization": "a\nb"}, "authorization", "one line of plain text"),
        ("email", {"host": "smtp.example.org:25"}, "host", "without its port"),
        ("email", {"host": "smtp example"}, "host", "host is 'smtp example'"),
        ("email", {"port": "0"}, "port", "port is '0'; it must be a port from 1 to 65535"),
        ("email", {"port": "²"}, "port", "a port from 1 to 65535"),
        ("email", {"security": "ssl"}, "security", '"starttls", "tls", "none" (default: starttls)'),
        ("email", {"from_": "a@example.org, b@example.org"}, "from", "one mail address such as"),
        ("email", {"from_": "fluxd"}, "from", "from is 'fluxd'; it must be one mail address"),
        ("email", {"to": "ops"}, "to", "mail addresses such as ops@example.org, apart by commas"),
        ("email", {"to": "a@example.org, b"}, "to", "to is 'a@example.org, b'"),
        ("email", {"to": "a@example.org\nBcc: b@example.org"}, "to", "mail addresses"),
        ("email", {"password": ""}, "password", "user and password go together"),
        ("email", {"user": ""}, "user", "has neither"),
        ("email", {"security": "none"}, "security", "would send the password readable by all"),
        ("ntfy", {"topic": "a/b"}, "topic", "at most 64 letters, digits, _ and -"),
        ("ntfy", {"topic": "x" * 65}, "topic", "a topic of at most 64"),
        ("ntfy", {"server": "https://ntfy.sh/?x=1"}, "server", "the server's address alone"),
        ("ntfy", {"user": "me"}, "password", "password is missing: user and password go together"),
        ("ntfy", {"password": "x"}, "user", "user is missing"),
        ("ntfy", {"user": "me", "password": "x"}, "token", "give one of the two"),
        ("apprise", {"url": "S3CRET"}, "url", "one apprise address such as tgram://"),
        ("apprise", {"url": "json://h S3CRET"}, "url", "one apprise address"),
        ("apprise", {"url": "jsons://h/?verify=no"}, "url", "certificates are always checked"),
    ],
)
def test_what_is_wrong_is_told_with_its_field_and_its_mend(
    kind: str, changes: dict[str, str], field: str, told: str
) -> None:
    error = refused(kind, **changes)
    assert error.field == field
    assert told in error.message
    if field:
        assert error.message.startswith(f"{field} ")


def test_a_password_to_this_machine_needs_no_encryption() -> None:
    for host in ("localhost", "127.0.0.1", "::1"):
        assert check("email", WHOLE["email"] | {"host": host, "security": "none"})["host"] == host


@pytest.mark.parametrize(
    ("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25), ("", 587)]
)
def test_the_port_follows_from_the_encryption(security: str, port: int) -> None:
    settings = WHOLE["email"] | {"security": security, "port": "", "user": "", "password": ""}
    assert f"port={port}," in repr(build("email", check("email", settings)))


def test_what_is_read_is_read_in_its_one_form() -> None:
    assert read_url("https://example.org/ü?q=ä#part") == "https://example.org/%C3%BC?q=%C3%A4"
    assert read_url("http://[::1]:8080/x") == "http://[::1]:8080/x"
    assert check("email", WHOLE["email"] | {"port": " 0465 "})["port"] == "465"
    assert (
        check("ntfy", WHOLE["ntfy"] | {"server": "https://ntfy.sh/"})["server"] == "https://ntfy.sh"
    )


def test_secrets_are_shown_as_set_and_addresses_by_their_host() -> None:
    assert public("webhook", WHOLE["webhook"]) == {
        "url": "https://example.org/***",
        "secret": "***",
        "authorization": "***",
    }
    assert public("email", WHOLE["email"])["user"] == "fluxd"
    assert public("ntfy", {"topic": "x"})["token"] == ""
    assert public("apprise", WHOLE["apprise"]) == {"url": "***"}


@given(st.text(max_size=60))
def test_an_address_is_taken_as_it_can_be_sent_or_refused(given_text: str) -> None:
    try:
        url = read_url(given_text)
    except ValueError:
        return
    assert url.startswith(("http://", "https://"))
    assert not any(character in url.partition("//")[2] for character in " \r\n\t#")
    assert url.partition("//")[2].partition("/")[2].isascii()
    assert read_url(url) == url
    assert origin(url)


@given(st.text(max_size=40))
def test_addresses_are_mail_addresses_or_none(text: str) -> None:
    for one in addresses(text):
        assert one.username
        assert "." in one.domain or one.domain
        assert "\n" not in str(one)


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_is_nowhere_in_what_was_hidden(secret: str, before: str, after: str) -> None:
    shown = hide(f"{before}{secret}{after}", [secret])
    assert secret not in shown.replace("***", "") or secret in f"{before}{after}" or "*" in secret


@given(st.binary(max_size=2_000))
def test_a_snippet_is_one_short_line_that_can_be_shown(body: bytes) -> None:
    shown = snippet(body)
    assert len(shown) <= 200
    assert not any(ord(one) < 32 or one in "\u2028\u202e" for one in shown)


def test_all_of_an_address_but_its_host_is_secret() -> None:
    url = "https://hooks.example.org:8443/services/T0AB12CD3/XyZ?token=abcdefgh"
    told = f"POST {url} 404; path /services/T0AB12CD3/XyZ; T0AB12CD3; abcdefgh"
    assert hide(told, secrets_of(url)) == "POST *** 404; path ***; ***; ***"
    assert origin(url) == "https://hooks.example.org:8443"
