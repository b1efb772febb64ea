"""What every Kafka client in Python has to do so that it outlives a broker that is away."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import RetriableError

RECONNECT_MS = 1_000
"""Longest wait between two attempts to reach a broker, as in Kafka's own clients. kafka-python's default of 30 s made
clients need up to 36 s after the broker was back."""


def client_options(bootstrap_servers: str) -> dict[str, Any]:
    """Options for a consumer, a producer or an admin client.

    Args:
        bootstrap_servers: addresses, separated by commas.
    """
    return {"bootstrap_servers": bootstrap_servers.split(","), "reconnect_backoff_max_ms": RECONNECT_MS}


def poll(
    consumer: KafkaConsumer, timeout_ms: int, max_records: int | None = None
) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
    """Return the records that come within `timeout_ms`; none while the brokers are away.

    The consumer's own `poll` also returns none then, but sometimes raises an error that it calls retriable itself.
    """
    try:
        return dict(consumer.poll(timeout_ms=timeout_ms, max_records=max_records))
    except RetriableError:
        time.sleep(timeout_ms / 1000)
        return {}
