"""Rejected records as they are fixed and replayed, with the headers that describe their replays."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from events import DeadLetter
from ops.dead_letters.reading import by_record
from ops.dead_letters.record_headers import Headers, pairs_of

REPLAY_OF = "millrace-replay-of"
"""Header with the ids of the record's dead letters, oldest first, separated by commas."""
REPLAYS = "millrace-replays"
"""Header with the number of replays, this one included."""
REPLAYED_AT = "millrace-replayed-at"
FIX = "millrace-replay-fix"
_OURS = (REPLAY_OF, REPLAYS, REPLAYED_AT, FIX)
_MOST_IDS = 20


@dataclass(frozen=True)
class Record:
    """A rejected record; a fix takes it and returns a changed copy."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: int
    """Event time of the record, in UTC milliseconds."""
    headers: Mapping[str, bytes | None]
    """Headers by name. Unchanged ones are `Headers`, whose `pairs` also have repeated names and the order."""
    partition: int
    offset: int
    reason: str
    """Reason of the rejection; several reasons are separated by `; `."""
    rejected_by: tuple[str, ...]
    """Names of the jobs and pipelines that rejected it."""

    def document(self) -> Any:
        """Parse the value as JSON.

        Raises:
            ValueError: it is not valid JSON.
        """
        return json.loads(self.value or b"")

    def with_document(self, document: Any) -> "Record":
        """Return the same record with another JSON value."""
        return replace(self, value=json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())


@dataclass(frozen=True)
class Rejected:
    """A record and its dead letters."""

    record: Record
    letters: tuple[DeadLetter, ...]
    """Dead letters of the record, at least one."""

    @property
    def letter(self) -> DeadLetter:
        """Dead letter from which the record's bytes are taken."""
        return self.letters[0]


@dataclass(frozen=True)
class Past:
    """Earlier replays of a record, according to its headers."""

    times: int
    letter_ids: tuple[str, ...]
    at: str = ""
    fix: str = ""


def rejected_records(letters: Iterable[DeadLetter]) -> list[Rejected]:
    """Return each record once, however many jobs have rejected it, in the order of its topic."""
    found = [_rejected(of_one) for of_one in by_record(letters).values()]
    return sorted(found, key=lambda each: (each.record.topic, each.record.partition, each.record.offset))


def past(headers: Mapping[str, bytes | None]) -> Past:
    """Parse a record's headers about replays; tolerates any content."""
    texts = {name: (headers.get(name) or b"").decode("utf-8", "replace") for name in _OURS}
    times = int(texts[REPLAYS]) if texts[REPLAYS].isascii() and texts[REPLAYS].isdecimal() else 0
    return Past(times, tuple(filter(None, texts[REPLAY_OF].split(","))), texts[REPLAYED_AT], texts[FIX])


def replay_headers(record: Record, letter_id: str, *, sent_before: int, now: int, fix: str) -> Headers:
    """Return the record's headers, with those that describe the replay.

    Args:
        sent_before: number of times that this dead letter's record was replayed before.
        now: UTC milliseconds.
    """
    earlier = past(record.headers)
    ours = {
        REPLAY_OF: ",".join((*earlier.letter_ids, letter_id)[-_MOST_IDS:]),
        REPLAYS: str(earlier.times + sent_before + 1),
        REPLAYED_AT: datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds"),
        FIX: fix,
    }
    kept = [(name, value) for name, value in pairs_of(record.headers) if name not in _OURS]
    return Headers([*kept, *((name, value.encode()) for name, value in ours.items() if value)])


def _rejected(letters: list[DeadLetter]) -> Rejected:
    first = letters[0]
    record = Record(
        topic=first.source_topic,
        key=first.source_key,
        value=first.payload,
        timestamp=first.event_time if first.source_time is None else first.source_time,
        headers=_headers(first),
        partition=first.source_partition,
        offset=first.source_offset,
        reason="; ".join(_different(each.reason for each in letters)),
        rejected_by=tuple(_different(each.rejected_by for each in letters)),
    )
    return Rejected(record, tuple(letters))


def _headers(letter: DeadLetter) -> Headers:
    if letter.header_list is None:
        return Headers(letter.source_headers.items())
    return Headers((header.name, header.value) for header in letter.header_list)


def _different(texts: Iterable[str]) -> Iterator[str]:
    yield from dict.fromkeys(texts)
