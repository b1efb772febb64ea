"""Reads the complete record of a dead letter that was cut, from the record's own topic."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from kafka import KafkaConsumer, TopicPartition

from connectors.kafka.client import kafka_client, poll
from connectors.settings import Settings
from events import Cut, DeadLetter, Header

DEADLINE_SECONDS = 30
MOST_BYTES = 256 * 1024 * 1024
"""Maximum size of a batch that is read; a compressed record may be much larger than the brokers' limit."""


def with_originals(settings: Settings, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
    """Yield the dead letters, cut ones with their complete record, or cut if that is no longer in its topic.

    Raises:
        ConnectionError: no broker answers, or a record exists and is not read within 30 s; the text says what to do.
    """
    consumer = None
    try:
        for letter in letters:
            if letter.cut is None or letter.source_offset < 0:
                yield letter
                continue
            if consumer is None:
                consumer = _consumer(settings)
            record = _read(consumer, letter)
            yield letter if record is None or not is_of(record, letter.cut) else _completed(letter, record)
    finally:
        if consumer is not None:
            consumer.close()


def why_incomplete(letter: DeadLetter) -> str:
    """Return why the complete record isn't available; empty if the dead letter has all of it."""
    if letter.source_offset < 0:
        return f"it was never in {letter.source_topic}: {letter.rejected_by} could not write it"
    if letter.cut is None:
        return ""
    has, had = len(letter.payload or b""), letter.cut.payload_bytes or 0
    return f"its dead letter has {has:,} of {had:,} bytes, and the record is no longer in {letter.source_topic}"


def is_of(record: Any, cut: Cut) -> bool:
    """Return whether a consumed record is the one that was cut: a recreated topic counts its offsets from 0 again."""
    digest = None if record.value is None else hashlib.sha256(record.value).hexdigest()
    key_bytes = None if record.key is None else len(record.key)
    return (digest, key_bytes, len(record.headers)) == (cut.payload_sha256, cut.key_bytes, cut.headers)


def _completed(letter: DeadLetter, record: Any) -> DeadLetter:
    return msgspec.structs.replace(
        letter,
        source_key=record.key,
        source_headers=dict(record.headers),
        header_list=tuple(Header(name=name, value=value) for name, value in record.headers),
        payload=record.value,
        cut=None,
    )


def _consumer(settings: Settings) -> Any:
    return kafka_client(
        settings,
        KafkaConsumer,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=MOST_BYTES,
        fetch_max_bytes=MOST_BYTES,
    )


def _read(consumer: Any, letter: DeadLetter) -> Any | None:
    """Return the record at the dead letter's coordinates, or None."""
    partition = TopicPartition(letter.source_topic, letter.source_partition)
    if partition.partition not in (consumer.partitions_for_topic(partition.topic) or ()):
        return None
    first, end = (offsets([partition])[partition] for offsets in (consumer.beginning_offsets, consumer.end_offsets))
    if not first <= letter.source_offset < end:
        return None
    consumer.assign([partition])
    consumer.seek(partition, letter.source_offset)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        for record in poll(consumer, timeout_ms=500, max_records=1).get(partition, ()):
            return record if record.offset == letter.source_offset else None
        if consumer.position(partition) > letter.source_offset:
            return None
    raise ConnectionError(
        f"the complete record of dead letter {letter.event_id} can't be read: the Kafka broker at "
        f"{','.join(consumer.config['bootstrap_servers'])} sent nothing of {partition.topic}, partition "
        f"{partition.partition}, offset {letter.source_offset} for {DEADLINE_SECONDS} s; see whether it is well, and "
        "run the command again"
    )
