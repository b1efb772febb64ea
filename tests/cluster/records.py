"""Records of a topic, in files that the test-only connector `records` reads and writes."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """A Kafka record. Its offset is its position among those of its partition."""

    value: bytes | None
    key: bytes | None = None
    timestamp: int = 0
    """UTC milliseconds."""
    partition: int = 0
    headers: Mapping[str, bytes | None] = field(default_factory=dict)


def write_records(folder: Path, records: Iterable[Record], partitions: int = 1, first_offset: int = 0) -> Path:
    """Write a file for each partition, in the order given, or append to those that are there.

    Args:
        folder: the table's `path`; created if missing.
        partitions: minimum number of partitions; some may stay empty.
        first_offset: offset of each partition's first record in this call.

    Returns:
        The folder.
    """
    encoded: dict[int, list[bytes]] = defaultdict(list, {number: [] for number in range(partitions)})
    for record in records:
        offset = first_offset + len(encoded[record.partition])
        encoded[record.partition].append(_encode(record, offset))
    folder.mkdir(parents=True, exist_ok=True)
    for number, parts in encoded.items():
        with (folder / f"{number}.records").open("ab") as file:
            file.write(b"".join(parts))
    return folder


def read_records(folder: Path) -> list[Record]:
    """Return the records that a job wrote there, by subtask; it writes no headers."""
    return [
        record
        for file in sorted(folder.glob("*.records"))
        for record in _decode(file.read_bytes(), partition=int(file.stem))
    ]


def _decode(data: bytes, partition: int) -> Iterator[Record]:
    position = 0
    while position < len(data):
        length, _, timestamp = struct.unpack_from(">iqq", data, position)
        key, after_key = _bytes_at(data, position + 20)
        value, _ = _bytes_at(data, after_key)
        yield Record(value, key, timestamp, partition)
        position += 4 + length


def _bytes_at(data: bytes, position: int) -> tuple[bytes | None, int]:
    """Return a nullable field, and the position of the next one."""
    (length,) = struct.unpack_from(">i", data, position)
    begin = position + 4
    return (None, begin) if length < 0 else (data[begin : begin + length], begin + length)


def _encode(record: Record, offset: int) -> bytes:
    parts = [
        struct.pack(">qq", offset, record.timestamp),
        _nullable(record.key),
        _nullable(record.value),
        struct.pack(">i", len(record.headers)),
    ]
    for name, value in record.headers.items():
        parts += [struct.pack(">H", len(name.encode())), name.encode(), _nullable(value)]
    body = b"".join(parts)
    return struct.pack(">i", len(body)) + body


def _nullable(data: bytes | None) -> bytes:
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data
