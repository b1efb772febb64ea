"""Kafka clients of commands, which wait for a broker and report it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka.errors import KafkaTimeoutError

from connectors.kafka.client import client_options
from connectors.settings import Settings
from ops.outage import await_server, report_on_stderr

CONNECT_TIMEOUT_MS = 2_000
"""Timeout of one attempt to reach a broker."""
KAFKA_WITHIN_SECONDS = 30.0
"""Maximum wait of a command for a broker at its start, in seconds; longer than a broker's restart takes."""


@contextmanager
def connecting_to_kafka(settings: Settings) -> Iterator[dict[str, Any]]:
    """Wrap the construction of a Kafka client; yield the options that every client takes.

    Raises:
        ConnectionError: no broker answers; the message gives the remedy.
    """
    try:
        yield client_options(settings.kafka_bootstrap_servers) | {"bootstrap_timeout_ms": CONNECT_TIMEOUT_MS}
    except KafkaTimeoutError as error:
        raise ConnectionError(
            f"no Kafka broker answers at {settings.kafka_bootstrap_servers}: start it (`make up`), "
            "or set MILLRACE_KAFKA_BOOTSTRAP_SERVERS to where it is"
        ) from error


def kafka_client(settings: Settings, make: Callable[..., Any], **options: Any) -> Any:
    """Create a consumer, a producer or an admin client; while no broker answers, wait and report it on stderr.

    Raises:
        ConnectionError: no broker answers within `KAFKA_WITHIN_SECONDS`; the message gives the remedy.
    """

    def connect() -> Any:
        with connecting_to_kafka(settings) as found:
            return make(**found, **options)

    broker = f"the Kafka broker at {settings.kafka_bootstrap_servers}"
    try:
        return await_server(broker, connect, ConnectionError, report_on_stderr, limit_seconds=KAFKA_WITHIN_SECONDS)
    except ConnectionError as error:
        raise ConnectionError(f"{error}; waited for it for {KAFKA_WITHIN_SECONDS:.0f} s") from error
