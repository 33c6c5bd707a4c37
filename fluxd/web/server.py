"""The one file that knows waitress: its settings, its own errors as JSON, and an orderly end."""

import json
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, WSGITask
from waitress.utilities import BadRequest, build_http_date

log = logging.getLogger(__name__)

# The app answers a body over its own limit (1 MiB); this is the backstop that bounds what is
# buffered, on disk above 512 kB, of a body that should never have been sent.
MAX_BODY_BYTES = 16 << 20

# How long a stop waits for requests that were accepted: of the 10 s in all, the rest is for saving.
DRAIN_S = 5.0


class JsonErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Waitress's own refusals (malformed, too large) in the shape of all our errors."""

    def execute(self) -> None:
        """Answer with `{"code", "message"}` and close."""
        error = self.request.error
        code, reason = error.code, error.reason
        message = f"{reason.lower()} - {error.body}" if error.body else reason.lower()
        if code == 413:  # noqa: PLR2004
            message = f"payload too large - more than {MAX_BODY_BYTES} bytes: do not resend"
        elif code == 501:  # noqa: PLR2004  # an unknown Transfer-Encoding
            code, reason = 400, "Bad Request"  # a sender would send the same again after a 5xx
        body = json.dumps({"code": code, "message": message}).encode()
        self.status = f"{code} {reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class KeepAliveTask(WSGITask):  # type: ignore[misc]  # waitress has no types
    """Keeps the connection open after a 204, which waitress 3.0.2 closes.

    A 204 has no body and so no length (RFC 9110, 8.6), and waitress takes the missing length for an
    answer that only the end of the connection delimits. A new connection for each POST would cost
    an agent a round trip, and us a third of the ingest rate.
    """

    def build_response_header(self) -> bytes:
        """Return status line and headers."""
        tokens = self.request.headers.get("CONNECTION", "").lower().split(",")
        asked_to_close = "close" in {token.strip() for token in tokens}
        if asked_to_close:
            self.set_close_on_finish()
        if self.has_body or self.version != "1.1" or self.close_on_finish:
            return bytes(super().build_response_header())
        headers = [pair for pair in self.response_headers if pair[0].lower() != "content-length"]
        headers.append(("Date", build_http_date(self.start_time)))
        lines = [f"HTTP/1.1 {self.status}", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class JsonChannel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection that stays open, and whose malformed requests are answered in JSON."""

    task_class = KeepAliveTask
    error_task_class = JsonErrorTask

    def received(self, data: bytes) -> bool:
        """Read a part of a request; one that waitress's parser chokes on is a bad request too."""
        try:
            return bool(super().received(data))
        except Exception:  # noqa: BLE001  # ValueError for a port or a length, and what else comes
            request = self.parser_class(self.adj)
            request.error = BadRequest("the request line or a header can't be read")
            with self.requests_lock:
                self.request = None
                self.requests.append(request)
                if len(self.requests) == 1:
                    self.server.add_task(self)
            return True


class Workers:
    """The threads that run the app, in place of waitress's own dispatcher.

    Waitress hands requests over through a Condition, at several thread switches each; a
    SimpleQueue needs one.
    """

    def __init__(self, count: int) -> None:
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"web-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def add_task(self, task: Any) -> None:  # noqa: ANN401  # waitress has no types
        """Hand over a connection with a request to answer."""
        self._queue.put(task)

    def stop(self, timeout_s: float) -> None:
        """Let the threads end after what they are doing; wait up to `timeout_s` for all."""
        end = time.monotonic() + timeout_s
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            try:
                task.service()
            except Exception:
                log.exception("a request failed outside of the app")


class Server(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    """Serves a WSGI app until `stop`, then answers what it has accepted."""

    channel_class = JsonChannel

    def __init__(self, app: Callable[..., Any], host: str, port: int, *, threads: int) -> None:
        listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        adjustments = Adjustments(
            listen=listen,
            ident=None,
            asyncore_use_poll=True,  # select stops at descriptor 1,024
            connection_limit=1_000,
            channel_timeout=75,  # an agent that reports once a minute keeps its connection
            cleanup_interval=10,
            channel_request_lookahead=0,
            recv_bytes=65_536,  # a POST of 500 elements in one read instead of four
            clear_untrusted_proxy_headers=False,  # the app reads none of them
            max_request_body_size=MAX_BODY_BYTES,
            backlog=1_024,
        )
        # The worker sends its answer itself, not the main loop a turn later. As an argument
        # waitress calls this deprecated, and uses it all the same.
        adjustments.send_bytes = 1
        self._map: dict[int, Any] = {}
        self._stopping = False
        self._pulled = False
        self._workers = Workers(threads)
        super().__init__(app, map=self._map, adj=adjustments, dispatcher=self._workers)

    @property
    def address(self) -> str:
        """The base URL."""
        host = f"[{self.effective_host}]" if ":" in self.effective_host else self.effective_host
        return f"http://{host}:{self.effective_port}"

    def stop(self) -> None:
        """End `run`; may be called from a signal handler and from any thread."""
        self._stopping = True
        self.pull_trigger()

    def pull_trigger(self) -> None:
        """Wake the main loop; once a turn is enough for all answers that end meanwhile."""
        if not self._pulled:
            self._pulled = True
            super().pull_trigger()

    def _turn(self, timeout_s: float) -> None:
        # Whoever pulls after this wakes the poll below; whoever did before is seen by it anyway.
        self._pulled = False
        wasyncore.loop(timeout=timeout_s, use_poll=True, map=self._map, count=1)

    def run(self) -> None:
        """Serve until `stop`, then up to DRAIN_S for what was accepted."""
        while not self._stopping:
            self._turn(1.0)
        self.accepting = False
        self.socket.close()
        self._map.pop(self._fileno, None)
        end = time.monotonic() + DRAIN_S
        while self._busy() and time.monotonic() < end:
            self._turn(0.1)
        self._workers.stop(timeout_s=1.0)
        wasyncore.close_all(self._map)

    def _busy(self) -> bool:
        """Whether a request is being read, worked on or answered; idle connections are closed."""
        busy = False
        for channel in list(self.active_channels.values()):
            if channel.requests or channel.total_outbufs_len or channel.request is not None:
                busy = True
            else:
                channel.will_close = True
        return busy
