"""A REST API of one test, on a free port of this machine."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.services.http_server import ANY_PORT, serving


@contextmanager
def json_server(answer: Callable[[str, bytes], tuple[int, object]]) -> Iterator[str]:
    """Run a server while the block runs; yield its address.

    Args:
        answer: status and content for a request, such as `GET /connectors`, and its body. If it raises a
            ConnectionError, the connection is closed without an answer.
    """

    class Handler(BaseHTTPRequestHandler):
        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                status, answered = answer(f"{self.command} {self.path}", body)
            except ConnectionError:
                self.close_connection = True
                return
            content = json.dumps(answered).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_request  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with serving(ThreadingHTTPServer(ANY_PORT, Handler)) as address:
        yield f"http://{address}"
