"""The mail server: aiosmtpd, which keeps each message as a file.

It runs as the user who starts the stack, as Flink does: another user couldn't enter a checkout, or a Python, in a
closed home folder.
"""

import smtplib
import sys

from connectors.settings import variable
from local.settings import CHECKOUT
from local.stack.probes import ANSWERS_WITHIN_SECONDS
from local.stack.service import GIB, Launch, Service, UnhealthyError
from local.stack.setup import Setup

NAME = "mailbox"


def declare(setup: Setup) -> Service:
    """Declare the server, at `MILLRACE_SMTP_URL`."""
    place = setup.place(NAME)
    address = setup.port(NAME)
    return Service(
        place=place,
        launch=lambda: _launch(setup),
        health=lambda: check_health(address.host, address.number),
        address=f"{address.host}:{address.number}",
        memory_bytes=GIB // 20,
        ports=(NAME,),
    )


def check_health(host: str, port: int) -> None:
    """Check that the server answers a command.

    Raises:
        UnhealthyError: it doesn't.
    """
    try:
        with smtplib.SMTP(host, port, local_hostname="localhost", timeout=ANSWERS_WITHIN_SECONDS) as client:
            code, words = client.noop()
    except ConnectionRefusedError:
        raise UnhealthyError(f"doesn't accept connections on {host}:{port}") from None
    except OSError as error:
        raise UnhealthyError(f"doesn't speak SMTP on {host}:{port}: {error}") from None
    if code != 250:
        raise UnhealthyError(f"answers NOOP with {code} {words.decode(errors='replace')}")


def _launch(setup: Setup) -> Launch:
    return Launch(
        # -P: files in the working directory are not imported as modules.
        command=(sys.executable, "-P", "-m", "local.stack.mailbox", "serve"),
        files={},
        environment={
            "PYTHONPATH": str(CHECKOUT),
            variable("state"): str(setup.state),
            variable("smtp_url"): setup.local.smtp_url,
        },
    )
