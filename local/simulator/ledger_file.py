"""What is the form of a ledger? One JSON line after another in a file of its own; the last one may be torn."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

NO_LEDGER = Path(os.devnull)

LineT = TypeVar("LineT")


class LedgerError(ValueError):
    """A file is not a ledger, or already one; the text says where."""


class LedgerFile:
    """A ledger while it is written.

    Raises:
        LedgerError: the file holds something.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and path.stat().st_size:
            raise LedgerError(f"{path} already holds the ledger of a run: remove it or choose another file")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._encoder = msgspec.json.Encoder()

    def write(self, line: msgspec.Struct) -> None:
        """Add a line."""
        self._file.write(self._encoder.encode(line) + b"\n")

    def flush(self) -> None:
        """Put what was written where other processes see it."""
        self._file.flush()

    def close(self) -> None:
        """After the last line."""
        self._file.close()


def read_lines(path: Path, decoder: msgspec.json.Decoder[LineT]) -> Iterator[LineT]:
    """All lines but a torn one at the end, which a service that was killed may have left.

    Raises:
        LedgerError: another line can't be read.
    """
    *whole, _torn = path.read_bytes().split(b"\n")
    for number, line in enumerate(whole, start=1):
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError as error:
            raise LedgerError(f"{path}, line {number} is not a ledger's: {error}") from error
