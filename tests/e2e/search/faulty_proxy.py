"""A proxy to Elasticsearch that answers in its place, or holds an answer back after the request was carried out."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "host"}
HELD_SECONDS = 120.0

BUSY = (429, b'{"error":{"type":"es_rejected_execution_exception","reason":"the queue is full"},"status":429}')
UNKNOWN_USER = (401, b'{"error":{"type":"security_exception","reason":"unable to authenticate user"},"status":401}')


@dataclass
class FaultyProxy:
    """A proxy with a port of its own."""

    server: str
    """Host and port of Elasticsearch."""
    url: str = ""
    answer: tuple[int, bytes] | None = None
    """Answer given instead of Elasticsearch's, without a request to Elasticsearch."""
    passed: int = 0
    """Number of requests that Elasticsearch answered."""
    answered: int = 0
    """Number of requests that got `answer`."""
    held: threading.Event = field(default_factory=threading.Event)
    """Set when Elasticsearch has carried out a request whose client has no answer yet."""
    _open: threading.Event = field(default_factory=threading.Event)

    def hold(self) -> None:
        """Hold back the answer to the next request, and to those that follow, until `release`."""
        self.held.clear()
        self._open.clear()

    def release(self) -> None:
        """Let all answers pass."""
        self._open.set()

    def take(self, request: "_Handler", body: bytes) -> tuple[int, bytes, dict[str, str]]:
        """Return status, body and headers of the answer."""
        if self.answer:
            self.answered += 1
            return *self.answer, {"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"}
        connection = http.client.HTTPConnection(self.server, timeout=HELD_SECONDS)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
            connection.request(request.command, request.path, body, headers)
            answer = connection.getresponse()
            answered = answer.status, answer.read(), dict(answer.getheaders())
            self.passed += 1
        finally:
            connection.close()
        if not self._open.is_set():
            self.held.set()
            self._open.wait(HELD_SECONDS)
        return answered


@contextmanager
def faulty_proxy(url: str) -> Iterator[FaultyProxy]:
    """Serve a proxy in front of Elasticsearch until the end of the block."""
    proxy = FaultyProxy(urlsplit(url).netloc)
    proxy.release()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, proxy)) as server:
        server.daemon_threads = True
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.release()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def __init__(self, proxy: FaultyProxy, *connection: Any) -> None:
        self._proxy = proxy
        with suppress(ConnectionError):  # the client was killed
            super().__init__(*connection)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            status, content, headers = self._proxy.take(self, body)
        except (OSError, http.client.HTTPException):  # Elasticsearch is unavailable
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_args: object) -> None:
        """Log nothing."""
