"""How is a message kept? As a file of its own that is whole or not there, once however often it comes."""

import email.policy
import hashlib
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from pathlib import Path
from typing import Self

SUFFIX = ".eml"


class Letters:
    """The messages in one folder: `new/` has those that are whole, `tmp/` what is being written.

    A file is named after a hash of the message's id and of whom it goes to, so a name never leads out of the folder,
    and what is delivered a second time, byte for byte or not, is the file that is there already.
    """

    def __init__(self, folder: Path) -> None:
        """The folder need not exist yet."""
        self._whole, self._partial = folder / "new", folder / "tmp"

    def prepare(self) -> Self:
        """Make the folders, and forget what was not written to its end."""
        for folder in (self._whole, self._partial):
            folder.mkdir(parents=True, exist_ok=True)
        for torn in self._partial.iterdir():
            torn.unlink()
        return self

    def keep(self, content: bytes, recipients: Sequence[str]) -> bool:
        """Have the message on disk when this returns; False if it was there before.

        Raises:
            OSError: it could not be written; nothing of it is left.
        """
        partial = self._partial / uuid.uuid4().hex
        try:
            with partial.open("xb") as file:
                file.write(b"".join(f"Delivered-To: {each}\r\n".encode() for each in recipients) + content)
                file.flush()
                os.fsync(file.fileno())
            is_new = _link(partial, self._whole / f"{_name(content, recipients)}{SUFFIX}")
        finally:
            partial.unlink(missing_ok=True)
        _sync(self._whole)
        return is_new

    def newest(self, count: int | None = None) -> list["Letter"]:
        """So many of those that came last, or all, oldest first."""
        found: list[tuple[int, Path]] = []
        for file in self._whole.glob(f"*{SUFFIX}"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                found.append((file.stat().st_mtime_ns, file))
        found.sort()
        return [Letter(file, arrived_ns) for arrived_ns, file in (found if count is None else found[-count:])]


@dataclass(frozen=True)
class Letter:
    """A message that was kept."""

    file: Path
    arrived_ns: int
    """When its file was written, nanoseconds since 1970-01-01."""

    @property
    def name(self) -> str:
        """How people refer to it."""
        return self.file.name[:8]

    @property
    def arrived(self) -> datetime:
        """The same in UTC."""
        return datetime.fromtimestamp(self.arrived_ns / 1e9, UTC)

    def read(self) -> EmailMessage:
        """What is in it."""
        message = BytesParser(policy=email.policy.default).parsebytes(self.file.read_bytes())
        assert isinstance(message, EmailMessage)
        return message


def _name(content: bytes, recipients: Sequence[str]) -> str:
    """A message without an id gets one that nothing else has."""
    message_id = BytesHeaderParser(policy=email.policy.compat32).parsebytes(content).get("Message-ID", "").strip()
    return hashlib.sha256("\n".join([message_id or uuid.uuid4().hex, *sorted(recipients)]).encode()).hexdigest()


def _link(partial: Path, whole: Path) -> bool:
    """Give a file its name, unless there is one with it; in one step, whoever else does the same."""
    try:
        os.link(partial, whole)
    except FileExistsError:
        return False
    return True


def _sync(folder: Path) -> None:
    """Have the names in a folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
