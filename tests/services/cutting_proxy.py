"""A proxy to PostgreSQL that cuts a connection after a statement is carried out and before its answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

COMMIT = b"COMMIT"


@dataclass
class CuttingProxy:
    """A proxy with a port of its own; it cuts every connection at its `cut_at`-th statement of a kind."""

    server: tuple[str, int]
    cut_at: int
    statement: bytes
    """Text that such a statement contains."""
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    answers_lost: int = 0

    @property
    def port(self) -> int:
        """The port on which the proxy listens."""
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self.server) as server:
            is_cut, is_answered = threading.Event(), threading.Event()
            threading.Thread(target=_pass_answers, args=[server, client, is_cut, is_answered], daemon=True).start()
            statements = 0
            while chunk := client.recv(65_536):
                statements += self.statement in chunk
                if statements == self.cut_at:
                    is_cut.set()
                    server.sendall(chunk)
                    is_answered.wait()  # the answer shows that the server has carried it out
                    self.answers_lost += 1
                    client.shutdown(socket.SHUT_RDWR)
                    return
                server.sendall(chunk)


@contextmanager
def cutting_proxy(server: tuple[str, int], cut_at: int, statement: bytes = COMMIT) -> Iterator[CuttingProxy]:
    """Serve a proxy until the end of the block."""
    proxy = CuttingProxy(server, cut_at, statement)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.listener.shutdown(socket.SHUT_RDWR)
        proxy.listener.close()
        thread.join()


def _pass_answers(
    server: socket.socket, client: socket.socket, is_cut: threading.Event, is_answered: threading.Event
) -> None:
    with suppress(OSError):
        while chunk := server.recv(65_536):
            if is_cut.is_set():
                break
            client.sendall(chunk)
    is_answered.set()
