"""How is a message handed to the mail server, and what does its answer mean?"""

import smtplib
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

TIMEOUT_SECONDS = 10.0
"""For each answer."""
TOO_LARGE = 552


@dataclass(frozen=True)
class Answer:
    """What became of a message that was offered."""

    verdict: Literal["taken", "not now", "never", "away"]
    """`not now`: refused for now, or it isn't known whether it was taken. `never`: refused for good.

    `away`: the server can't be reached, or refuses us whatever we would send; it says nothing about the message.
    """
    words: str


class MailServer:
    """One connection, made when it is needed and kept; for one thread at a time."""

    def __init__(self, host: str, port: int, sender: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Nothing is connected yet."""
        self._host, self._port, self._sender, self._timeout = host, port, sender, timeout_seconds
        self._connection: smtplib.SMTP | None = None

    def offer(self, message: EmailMessage, address: str) -> Answer:
        """Hand a message over, and say what came of it; never raises for what a server or a network does."""
        try:
            connection = self._connected()
        except OSError as error:
            self.close()
            return Answer("away", _in_words(error))
        try:
            connection.send_message(message, self._sender, [address])
        except OSError as error:
            return self._failure(error)
        return Answer("taken", "")

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def quit(self) -> None:
        """Take leave and let go of the connection."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.quit()
        self.close()

    def _failure(self, error: OSError) -> Answer:
        match error:
            case smtplib.SMTPSenderRefused(smtp_code=code):
                # It doesn't know yet for whom the message is, so this is about us; but it has been told the size.
                return Answer("never" if code == TOO_LARGE else "away", _in_words(error))
            case smtplib.SMTPRecipientsRefused(recipients=recipients):
                ((code, text),) = recipients.values()
                return Answer(_verdict(code), _said(code, text))
            case smtplib.SMTPNotSupportedError():
                return Answer("never", _in_words(error))
            case smtplib.SMTPResponseException(smtp_code=code):
                return Answer(_verdict(code), _in_words(error))
        self.close()
        return Answer("not now", f"the connection was lost before the answer: {_in_words(error)}")

    def _connected(self) -> smtplib.SMTP:
        """The connection, if it still answers, or a new one."""
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


def _in_words(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error.smtp_code, error.smtp_error)
    return str(error) or type(error).__name__


def _said(code: int, text: bytes | str) -> str:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{code} {words}"
