"""A server of the standard library's `http.server` in a thread of the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from threading import Thread

ANY_PORT = ("127.0.0.1", 0)


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    """Serve while the block runs, however it ends; yield the server's `host:port`."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
