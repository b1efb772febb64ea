"""Exports dead letters to a file that can be edited and replayed: one line of JSON each, without loss."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from events import DeadLetter
from ops.dead_letters.reading import Replays
from ops.dead_letters.record_headers import Headers, Pair, pairs_of
from ops.dead_letters.rejected_record import Record
from ops.formats import time_in_words


class Data(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Bytes that can be edited as base64 or as text."""

    text: str | None = None
    """The bytes as text; None if they aren't UTF-8."""
    base64: bytes


class Line(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A dead letter in a file."""

    id: str
    topic: str
    partition: int
    offset: int
    time: str
    """Time for the reader; `timestamp` is what counts."""
    timestamp: int
    rejected_by: str
    reason: str
    replayed: int
    """Number of times that the record was replayed before."""
    headers: dict[str, Data | None] | list[tuple[str, Data | None]]
    """Headers by name; a list of names and values if a name is repeated."""
    key: Data | None
    payload: Data | None


class ExportError(ValueError):
    """A file of dead letters can't be written or used; the message gives the place and the reason."""


def write(path: Path, letters: Iterable[DeadLetter], replays: Replays) -> int:
    """Write a new file that only its owner can read; return the number of dead letters in it.

    If not all of them can be read or written, no file is left.

    Raises:
        ExportError: the file exists, or can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ExportError(f"{path} can't be written as a new file: {error.strerror}") from error
    count = 0
    try:
        with os.fdopen(descriptor, "wb") as file:
            for letter in letters:
                file.write(msgspec.json.encode(line(letter, replays)) + b"\n")
                count += 1
    except BaseException as error:
        path.unlink()  # it would look complete, and prevent another try
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):  # which is Kafka's
            raise ExportError(f"{path} can't be written: {error.strerror}; nothing was exported") from error
        raise
    return count


def line(letter: DeadLetter, replays: Replays) -> Line:
    """Return the line of a dead letter in a file."""
    replay = replays.of(letter)
    pairs = [(each.name, each.value) for each in letter.header_list or ()] or list(letter.source_headers.items())
    return Line(
        id=letter.event_id,
        topic=letter.source_topic,
        partition=letter.source_partition,
        offset=letter.source_offset,
        time=time_in_words(letter.event_time),
        timestamp=letter.event_time if letter.source_time is None else letter.source_time,
        rejected_by=letter.rejected_by,
        reason=letter.reason,
        replayed=replay.times if replay else 0,
        headers=_exported(pairs),
        key=_data(letter.source_key),
        payload=_data(letter.payload),
    )


def read(path: Path) -> dict[str, list[tuple[int, Line]]]:
    """Read the lines of a file with their numbers, by the id of their dead letter.

    Raises:
        ExportError: the file can't be read, or a line is not a valid one.
    """
    found: dict[str, list[tuple[int, Line]]] = {}
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ExportError(f"{path} can't be read: {error.strerror}") from error
    for number, text in enumerate(lines, start=1):
        if text.strip():
            try:
                parsed = msgspec.json.decode(text, type=Line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise ExportError(f"{path}, line {number}: {error}") from error
            found.setdefault(parsed.id, []).append((number, parsed))
    return found


def edited(record: Record, lines: Iterable[tuple[int, Line]]) -> Record:
    """Apply the lines of a record's dead letters to the record.

    Raises:
        ExportError: the lines contradict each other.
    """
    versions: dict[int, Record] = {number: _edited(record, number, each) for number, each in lines}
    changed = {number: version for number, version in versions.items() if version != record}
    first = next(iter(changed.values()), record)
    for number, version in changed.items():
        if version != first:
            raise ExportError(f"lines {min(changed)} and {number} are one record, and differ: make them equal")
    return first


def _edited(record: Record, number: int, line: Line) -> Record:
    coordinates = (line.topic, line.partition, line.offset)
    if coordinates != (record.topic, record.partition, record.offset):
        raise ExportError(f"line {number}: topic, partition and offset aren't those of {line.id}: restore them")
    return replace(
        record,
        key=_chosen(record.key, line.key, f"line {number}: key"),
        value=_chosen(record.value, line.payload, f"line {number}: payload"),
        timestamp=line.timestamp,
        headers=Headers(_edited_headers(record.headers, line.headers, number)),
    )


def _exported(pairs: Sequence[Pair]) -> dict[str, Data | None] | list[tuple[str, Data | None]]:
    by_name = {name: _data(value) for name, value in pairs}
    return by_name if len(by_name) == len(pairs) else [(name, _data(value)) for name, value in pairs]


def _edited_headers(
    was: Mapping[str, bytes | None], now: dict[str, Data | None] | list[tuple[str, Data | None]], number: int
) -> Iterator[Pair]:
    left = list(pairs_of(was))
    for name, data in now.items() if isinstance(now, dict) else now:
        before = next((pair for pair in left if pair[0] == name), None)
        if before is not None:
            left.remove(before)
        yield name, _chosen(before[1] if before else None, data, f"line {number}: header {name}")


def _chosen(was: bytes | None, now: Data | None, where: str) -> bytes | None:
    """Return the one of text and base64 that was changed."""
    if now is None:
        return None
    changed = {each for each in (_bytes(now), now.base64) if each != was}
    if len(changed) == 2:
        raise ExportError(f"{where}: text and base64 were both changed, and differ: leave one of them as it was")
    return changed.pop() if changed else was


def _bytes(data: Data) -> bytes:
    return data.base64 if data.text is None else data.text.encode("utf-8", "surrogatepass")


def _data(value: bytes | None) -> Data | None:
    if value is None:
        return None
    try:
        return Data(text=value.decode(), base64=value)
    except UnicodeDecodeError:
        return Data(base64=value)
