"""Sends several messages at the same time: a few threads, each with its own connection."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from email.message import EmailMessage
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from notifier.mail_server import Answer, MailServer
from notifier.message_queue import Message

SENDERS = 4


class Senders:
    """Messages that are under way. A context manager: leaving it sends QUIT to the server."""

    def __init__(self, connect: Callable[[], MailServer]) -> None:
        """Create the senders; nothing is connected yet."""
        self._servers = [connect() for _ in range(SENDERS)]
        self._free: SimpleQueue[MailServer] = SimpleQueue()
        for server in self._servers:
            self._free.put(server)
        self._pool = ThreadPoolExecutor(SENDERS)
        self._under_way: dict[Future[Answer], Message] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._pool.shutdown()
        for server in self._servers:
            server.quit()

    def __len__(self) -> int:
        """Return how many messages are under way."""
        return len(self._under_way)

    @property
    def has_room(self) -> bool:
        """Whether a further message would be sent at once."""
        return len(self._under_way) < SENDERS

    def send(self, message: Message, email: EmailMessage) -> None:
        """Start to send a message; `answers` returns the result."""
        self._under_way[self._pool.submit(self._offer, email, message.notification.address)] = message

    def answers(self, within_seconds: float) -> list[tuple[Message, Answer]]:
        """Return the results of finished messages; wait up to `within_seconds` for one if none is finished."""
        finished, _ = wait(self._under_way, within_seconds, FIRST_COMPLETED)
        return [(self._under_way.pop(future), future.result()) for future in finished]

    def _offer(self, email: EmailMessage, address: str) -> Answer:
        server = self._free.get()
        try:
            return server.offer(email, address)
        finally:
            self._free.put(server)
