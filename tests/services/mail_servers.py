"""Mail servers in the test's own process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from local.stack.mailbox import messages
from local.stack.mailbox.server import protocol
from tests.services.free_ports import free_port


@contextmanager
def mail_server(handler: Any, port: int | None = None, **options: Any) -> Iterator[int]:
    """Run aiosmtpd with a handler while the block runs; yield its port."""
    controller = Controller(handler, hostname="127.0.0.1", port=port or free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


class _Mailbox(Controller):
    def factory(self) -> SMTP:
        """Return the protocol of a new connection."""
        return protocol(self.handler)


@contextmanager
def running_mailbox(folder: Path, port: int | None = None) -> Iterator[int]:
    """Run the local stack's mailbox with its mails in a folder; yield its port."""
    messages.prepare(folder)
    controller = _Mailbox(folder, hostname="127.0.0.1", port=port or free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
