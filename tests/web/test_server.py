"""The real server under real sockets: what waitress would do otherwise, and what attackers try."""

import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import PATIENCE_S, Daemon, until

MIB = 1 << 20


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = Daemon(tmp_path_factory.mktemp("server") / "data")
    yield running
    running.kill()


def connect(daemon: Daemon) -> socket.socket:
    host, port = daemon.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_S)


def raw_post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /flux/metric_data_post HTTP/1.1", "Host: localhost", *headers]
    if not any(header.lower().startswith("transfer-encoding") for header in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def good_body(daemon: Daemon, metric: str = "server.test") -> bytes:
    element = {"metric": metric, "timestamp": int(time.time()), "value": 1.5}
    return json.dumps({"key": daemon.key, "metrics": [element]}).encode()


def read_answer(stream: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer, by its Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = stream.recv(65_536)
        if not part:
            break
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += stream.recv(65_536)
    return int(first.split()[1]), headers, body


def assert_alive(daemon: Daemon) -> None:
    assert daemon.post(data=good_body(daemon)).status == 204
    assert daemon.process.poll() is None


def rss_mib(daemon: Daemon) -> float:
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def test_a_204_has_no_body_and_keeps_its_connection(daemon: Daemon) -> None:
    with connect(daemon) as stream:
        for _ in range(3):
            stream.sendall(raw_post(good_body(daemon)))
            status, headers, body = read_answer(stream)
            assert (status, body) == (204, b"")
            assert "content-length" not in headers
            assert "transfer-encoding" not in headers
            assert "connection" not in headers
            assert "date" in headers


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_client_that_wants_the_connection_closed_gets_it(daemon: Daemon, version: str) -> None:
    request = raw_post(good_body(daemon), "Connection: close").replace(
        b"HTTP/1.1", f"HTTP/{version}".encode()
    )
    with connect(daemon) as stream:
        stream.sendall(request)
        status, headers, _ = read_answer(stream)
        assert (status, headers["connection"]) == (204, "close")
        assert stream.recv(1) == b""


def test_pipelined_posts_are_answered_in_order(daemon: Daemon) -> None:
    with connect(daemon) as stream:
        bad = raw_post(b'{"key": "wrong", "metrics": []}')
        stream.sendall(raw_post(good_body(daemon)) + bad + raw_post(good_body(daemon)))
        received = b""
        while received.count(b"HTTP/1.1") < 3:
            received += stream.recv(65_536)
        statuses = [part.split()[0] for part in received.split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"204", b"401", b"204"]


@pytest.mark.parametrize(
    "request_",
    [
        b"NONSENSE\r\n\r\n",
        b"POST /flux/metric_data_post HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 300_000 + b"\r\n\r\n",
    ],
)
def test_malformed_http_is_answered_in_json(daemon: Daemon, request_: bytes) -> None:
    with connect(daemon) as stream:
        stream.sendall(request_)
        status, headers, body = read_answer(stream)
        assert 400 <= status <= 501
        assert headers["content-type"] == "application/json"
        answer = json.loads(body)
        assert answer["code"] == status
        assert answer["message"]
    assert_alive(daemon)


def test_a_body_over_the_limit_is_413_however_it_is_sent(daemon: Daemon) -> None:
    too_large = good_body(daemon) + b" " * MIB
    fitting = good_body(daemon)
    fitting += b" " * (MIB - len(fitting))
    assert daemon.post(data=fitting).status == 204
    answer = daemon.post(data=too_large)
    assert answer.status == 413
    assert answer.body["message"].startswith("payload too large - ")
    with connect(daemon) as stream:
        chunks = b"%x\r\n%s\r\n" % (MIB, b" " * MIB) * 10 + b"0\r\n\r\n"
        stream.sendall(raw_post(chunks, "Transfer-Encoding: chunked"))
        status, headers, body = read_answer(stream)
        assert (status, headers["content-type"]) == (413, "application/json")
        assert json.loads(body)["code"] == 413
    assert_alive(daemon)


def test_a_body_far_over_the_limit_is_413_in_json_before_it_is_sent(daemon: Daemon) -> None:
    with connect(daemon) as stream:
        stream.sendall(
            b"POST /flux/metric_data_post HTTP/1.1\r\nHost: x\r\nContent-Length: 99000000\r\n\r\n"
        )
        status, headers, body = read_answer(stream)
        assert (status, headers["content-type"]) == (413, "application/json")
        assert "do not resend" in json.loads(body)["message"]


def test_gzip_bombs_are_413_and_cost_little_memory(daemon: Daemon) -> None:
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = b" " * (16 * MIB)
    bomb = b"".join(pack.compress(zeros) for _ in range(32)) + pack.flush()
    assert len(bomb) < MIB
    before = rss_mib(daemon)
    for _ in range(5):
        answer = daemon.post(data=bomb, headers={"Content-Encoding": "gzip"})
        assert answer.status == 413
        assert answer.body["message"].startswith("payload too large - ")
    assert rss_mib(daemon) - before < 64
    packed = gzip.compress(good_body(daemon))
    assert daemon.post(data=packed, headers={"Content-Encoding": "gzip"}).status == 204


def test_nesting_without_end_is_invalid_json(daemon: Daemon) -> None:
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b'{"metrics":' + b"[" * 100_000):
        answer = daemon.post(data=body)
        assert (answer.status, answer.body["message"]) == (400, "invalid json data")
    assert_alive(daemon)


def test_posts_go_on_beside_200_idle_and_50_slow_connections(daemon: Daemon) -> None:
    idle = [connect(daemon) for _ in range(200)]
    slow = [connect(daemon) for _ in range(50)]
    try:
        for stream in slow:  # a body that never ends holds no thread
            stream.sendall(raw_post(good_body(daemon))[:-10])
        for _ in range(20):
            assert daemon.post(data=good_body(daemon)).status == 204
    finally:
        for stream in idle + slow:
            stream.close()


def test_many_senders_at_once_all_get_their_answer(daemon: Daemon) -> None:
    outcomes: list[int] = []

    def send(number: int) -> None:
        for turn in range(5):
            body = good_body(daemon, f"crowd.{number}.{turn}")
            outcomes.append(daemon.post(data=body).status)

    senders = [threading.Thread(target=send, args=(number,)) for number in range(30)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert outcomes == [204] * 150
    names = daemon.get("/api/v1/metrics?match=crowd.&limit=1000").body["metrics"]
    assert len(names) == 150


def test_unknown_paths_and_methods_have_the_shape_of_all_errors(daemon: Daemon) -> None:
    answer = daemon.get("/no/such/page")
    assert (answer.status, answer.body["code"]) == (404, 404)
    answer = daemon.get("/flux/metric_data_post")
    assert (answer.status, answer.body["code"]) == (405, 405)
    assert answer.headers["Allow"] == "POST, OPTIONS" or "POST" in answer.headers["Allow"]
    answer = daemon.get("/flux/metric_data?key=x")
    assert answer.status == 404  # off unless ingest.allow_get


def test_get_ingestion_can_be_switched_on(tmp_path: Path) -> None:
    config = tmp_path / "with-get.toml"
    config.write_text("[ingest]\nallow_get = true\n")
    daemon = Daemon(tmp_path / "data", "--config", str(config))
    try:
        now = int(time.time())
        path = f"/flux/metric_data?value=1.5&timestamp={now}&metric=by.get&key={daemon.key}"
        answer = daemon.get(path)
        # The read key in the header goes before the one in the query.
        assert answer.status == 401
        host = daemon.url
        with connect(daemon) as stream:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            status, _, _ = read_answer(stream)
        assert status == 204
        assert until(lambda: daemon.get("/api/v1/metrics/by.get").body.get("datapoints")) == 1
    finally:
        daemon.kill()
