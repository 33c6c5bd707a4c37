"""Other services by apprise: real apprise, to a real server."""

import io
import json
import logging
import sys

import pytest
from notify.receiver import Receiver, answer, hangs
from notify.samples import message

from fluxd.core.errors import ChannelError, DeliveryError
from fluxd.notify import via_apprise
from fluxd.notify.kinds import check
from fluxd.notify.via_apprise import Apprise

# Some releases of apprise import what Python 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def channel(receiver: Receiver) -> Apprise:
    return Apprise(f"json://127.0.0.1:{receiver.port}/S3CRETPATH")


def fault(channel: Apprise, timeout_s: float = 30.0) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        channel.send(message(), timeout_s)
    assert "S3CRET" not in caught.value.reason
    return caught.value


def test_apprise_hands_the_message_on() -> None:
    with Receiver([answer("200 OK")]) as receiver:
        assert channel(receiver).send(message(), 30.0).text == "sent by apprise to json://"
    body = json.loads(receiver.requests[0].body)
    assert body["title"] == "3 metrics on db-1 odd since 15:05"
    assert "db-1.disk.util" in body["message"]
    assert body["type"] == "warning"


def test_apprises_reason_is_told_and_logged_nowhere() -> None:
    log = io.StringIO()
    handler, root = logging.StreamHandler(log), logging.getLogger()
    root.addHandler(handler)
    with Receiver([answer("500 Internal Server Error")]) as receiver:
        error = fault(channel(receiver))
    root.removeHandler(handler)
    assert error.retry
    assert error.reason.startswith("json:// did not take it: check the address, and that service")
    assert "error=500" in error.reason
    assert log.getvalue() == ""


def test_a_service_that_hangs_holds_nobody() -> None:
    with Receiver([hangs]) as receiver:
        error = fault(channel(receiver), 0.3)
    assert error.retry
    assert error.reason == "json:// did not answer within 0.3 s: see whether it hangs"


def test_an_address_that_apprise_does_not_know() -> None:
    error = fault(Apprise("nosuch://S3CRETTOKEN/x"))
    assert not error.retry
    assert "apprise can't use this nosuch:// address" in error.reason


def test_where_apprise_is_missing_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(via_apprise, "installed", lambda: False)
    command = f"{sys.executable} -m pip install 'fluxd[apprise]'"
    with pytest.raises(ChannelError) as caught:
        check("apprise", {"url": "json://127.0.0.1/x"})
    assert command in caught.value.message
    error = fault(Apprise("json://127.0.0.1/x"))
    assert command in error.reason
    assert not error.retry


def test_a_failure_within_apprise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Apprise, _message: object) -> None:
        raise RuntimeError("at json://127.0.0.1/S3CRETPATH")

    monkeypatch.setattr(Apprise, "_notify", broken)
    error = fault(Apprise("json://127.0.0.1/S3CRETPATH"))
    assert error.reason == "apprise failed (RuntimeError: at ***)"
