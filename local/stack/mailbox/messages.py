"""Messages in the mailbox: a Maildir, one file per message."""

import email.policy
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path


@dataclass(frozen=True)
class KeptMessage:
    """A message in the mailbox."""

    file: Path
    arrived_ns: int
    """Time when its file was written, in nanoseconds since 1970-01-01."""

    @property
    def name(self) -> str:
        """Short name for the command line."""
        return hashlib.sha256(self.file.name.encode()).hexdigest()[:8]

    @property
    def arrived(self) -> datetime:
        """Time when its file was written, in UTC."""
        return datetime.fromtimestamp(self.arrived_ns / 1e9, UTC)

    def read(self) -> EmailMessage:
        """Parse the message."""
        message = BytesParser(policy=email.policy.default).parsebytes(self.file.read_bytes())
        assert isinstance(message, EmailMessage)
        return message


def prepare(folder: Path) -> None:
    """Create the folders of a Maildir, unless they exist."""
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir(parents=True, exist_ok=True)


def newest(folder: Path, count: int | None = None) -> list[KeptMessage]:
    """Return the last messages of a Maildir, oldest first; all of them without a count."""
    found: list[tuple[int, Path]] = []
    for file in folder.glob("new/*"):
        with suppress(FileNotFoundError):  # deleted meanwhile
            found.append((file.stat().st_mtime_ns, file))
    found.sort()
    return [KeptMessage(file, arrived_ns) for arrived_ns, file in (found if count is None else found[-count:])]
