"""Cuts dead letters to the limit of their topic, in Python; `millrace.kafka.DeadLetter` does the same in Flink."""

import hashlib

import msgspec

from connectors.kafka.topics import RECORD_BYTES
from events import Cut, DeadLetter, Header

END_OF_TIME_MS = 253_402_300_799_999
"""Last millisecond of the year 9999."""
KEY_BYTES = 1_024
HEADER_BYTES = 16_384
HEADER_OVERHEAD = 32
REASON_CHARACTERS = 4_000


def cut_to_limit(letter: DeadLetter, limit: int = RECORD_BYTES) -> DeadLetter:
    """Return the dead letter with a time that events can have, and cut to `limit` bytes together with its record's key.

    A dead letter that is cut is written under its `source_key`, which then is a prefix of the record's key.
    """
    event_time = max(0, min(letter.event_time, END_OF_TIME_MS))
    if event_time != letter.event_time:
        letter = msgspec.structs.replace(letter, event_time=event_time, source_time=letter.event_time)
    return letter if _bytes(letter) <= limit else _cut(letter, limit)


def _bytes(letter: DeadLetter) -> int:
    return len(msgspec.json.encode(letter)) + len(letter.source_key or b"")


def _cut(letter: DeadLetter, limit: int) -> DeadLetter:
    key, payload = letter.source_key, letter.payload
    listed = letter.header_list or tuple(
        Header(name=name, value=value) for name, value in letter.source_headers.items()
    )
    kept = _first_headers(listed)
    without_payload = msgspec.structs.replace(
        letter,
        source_key=None if key is None else key[:KEY_BYTES],
        source_headers={header.name: header.value for header in kept},
        header_list=None if letter.header_list is None else kept,
        reason=letter.reason[:REASON_CHARACTERS] + "…" * (len(letter.reason) > REASON_CHARACTERS),
        payload=None if payload is None else b"",
        cut=Cut(
            key_bytes=None if key is None else len(key),
            payload_bytes=None if payload is None else len(payload),
            payload_sha256=None if payload is None else hashlib.sha256(payload).hexdigest(),
            headers=len(listed),
        ),
    )
    if payload is None:
        return without_payload
    left = max(0, limit - _bytes(without_payload))
    return msgspec.structs.replace(without_payload, payload=payload[: left // 4 * 3])


def _first_headers(headers: tuple[Header, ...]) -> tuple[Header, ...]:
    left = HEADER_BYTES
    for number, header in enumerate(headers):
        left -= HEADER_OVERHEAD + len(header.name.encode()) + len(header.value or b"")
        if left < 0:
            return headers[:number]
    return headers
