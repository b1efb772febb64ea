"""Loads a user's function that fixes records, and reports its errors record by record."""

import hashlib
import importlib.util
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ops.dead_letters.rejected_record import Record

DEFAULT_FUNCTION = "fix"


class FixError(ValueError):
    """A fix can't be used, or has failed on a record; the message gives the place and the reason."""


@dataclass(frozen=True)
class Fix:
    """A function that fixes records."""

    label: str
    """Label of the fix: its file, its name and its file's digest."""
    file: str
    function: Callable[[Record], Record | None]

    def __call__(self, record: Record) -> Record | None:
        """Return the fixed record; None if it isn't to be replayed.

        Raises:
            FixError: the function failed, or returned what can't be sent.
        """
        try:
            fixed = self.function(record)
        except Exception as error:
            raise FixError(f"the fix failed{self._place(error)}: {type(error).__name__}: {error}") from error
        if fixed is None:
            return None
        if not isinstance(fixed, Record):
            raise FixError(f"the fix returned a {type(fixed).__name__}; it must return a record, or None to skip it")
        if _coordinates(fixed) != _coordinates(record):
            raise FixError("the fix changed topic, partition or offset; a record is only sent to its own topic")
        _check_types(fixed, was=record)
        return fixed

    def _place(self, error: Exception) -> str:
        lines = [each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == self.file]
        return f" in line {lines[-1]}" if lines else ""


def load(text: str) -> Fix:
    """Load the fix named on the command line: `path/to/fix.py`, or `path/to/fix.py:function`.

    Raises:
        FixError: there is no such file or function, or the file can't be run.
    """
    name, colon, function_name = text.rpartition(":")
    if not colon:
        name, function_name = text, DEFAULT_FUNCTION
    path = Path(name)
    if not path.is_file() or path.suffix != ".py":
        raise FixError(f"there is no Python file {name}")
    source = path.read_bytes()
    function = getattr(_module(path), function_name, None)
    if not callable(function):
        raise FixError(f"{name} has no function {function_name}; name another one: --fix {name}:function")
    digest = hashlib.sha256(source).hexdigest()[:12]
    return Fix(f"{path.name}:{function_name} sha256:{digest}", str(path), function)


def _module(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(f"dead_letter_fix_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise FixError(f"{path} can't be run: {type(error).__name__}: {error}") from error
    return module


def _coordinates(record: Record) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


def _check_types(record: Record, was: Record) -> None:
    for name, value in {"key": record.key, "value": record.value, **dict(record.headers)}.items():
        if not isinstance(value, (bytes, type(None))):
            raise FixError(f"the fix made a {type(value).__name__} of {name}; it must be bytes, or None")
    if record.timestamp != was.timestamp and (not isinstance(record.timestamp, int) or record.timestamp < 0):
        raise FixError(f"the fix made {record.timestamp!r} the timestamp; it must be UTC milliseconds")
