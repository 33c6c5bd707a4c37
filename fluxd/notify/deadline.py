"""One limit for all that a delivery does: looking up a name, connecting, TLS, every answer.

A socket's own timeout starts anew with each byte, so a server that sends one a second holds its
client for ever; and a name's look-up has no timeout at all. Here a timer shuts the connection down
when the time is over, whatever it is just doing, and names are looked up beside.
"""

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, TypeAlias

Addresses: TypeAlias = list[tuple[Any, ...]]


class LookUpTimeoutError(TimeoutError):
    """A name whose address did not come in time."""


class ConnectTimeoutError(TimeoutError):
    """An address that neither takes nor refuses the connection."""


class Deadline:
    """The moment, `timeout_s` from now on, at which everything is to be over."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._ends = time.monotonic() + timeout_s

    @property
    def left_s(self) -> float:
        """Seconds that are left, 0 or more."""
        return max(self._ends - time.monotonic(), 0.0)

    @property
    def over(self) -> bool:
        """Whether no time is left."""
        return self.left_s == 0.0

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a connection to the first address of `host` that takes it.

        Each address gets an equal share of the time that is left, so one that swallows packets
        (often IPv6) leaves some for the next. Raises OSError: the last address's.
        """
        addresses = self._look_up(host, port)
        failed: OSError = ConnectTimeoutError(host)
        for at, (family, kind, protocol, _, address) in enumerate(addresses):
            share = self.left_s / (len(addresses) - at)
            if share <= 0.0:
                break
            line = socket.socket(family, kind, protocol)
            try:
                line.settimeout(share)
                line.connect(address)
                line.settimeout(max(self.left_s, 0.001))  # 0 would mean: don't wait at all
            except TimeoutError:
                line.close()
                failed = ConnectTimeoutError(host)
            except OSError as error:
                line.close()
                failed = error
            else:
                return line
        raise failed

    @contextlib.contextmanager
    def cutting(self, line: socket.socket) -> Iterator[None]:
        """Shut `line` down when the time is over.

        It's done through a duplicate, because TLS moves the connection to another socket object.
        """
        twin = line.dup()

        def cut() -> None:
            with contextlib.suppress(OSError):  # closed already
                twin.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self.left_s, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            twin.close()

    def _look_up(self, host: str, port: int) -> Addresses:
        found: queue.SimpleQueue[Addresses | OSError | UnicodeError] = queue.SimpleQueue()

        def look() -> None:
            try:
                found.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
            except (OSError, UnicodeError) as error:
                found.put(error)

        # The resolver can't be stopped; a thread that it holds ends with it, in seconds.
        threading.Thread(target=look, name="fluxd-lookup", daemon=True).start()
        try:
            answer = found.get(timeout=self.left_s)
        except queue.Empty:
            raise LookUpTimeoutError(host) from None
        if isinstance(answer, list):
            return answer
        raise answer
