"""What does the mailbox answer? SMTP, by aiosmtpd: a message is a file on disk before 250 is said."""

import asyncio
import ipaddress
import logging
import signal
import socket
from dataclasses import dataclass

from aiosmtpd.smtp import SMTP, Envelope, Session

from local.services.mailbox.letters import Letters

MOST_BYTES = 1024 * 1024
"""Of a message; told to clients as SIZE."""
IDLE_SECONDS = 300.0
"""After so long without a command a client is disconnected, as RFC 5321 wants it at least."""

LOG = logging.getLogger(__name__)


class NotLocalError(ValueError):
    """The address is not this machine's alone."""


@dataclass(frozen=True)
class Keeper:
    """Keeps what arrives; its methods have the names that aiosmtpd calls."""

    letters: Letters

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """A whole message has come; the answer."""
        assert isinstance(envelope.content, bytes)
        try:
            is_new = await asyncio.to_thread(self.letters.keep, envelope.content, envelope.rcpt_tos)
        except OSError as error:
            LOG.error("a message to %s can't be kept: %s", envelope.rcpt_tos, error)
            return "452 4.3.1 the message can't be written to disk now"
        if not is_new:
            LOG.info("a message to %s has come before: it is there once", envelope.rcpt_tos)
            return "250 2.0.0 kept before"
        return "250 2.0.0 kept"


def protocol(letters: Letters) -> SMTP:
    """One connection's part of the server, in the running loop."""
    return SMTP(
        Keeper(letters),
        data_size_limit=MOST_BYTES,
        enable_SMTPUTF8=True,
        hostname="localhost",
        ident="Millrace mailbox",
        timeout=IDLE_SECONDS,
        loop=asyncio.get_running_loop(),
    )


async def serve(letters: Letters, host: str, port: int) -> None:
    """Answer until SIGTERM or Ctrl-C.

    Raises:
        NotLocalError: the address can be reached from elsewhere.
        OSError: it can't be listened at.
    """
    _require_loopback(host)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(lambda: protocol(letters), host, port)
    LOG.info("listening at %s:%d", host, port)
    await stop.wait()
    server.close()
    LOG.info("stopped")


def _require_loopback(host: str) -> None:
    """It takes mail from anybody, so nobody else may reach it."""
    addresses = {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    if not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        raise NotLocalError(
            f"the mailbox takes mail from anybody, so it listens on this machine alone and not at {host}:"
            " MILLRACE_SMTP_URL names another mail server, which needs no mailbox"
        )
