"""A webhook: the message as JSON, signed after the Standard Webhooks convention.

Headers of each POST (https://www.standardwebhooks.com):

    webhook-id          the message's idempotency key: the same for every attempt
    Idempotency-Key     the same
    webhook-timestamp   when this attempt was made, Unix seconds
    webhook-signature   v1,BASE64 of HMAC-SHA256(secret, "ID.TIMESTAMP.BODY"); only with a secret

A secret `whsec_BASE64` is the bytes that the base64 stands for, any other its own UTF-8 bytes.
Refuse timestamps that are more than five minutes off, and take an id once. Any 2xx is "taken".

Body (UTF-8 JSON; times in Unix seconds, null where there is none; new members may come):

    {"type": "incident.opened" | "incident.worsened" | "incident.resolved" | "digest" | "test",
     "data": {"incident": 12, "thread": "…", "severity": "low" | "normal" | "high" | "critical",
              "subject": "…", "sentence": "…", "text": "the whole as plain text",
              "started": 1793714700, "ended": null, "metrics": 3,
              "members": [{"metric", "kind", "direction", "started", "ended", "score", "sentence",
                           "link"}],
              "links": {"open", "acknowledge", "mute"}, "host": "db-1", "notes": ["…"],
              "stories": [{"subject", "sentence", "link"}],
              "chart": null | {"title", "started", "ended", "timestamps", "values", "expected",
                               "lower", "upper"}}}
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fluxd.core.message import Message, to_json
from fluxd.notify.channel import Answer
from fluxd.notify.fields import Field, Kind, Settings, read_line, read_url
from fluxd.notify.posting import Post, send_post
from fluxd.notify.wording import subject, text

BASE64_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts the message to an address."""

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)

    def send(self, message: Message, timeout_s: float) -> Answer:
        """Deliver the message; see `Channel`."""
        body = json.dumps(payload(message), ensure_ascii=False, separators=(",", ":")).encode()
        key, now = header_text(message.key), str(int(time.time()))
        headers = {"webhook-id": key, "Idempotency-Key": key, "webhook-timestamp": now}
        if self.secret:
            headers["webhook-signature"] = signature(self.secret, key, now, body)
        if self.authorization:
            headers["Authorization"] = self.authorization
        secrets = tuple(one for one in (self.secret, *self.authorization.split()) if one)
        return send_post(Post(self.url, headers, body, secrets), timeout_s)


def payload(message: Message) -> dict[str, Any]:
    """Return the body, as the head of this module has it."""
    data = to_json(message)
    data["subject"] = subject(message)
    data["text"] = text(message)
    data["chart"] = data.pop("picture")
    data["stories"] = [
        dict(zip(("subject", "sentence", "link"), one, strict=True)) for one in message.stories
    ]
    for own in ("kind", "key", "offset", "down"):
        del data[own]
    alone = message.kind in ("digest", "test")
    return {"type": message.kind if alone else f"incident.{message.kind}", "data": data}


def signature(secret: str, key: str, timestamp: str, body: bytes) -> str:
    """Return the header `webhook-signature`."""
    signed = b".".join((key.encode(), timestamp.encode(), body))
    digest = hmac.new(_key_bytes(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def header_text(value: str) -> str:
    r"""Return a value that a header can hold, different for different values.

    >>> header_text("incident-12:opened"), header_text("a b\nc%")
    ('incident-12:opened', 'a%20b%0Ac%25')
    """
    return quote(value, safe="-._~:/+=@")


def _key_bytes(secret: str) -> bytes:
    if secret.startswith(BASE64_PREFIX):
        return base64.b64decode(secret.removeprefix(BASE64_PREFIX), validate=True)
    return secret.encode()


def _read_secret(given: str) -> str:
    try:
        key = _key_bytes(read_line(given))
    except (binascii.Error, ValueError):
        raise ValueError("whsec_ and then base64, or any other text of one line") from None
    if not key:
        raise ValueError("more than whsec_ alone")
    return given


def _read_authorization(given: str) -> str:
    if not given.isascii():
        raise ValueError("a header's value in ASCII, such as: Bearer TOKEN")
    return read_line(given)


def _make(settings: Settings) -> Webhook:
    return Webhook(settings["url"], settings["secret"], settings["authorization"])


KIND = Kind(
    "webhook",
    "Webhook (JSON)",
    (
        Field(
            "url",
            "Address",
            "where to POST the message, such as https://example.org/hooks/fluxd",
            secret=True,
            required=True,
            read=read_url,
        ),
        Field(
            "secret",
            "Signing secret",
            "signs each message, so that the receiver knows it for fluxd's; whsec_… or any text",
            secret=True,
            read=_read_secret,
        ),
        Field(
            "authorization",
            "Authorization header",
            "sent as it is, where the receiver wants it, such as: Bearer TOKEN",
            secret=True,
            read=_read_authorization,
        ),
    ),
    _make,
)
