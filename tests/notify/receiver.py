"""A server on the loopback address that does what a test says, byte for byte."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self, TypeAlias

Act: TypeAlias = "Callable[[socket.socket, threading.Event], None]"


@dataclass
class Request:
    """What arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Reads a request from each connection and does the next of `acts`; the last one repeats.

    With `greets` it acts at once, before anything has arrived.
    """

    acts: list[Act]
    tls: ssl.SSLContext | None = None
    greets: bool = False
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}/hooks/T0PATHS3CRET?token=qu3rys3cret"

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
            thread = threading.Thread(target=self._serve, args=(line, act))
            self._threads.append(thread)
            thread.start()

    def _serve(self, line: socket.socket, act: Act) -> None:
        try:
            if self.tls is not None:
                line = self.tls.wrap_socket(line, server_side=True)
            if not self.greets:
                self.requests.append(_read(line))
            act(line, self._over)
        except (OSError, ValueError):
            pass  # the client went away, as some tests want it to
        finally:
            line.close()


def _read(line: socket.socket) -> Request:
    with line.makefile("rb") as stream:
        first = stream.readline().decode().strip()
        headers = {}
        while text := stream.readline().decode().strip():
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        return Request(first, headers, stream.read(int(headers.get("content-length", 0))))


def answer(status: str, body: str = "", *headers: str) -> Act:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers, "", body]
    return says("\r\n".join(lines))


def says(text: str) -> Act:
    def act(line: socket.socket, _over: threading.Event) -> None:
        line.sendall(text.encode())

    return act


def hangs(line: socket.socket, over: threading.Event) -> None:
    """Hold the connection until the test is over."""
    over.wait()
    line.close()


def drips(text: str = "") -> Act:
    """Send a byte now and then, for ever: each is there before a socket's own timeout."""

    def act(line: socket.socket, over: threading.Event) -> None:
        line.sendall(text.encode())
        while not over.wait(0.02):
            line.sendall(b"x")

    return act


def drops(_line: socket.socket, _over: threading.Event) -> None:
    """Close without a word."""


def dialogue(*replies: str) -> Act:
    """Greet with the first reply, and answer each line with the next; then close."""

    def act(line: socket.socket, _over: threading.Event) -> None:
        with line.makefile("rb") as stream:
            for at, reply in enumerate(replies):
                if at and not stream.readline():
                    return
                line.sendall(f"{reply}\r\n".encode())

    return act
