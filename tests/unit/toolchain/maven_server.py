"""A small Maven repository on loopback, with the bad habits of real ones."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.services.http_server import ANY_PORT, serving


@dataclass
class Repository:
    """Files of the server, its faults, and the requests that it got."""

    files: dict[str, bytes]
    """Content of the files by path."""
    ranges_work: bool = True
    cuts: list[int] = field(default_factory=list)
    """Number of bytes after which the next responses break off."""
    refusals: list[int] = field(default_factory=list)
    """Statuses of the next responses."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range header of each request."""
    url: str = ""


@contextmanager
def serve(repository: Repository) -> Iterator[Repository]:
    """Serve on a free port while the block runs."""
    with serving(ThreadingHTTPServer(ANY_PORT, partial(_Handler, repository))) as address:
        repository.url = f"http://{address}"
        yield repository


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, repository: Repository, *connection: Any) -> None:
        self._repository = repository
        super().__init__(*connection)

    def do_GET(self) -> None:
        asked = self.headers.get("Range", "")
        self._repository.requests.append((self.path, asked))
        content = self._repository.files.get(self.path)
        if self._repository.refusals:
            self._answer(self._repository.refusals.pop(0), b"")
        elif content is None:
            self._answer(404, b"")
        elif asked and self._repository.ranges_work:
            start = int(re.findall(r"\d+", asked)[0])
            self._answer(206, content[start:], f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self._answer(200, content)

    def _answer(self, status: int, content: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        cut = self._repository.cuts.pop(0) if self._repository.cuts else len(content)
        self.wfile.write(content[:cut])
        self.close_connection = True

    def log_message(self, format: str, *_args: object) -> None:
        """Log nothing."""
