"""A server on loopback that requires a login before it answers as Elasticsearch does, with TLS if wanted."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.services.http_server import ANY_PORT, serving

CERTIFICATES = Path(__file__).parents[2] / "certificates"
AUTHORITY = CERTIFICATES / "authority.pem"


@dataclass
class GuardedElasticsearch:
    """State of the server: the login that it requires, its answers, and the requests that it accepted."""

    authorization: str = ""
    """Value of the header that is accepted; empty: no login is needed."""
    status: int = 200
    """Answer to accepted requests."""
    body: dict[str, Any] = field(default_factory=lambda: {"status": "green"})
    product: str = "Elasticsearch"
    asked: list[str] = field(default_factory=list)
    """Paths of the accepted requests."""
    url: str = ""


@contextmanager
def serve(guarded: GuardedElasticsearch, *, tls: bool = False) -> Iterator[GuardedElasticsearch]:
    """Serve on a free port while the block runs."""
    server = ThreadingHTTPServer(ANY_PORT, partial(_Handler, guarded))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
        # The handshake takes place with the first byte that is read, in the thread of that connection.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with serving(server) as address:
        guarded.url = f"{'https' if tls else 'http'}://{address}"
        yield guarded


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, guarded: GuardedElasticsearch, *connection: Any) -> None:
        self._guarded = guarded
        super().__init__(*connection)

    def handle(self) -> None:
        try:
            super().handle()
        except (ssl.SSLError, ConnectionError):
            self.close_connection = True  # a client that doesn't trust the certificate disconnects

    def do_GET(self) -> None:
        if self._guarded.authorization and self.headers.get("Authorization") != self._guarded.authorization:
            reason = "missing authentication credentials for REST request"
            self._answer(401, {"error": {"root_cause": [{"type": "security_exception", "reason": reason}]}})
            return
        self._guarded.asked.append(self.path)
        self._answer(self._guarded.status, self._guarded.body)

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("X-Elastic-Product", self._guarded.product)
        self.send_header("Content-Type", "application/vnd.elasticsearch+json;compatible-with=8")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *_args: object) -> None:
        """Log nothing."""
