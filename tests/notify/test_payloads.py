"""What each service is sent: its documented shape, its limits, and nothing that it would obey."""

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notify.receiver import Receiver, answer
from notify.samples import KINDS, STARTED, message, messages

from fluxd.core.errors import DeliveryError
from fluxd.core.message import Message
from fluxd.notify import ntfy, slack, webhook
from fluxd.notify.ntfy import Ntfy
from fluxd.notify.slack import Slack
from fluxd.notify.webhook import Webhook


def posted(channel: Any, sent: Message, **headers: str) -> dict[str, Any]:
    with Receiver([answer("200 OK", "ok")]) as receiver:
        channel(f"http://127.0.0.1:{receiver.port}/x").send(sent, 30.0)
        (request,) = receiver.requests
    for name, value in headers.items():
        assert request.headers[name] == value
    body = json.loads(request.body)
    assert isinstance(body, dict)
    return body


# ---- webhook


def test_a_webhook_gets_the_message_as_json() -> None:
    body = posted(Webhook, message())
    assert body["type"] == "incident.opened"
    data = body["data"]
    assert set(data) == {
        *("incident", "thread", "severity", "subject", "sentence", "text", "started", "ended"),
        *("metrics", "members", "links", "host", "notes", "stories", "chart"),
    }
    assert data["incident"] == 12
    assert data["started"] == STARTED
    assert data["ended"] is None
    assert data["members"][0]["metric"] == "db-1.disk.await"
    assert data["links"]["acknowledge"].endswith("?acknowledge")
    assert len(data["chart"]["timestamps"]) == len(data["chart"]["lower"]) == 180
    assert data["chart"]["values"][60] is None
    assert data["text"].startswith(message().sentence)


@pytest.mark.parametrize("kind", KINDS)
def test_a_webhooks_type_says_what_it_is_about(kind: str) -> None:
    about = kind if kind in ("digest", "test") else f"incident.{kind}"
    assert webhook.payload(message(kind=kind))["type"] == about


def test_a_digests_stories_have_names() -> None:
    stories = (("a", "b", "https://x.example/1"),)
    (story,) = webhook.payload(message(kind="digest", stories=stories))["data"]["stories"]
    assert story == {"subject": "a", "sentence": "b", "link": "https://x.example/1"}


def test_the_signature_is_standard_webhooks() -> None:
    # The example in the convention's own libraries.
    told = webhook.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        b'{"test": 2432232314}',
    )
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("secret", "key"),
    [("whsec_" + base64.b64encode(b"k" * 24).decode(), b"k" * 24), ("grüße", "grüße".encode())],
)
def test_a_receiver_can_check_what_it_got(secret: str, key: bytes) -> None:
    with Receiver([answer("500 Oops"), answer("204 No Content")]) as receiver:
        channel = Webhook(receiver.url, secret)
        with pytest.raises(DeliveryError):
            channel.send(message(), 30.0)
        channel.send(message(), 30.0)
    first, second = receiver.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "incident-12:opened"
    for one in receiver.requests:
        signed = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode()
        digest = hmac.new(key, signed + one.body, hashlib.sha256).digest()
        assert one.headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_the_readmes_lines_check_a_signature() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (lines,) = re.findall(r"```python\n(import base64.*?)```", readme, re.DOTALL)
    known: dict[str, Any] = {}
    exec(lines, known)  # noqa: S102  # our own README
    with Receiver([answer("204 No Content")]) as receiver:
        Webhook(receiver.url, "whsec_a2V5").send(message(), 30.0)
    (request,) = receiver.requests
    assert known["is_fluxds"]("whsec_a2V5", request.headers, request.body)
    assert not known["is_fluxds"]("whsec_a2V5", request.headers, request.body + b" ")


def test_without_a_secret_nothing_is_signed_and_the_authorization_is_sent_as_it_is() -> None:
    with Receiver([answer("204 No Content")]) as receiver:
        Webhook(receiver.url, authorization="Bearer abc").send(message(), 30.0)
    assert "webhook-signature" not in receiver.requests[0].headers
    assert receiver.requests[0].headers["authorization"] == "Bearer abc"


@given(st.text(max_size=40), st.text(max_size=40))
def test_keys_stay_different_in_headers(one: str, other: str) -> None:
    assert webhook.header_text(one).isascii()
    assert not re.search(r"[\r\n]", webhook.header_text(one))
    assert (webhook.header_text(one) == webhook.header_text(other)) == (one == other)


# ---- Slack


