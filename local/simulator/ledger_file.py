"""Files of ledgers: one JSON line after another, each ledger in its own file; the last line may be incomplete."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

NO_LEDGER = Path(os.devnull)

LineT = TypeVar("LineT")


class LedgerError(ValueError):
    """A file is not a ledger, or contains one already; the text says where."""


class LedgerFile:
    """A ledger while it is written.

    Raises:
        LedgerError: the file is not empty.
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
        """Flush the file, so that other processes see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Close the file after the last line."""
        self._file.close()


def read_lines(path: Path, decoder: msgspec.json.Decoder[LineT]) -> Iterator[LineT]:
    """Yield all lines except an incomplete one at the end, which a service that was killed may have left.

    Raises:
        LedgerError: another line can't be read.
    """
    *whole, _torn = path.read_bytes().split(b"\n")
    for number, line in enumerate(whole, start=1):
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError as error:
            raise LedgerError(f"{path}, line {number} is not a ledger's: {error}") from error
