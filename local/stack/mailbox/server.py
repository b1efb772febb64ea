"""SMTP server of the mailbox: aiosmtpd, which writes each message to a Maildir before it answers 250."""

import asyncio
import ipaddress
import logging
import signal
import socket
from pathlib import Path

from aiosmtpd.handlers import Mailbox
from aiosmtpd.smtp import SMTP, Envelope, Session

from local.stack.mailbox import messages

MOST_BYTES = 1024 * 1024
"""Maximum size of a message, announced to clients as SIZE."""
IDLE_SECONDS = 300.0
"""Time without a command after which a client is disconnected: the minimum of RFC 5321."""

STARTED = "listening at"
"""Text that is in the log once for each start."""

LOG = logging.getLogger(__name__)


class NotLocalError(ValueError):
    """The address can be reached from other machines."""


class Keeper(Mailbox):
    """Keeps each message, duplicates included; a message that can't be written is only refused temporarily."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Write a whole message for aiosmtpd; return the answer to the client."""
        try:
            return str(await super().handle_DATA(server, session, envelope))
        except OSError as error:
            LOG.error("a message to %s can't be kept: %s", envelope.rcpt_tos, error)
            return "452 4.3.1 the message can't be written to disk now"


def protocol(folder: Path) -> SMTP:
    """Return the protocol of one connection, in the running loop.

    Args:
        folder: of the Maildir.
    """
    return SMTP(
        Keeper(folder),
        data_size_limit=MOST_BYTES,
        enable_SMTPUTF8=True,
        hostname="localhost",
        ident="Millrace mailbox",
        timeout=IDLE_SECONDS,
        loop=asyncio.get_running_loop(),
    )


async def serve(folder: Path, host: str, port: int) -> None:
    """Keep messages in a Maildir, which need not exist yet, until SIGTERM or Ctrl-C.

    Raises:
        NotLocalError: the address can be reached from other machines.
        OSError: the server can't listen on it.
    """
    _require_loopback(host)
    messages.prepare(folder)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: protocol(folder), host, port)
    LOG.info("%s %s:%d", STARTED, host, port)
    await stop.wait()
    server.close()
    LOG.info("stopped")


def _require_loopback(host: str) -> None:
    """Check that only this machine can reach the address, since the server accepts mail from everybody."""
    addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        raise NotLocalError(
            f"the mailbox takes mail from anybody, so it listens on this machine alone and not at {host}:"
            " MILLRACE_SMTP_URL names another mail server, which needs no mailbox"
        )
