"""Reports errors that the operator can fix as one message, without a traceback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from kafka.errors import KafkaError, KafkaTimeoutError

from connectors.elasticsearch.client import ElasticsearchError
from connectors.kafka.client import client_options
from connectors.kafka.registry import RegistryError
from connectors.outage import await_server, report_on_stderr
from connectors.settings import Settings, SettingsError
from ops.jobs.flink_rest import FlinkError
from sql import SqlFileError
from toolchain.cache import CacheError
from toolchain.jars import JarsError
from toolchain.java import JavaError

CONNECT_TIMEOUT_MS = 2_000
"""Timeout of one attempt to reach a broker."""
KAFKA_WITHIN_SECONDS = 30.0
"""Maximum wait of a command for a broker at its start, in seconds; longer than a broker's restart takes."""
FAULTS = (
    CacheError,
    ConnectionError,
    ElasticsearchError,
    FlinkError,
    JarsError,
    JavaError,
    RegistryError,
    SettingsError,
    SqlFileError,
)


class CommandGroup(click.Group):
    """A command group whose commands may raise the errors of a wrong setting or an unavailable server."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; exit with status 1 and `Error: …` for errors that can be fixed outside the program."""
        try:
            return super().invoke(ctx)
        except FAULTS as error:
            raise click.ClickException(str(error)) from error
        except KafkaError as error:
            raise click.ClickException(f"Kafka: {error}") from error


@contextmanager
def connecting_to_kafka(settings: Settings) -> Iterator[dict[str, Any]]:
    """Wrap the construction of a Kafka client; yield the options that every client takes.

    Raises:
        ConnectionError: no broker answers; the text says what to do.
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
        ConnectionError: no broker answers within `KAFKA_WITHIN_SECONDS`; the text says what to do.
    """

    def connect() -> Any:
        with connecting_to_kafka(settings) as found:
            return make(**found, **options)

    broker = f"the Kafka broker at {settings.kafka_bootstrap_servers}"
    try:
        return await_server(broker, connect, ConnectionError, report_on_stderr, limit_seconds=KAFKA_WITHIN_SECONDS)
    except ConnectionError as error:
        raise ConnectionError(f"{error}; waited for it for {KAFKA_WITHIN_SECONDS:.0f} s") from error
