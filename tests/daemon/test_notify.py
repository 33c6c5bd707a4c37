"""What systemd hears."""

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fluxd.daemon.notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Stand in for systemd: $NOTIFY_SOCKET and the socket behind it."""
    name = str(tmp_path / "notify")
    if request.param == "abstract":
        name = f"@fluxd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0"))
        listener.settimeout(5)
        yield name, listener


def test_each_word_is_a_datagram_of_its_own(manager: tuple[str, socket.socket]) -> None:
    name, listener = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("listening on http://127.0.0.1:3589")
    notifier.status("replaying")
    notifier.ping()
    notifier.stopping()
    assert [listener.recv(4096).decode() for _ in range(4)] == [
        "READY=1\nSTATUS=listening on http://127.0.0.1:3589",
        "STATUS=replaying",
        "WATCHDOG=1",
        "STOPPING=1\nSTATUS=stopping",
    ]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_systemd_nothing_is_said(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was opened"))
    notifier = Notifier(environ)
    notifier.ready("listening")
    notifier.ping()


def test_a_manager_that_is_gone_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "absent")}).ping()
    assert "systemd does not listen" in caplog.text


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_pings_are_due_twice_in_the_time_allowed(
    environ: dict[str, str], interval_s: float | None
) -> None:
    assert Notifier(environ).watchdog_s == interval_s
