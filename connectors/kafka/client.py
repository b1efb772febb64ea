"""Options and polling for every Kafka client in Python, so that it survives the outage of a broker."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import RetriableError

RECONNECT_MS = 1_000
"""Maximum wait between two attempts to reach a broker, as in Kafka's own clients. With kafka-python's default of 30 s,
clients needed up to 36 s after the broker was available again."""


def client_options(bootstrap_servers: str) -> dict[str, Any]:
    """Return options for a consumer, a producer or an admin client.

    Args:
        bootstrap_servers: addresses, separated by commas.
    """
    return {"bootstrap_servers": bootstrap_servers.split(","), "reconnect_backoff_max_ms": RECONNECT_MS}


def poll(
    consumer: KafkaConsumer, timeout_ms: int, max_records: int | None = None
) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
    """Return the records that come within `timeout_ms`; none while the brokers are unavailable.

    In that case the consumer's own `poll` also returns none, but sometimes raises an error that it marks as retriable.
    """
    try:
        return dict(consumer.poll(timeout_ms=timeout_ms, max_records=max_records))
    except RetriableError:
        time.sleep(timeout_ms / 1000)
        return {}
