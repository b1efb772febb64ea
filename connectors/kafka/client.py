"""Options and polling for every Kafka client in Python, so that it survives the outage of a broker."""

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaTimeoutError, RetriableError

from connectors.outage import Report, await_server, report_on_stderr
from connectors.settings import Settings

CONNECT_MS = 2_000
"""Timeout of one attempt to reach a broker."""
CONNECT_SECONDS = 30.0
"""Maximum wait of a command for a broker at its start, in seconds; longer than a broker's restart takes."""
RECONNECT_MS = 1_000
"""Maximum wait between two attempts to reach a broker, as in Kafka's own clients. With kafka-python's default of 30 s,
clients needed up to 36 s after the broker was available again."""


def client_options(bootstrap_servers: str) -> dict[str, Any]:
    """Return options for a consumer, a producer or an admin client.

    Args:
        bootstrap_servers: addresses, separated by commas.
    """
    return {"bootstrap_servers": bootstrap_servers.split(","), "reconnect_backoff_max_ms": RECONNECT_MS}


def kafka_client(
    settings: Settings,
    make: Callable[..., Any],
    *,
    report: Report = report_on_stderr,
    stop: Event | None = None,
    within_seconds: float | None = None,
    **options: Any,
) -> Any:
    """Create a consumer, a producer or an admin client; while no broker answers, wait for one.

    Args:
        make: the client's class.
        report: gets a line each second of the wait.
        stop: ends the wait when it is set.
        within_seconds: maximum wait, `CONNECT_SECONDS` by default.

    Raises:
        ConnectionError: no broker answers in time; the text says what to do.
    """

    def connect() -> Any:
        servers = client_options(settings.kafka_bootstrap_servers)
        return make(**servers, bootstrap_timeout_ms=CONNECT_MS, **options)

    within_seconds = CONNECT_SECONDS if within_seconds is None else within_seconds
    broker, began = f"the Kafka broker at {settings.kafka_bootstrap_servers}", time.monotonic()
    try:
        return await_server(broker, connect, KafkaTimeoutError, report, stop, limit_seconds=within_seconds)
    except KafkaTimeoutError as error:
        raise ConnectionError(
            f"no Kafka broker answers at {settings.kafka_bootstrap_servers}: start it (`make up`), or set "
            "MILLRACE_KAFKA_BOOTSTRAP_SERVERS to where it is; waited for it for "
            f"{time.monotonic() - began:.0f} s"
        ) from error


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
