"""What the daemon tells systemd: sd_notify(3), a datagram of `NAME=value` lines.

Without systemd ($NOTIFY_SOCKET is not set) everything here does nothing.
"""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)

# The socket is the service manager's own; when it does not take a line in a second, it hangs.
SEND_TIMEOUT_S = 1.0


class Notifier:
    """The line to the service manager.

    `watchdog_s` is how often (s) to `ping`, half of what the manager allows, as
    sd_watchdog_enabled(3) recommends; None where no pings are awaited from this process.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = _socket_address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environ)

    def ready(self, status: str) -> None:
        """Say that start-up is over: the service accepts requests."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """Show a line of text in `systemctl status`."""
        self._send(f"STATUS={status}")

    def stopping(self) -> None:
        """Say that the service is going down."""
        self._send("STOPPING=1\nSTATUS=stopping")

    def ping(self) -> None:
        """Say that the service works. Without a ping in time the manager restarts it."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(SEND_TIMEOUT_S)
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            # Not worth an end: a manager that misses a line acts on its own time limits.
            log.warning("systemd does not listen on %r: %s", self._address, error)


def _socket_address(given: str) -> str | None:
    """Return the address for sendto; "@" stands for the zero byte of an abstract socket."""
    if given.startswith("@"):
        return f"\0{given[1:]}"
    return given if given.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Return half of $WATCHDOG_USEC in seconds, if it is meant for this process."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    allowed_us = environ.get("WATCHDOG_USEC", "")
    if not allowed_us.isdecimal() or int(allowed_us) == 0:
        return None
    return int(allowed_us) / 1e6 / 2