def test_slack_gets_blocks_and_a_text_for_those_without() -> None:
    body = posted(Slack, message(), **{"content-type": "application/json; charset=utf-8"})
    assert set(body) == {"text", "blocks"}
    assert [one["type"] for one in body["blocks"]] == ["header", *["section"] * 3, "context"]
    assert body["blocks"][0]["text"]["text"].endswith("3 metrics on db-1 odd since 15:05")
    for said in ("3 metrics on db-1", "Highest in 21 days", "`db-1.disk.util`", "|Acknowledge>"):
        assert said in body["text"]


def plain(block: dict[str, Any]) -> list[dict[str, Any]]:
    return block["elements"] if "elements" in block else [block["text"]]


@given(messages())
def test_slacks_limits_hold_and_nothing_is_markup(sent: Message) -> None:
    body = slack.payload(sent)
    assert 0 < len(body["text"]) <= 1_900
    assert 0 < len(body["blocks"]) <= 50
    for block in body["blocks"]:
        for text in plain(block):
            limit = 150 if block["type"] == "header" else 3_000
            assert 0 < len(text["text"]) <= limit
            assert text["type"] == ("plain_text" if block["type"] == "header" else "mrkdwn")
            if text["type"] == "mrkdwn":
                assert_no_foreign_markup(text["text"])
    assert_no_foreign_markup(body["text"])


def assert_no_foreign_markup(text: str) -> None:
    """Every < begins one of our links, every & an entity: no <!channel>, no link of others."""
    without_links = re.sub(r"<https://[a-z.]+example[^<>|\n]*\|[^<>]*>", "", text)
    assert "<" not in without_links
    assert ">" not in without_links
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", without_links)


@pytest.mark.parametrize(
    ("status", "said", "mend"),
    [
        ("403 Forbidden", "action_prohibited", "ask the workspace's owner"),
        ("404 Not Found", "no_service", "make a new webhook and enter its address"),
        ("410 Gone", "channel_is_archived", "make a webhook for another one"),
    ],
)
def test_slacks_own_errors_have_their_mends(status: str, said: str, mend: str) -> None:
    with Receiver([answer(status, said)]) as receiver, pytest.raises(DeliveryError) as caught:
        Slack(receiver.url).send(message(), 30.0)
    assert mend in caught.value.reason
    assert said in caught.value.reason
    assert not caught.value.retry


# ---- ntfy


def test_ntfy_gets_its_documented_json() -> None:
    body = posted(
        lambda url: Ntfy(url, "alerts", token="tk_x"), message(), authorization="Bearer tk_x"
    )
    assert body["topic"] == "alerts"
    assert body["title"] == "3 metrics on db-1 odd since 15:05"
    assert body["priority"] == 4
    assert body["tags"] == ["warning"]
    assert body["click"] == "https://flux.example.org/incidents/12"
    assert [one["label"] for one in body["actions"]] == ["Open", "Acknowledge", "Mute"]
    assert {one["action"] for one in body["actions"]} == {"view"}
    assert re.fullmatch(r"[-_A-Za-z0-9]{1,64}", body["sequence_id"])
    assert "db-1.disk.util" in body["message"]


def test_ntfy_takes_a_user_instead_of_a_token() -> None:
    pair = base64.b64encode(b"me:pw").decode()
    posted(
        lambda url: Ntfy(url, "alerts", user="me", password="pw"),
        message(),
        authorization=f"Basic {pair}",
    )


def test_an_attempt_that_is_repeated_replaces_the_first() -> None:
    first, again, other = (
        ntfy.payload(message(key=key), "t")["sequence_id"] for key in ("a", "a", "b")
    )
    assert first == again != other


@pytest.mark.parametrize(
    ("changes", "priority"),
    [
        ({"severity": "low"}, 2),
        ({"severity": "normal"}, 3),
        ({"severity": "critical"}, 5),
        ({"severity": "critical", "kind": "resolved"}, 2),
        ({"severity": "critical", "kind": "digest"}, 2),
    ],
)
def test_ntfys_priority_is_the_severity_but_for_what_can_wait(
    changes: dict[str, Any], priority: int
) -> None:
    assert ntfy.payload(message(**changes), "t")["priority"] == priority


@given(messages())
def test_ntfys_limits_hold(sent: Message) -> None:
    body = ntfy.payload(sent, "t")
    assert len(body["message"].encode()) <= 4_096
    assert len(body["title"]) <= 120
    assert "\n" not in body["title"]
    assert body["priority"] in range(1, 6)
    assert len(body.get("actions", [])) <= 3
    assert ("click" in body) == bool(sent.links.open)
