"""Distribution of a topic's records over its keys and partitions. One hot key means one busy partition."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.kafka.reading import committed_records
from connectors.settings import Settings


@dataclass(frozen=True)
class KeySample:
    """Distribution of the latest records of a topic over its keys."""

    records: int
    keys: int
    hottest_key: bytes | None
    hottest_share: float
    """Share of the records that have the hottest key, 0 to 1."""
    partition_shares: Mapping[int, float]
    """Share of the records that are in each partition; an even share would be 1 / partitions."""


def sample_keys(settings: Settings, topic: str, latest: int) -> KeySample:
    """Count the keys of about the latest `latest` records, the same number from each partition.

    Raises:
        LookupError: the topic does not exist, or is empty.
    """
    return _key_sample(topic, list(committed_records(settings, topic, latest)))


def _key_sample(topic: str, records: Sequence[Any]) -> KeySample:
    if not records:
        raise LookupError(f"the topic {topic!r} is empty")
    keys = Counter(record.key for record in records)
    partitions = Counter(record.partition for record in records)
    [(hottest, count)] = keys.most_common(1)
    return KeySample(
        records=len(records),
        keys=len(keys),
        hottest_key=hottest,
        hottest_share=count / len(records),
        partition_shares={number: partitions[number] / len(records) for number in sorted(partitions)},
    )
