"""Sends messages over SMTP and interprets the server's answers."""

import smtplib
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

TIMEOUT_SECONDS = 10.0
"""Timeout for each answer of the server."""
TOO_LARGE = 552


@dataclass(frozen=True)
class Answer:
    """Result of offering a message to the mail server."""

    verdict: Literal["taken", "not now", "never", "unavailable"]
    """`not now`: refused temporarily, or the result is unknown. `never`: refused permanently.

    `unavailable`: the server can't be reached, or refuses this sender whatever the message. Says nothing about the
    message.
    """
    words: str


class MailServer:
    """One SMTP connection, opened on demand and kept; for one thread at a time."""

    def __init__(self, host: str, port: int, sender: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Store the server's address; connect later, on demand."""
        self._host, self._port, self._sender, self._timeout = host, port, sender, timeout_seconds
        self._connection: smtplib.SMTP | None = None

    def offer(self, message: EmailMessage, address: str) -> Answer:
        """Send a message and return the result; never raises for what a server or a network does."""
        try:
            connection = self._connected()
        except OSError as error:
            self.close()
            return Answer("unavailable", _error_text(error))
        try:
            connection.send_message(message, self._sender, [address])
        except OSError as error:
            return self._failure(error)
        return Answer("taken", "")

    def close(self) -> None:
        """Close the connection without QUIT."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def quit(self) -> None:
        """Send QUIT and close the connection."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.quit()
        self.close()

    def _failure(self, error: OSError) -> Answer:
        match error:
            case smtplib.SMTPSenderRefused(smtp_code=code):
                # The server doesn't know the recipient yet, so this refuses the sender; but it does know the message's
                # size.
                return Answer("never" if code == TOO_LARGE else "unavailable", _error_text(error))
            case smtplib.SMTPRecipientsRefused(recipients=recipients):
                ((code, text),) = recipients.values()
                return Answer(_verdict(code), _reply_text(code, text))
            case smtplib.SMTPNotSupportedError():
                return Answer("never", _error_text(error))
            case smtplib.SMTPResponseException(smtp_code=code):
                return Answer(_verdict(code), _error_text(error))
        self.close()
        return Answer("not now", f"the connection was lost before the answer: {_error_text(error)}")

    def _connected(self) -> smtplib.SMTP:
        """Return the open connection if it still answers, or a new one."""
        if self._connection is not None:
            with suppress(OSError):
                if self._connection.noop()[0] == 250:
                    return self._connection
            self.close()
        self._connection = smtplib.SMTP(local_hostname="localhost", timeout=self._timeout)
        code, text = self._connection.connect(self._host, self._port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        self._connection.ehlo_or_helo_if_needed()
        return self._connection


def _verdict(code: int) -> Literal["not now", "never"]:
    return "never" if 500 <= code < 600 else "not now"


def _error_text(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply_text(error.smtp_code, error.smtp_error)
    return str(error) or type(error).__name__


def _reply_text(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {words}"
