"""A way to PostgreSQL that breaks at the worst moment: a commit goes through, its answer doesn't come back."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

COMMIT = b"COMMIT"


@dataclass
class CuttingProxy:
    """Listens on a port of its own; cuts every connection at its `cut_at`-th commit, counted from the connection."""

    server: tuple[str, int]
    cut_at: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    answers_lost: int = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self.server) as server:
            commits = 0
            answers = threading.Thread(target=_copy, args=[server, client], daemon=True)
            answers.start()
            while chunk := client.recv(65_536):
                commits += COMMIT in chunk
                if commits == self.cut_at:
                    client.shutdown(socket.SHUT_RDWR)
                    server.sendall(chunk)
                    server.recv(1)  # the server has committed when it answers
                    self.answers_lost += 1
                    return
                server.sendall(chunk)


@contextmanager
def cutting_proxy(server: tuple[str, int], cut_at: int) -> Iterator[CuttingProxy]:
    """A proxy that serves until the end of the block."""
    proxy = CuttingProxy(server, cut_at)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.listener.shutdown(socket.SHUT_RDWR)
        proxy.listener.close()
        thread.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
